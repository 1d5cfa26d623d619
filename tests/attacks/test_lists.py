"""Hostile lists of images: refused in a line."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.data import open_dataset, places
from anomalyclip.data.places import inside
from anomalyclip.data.tables import Table
from anomalyclip.errors import InputError


def test_list_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    (tmp_path / "list.csv").write_text(importlib.import_module("list_columns").rows(100_000), "utf-8")
    with pytest.raises(InputError, match=r"list.csv has 100,000 columns, the limit is 2,000"):
        open_dataset(tmp_path / "list.csv")


def test_list_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    (tmp_path / "list.csv").write_text(importlib.import_module("list_rows").rows(1_100_000), "utf-8")
    with pytest.raises(InputError, match=r"list.csv has 1,100,001 lines, the limit is 1,000,000"):
        open_dataset(tmp_path / "list.csv")


def test_a_file_that_is_listed_again_is_not_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "list.csv").write_text("image,label\n" + "a.png,0\nb.png,1\n" * 500, "utf-8")
    looks: list[str] = []
    monkeypatch.setattr(places, "inside", lambda root, text, where: looks.append(text) or inside(root, text, where))
    assert [item.image.name for item in open_dataset(tmp_path / "list.csv").items] == ["a.png", "b.png"]
    assert len(looks) < 100


def test_columns_that_nobody_reads_are_not_held() -> None:
    names = ("image", "label", *(f"c{number}" for number in range(500)))
    table = Table(Path("list.csv"), "a,0" + "," * 500 + "\n", ",", (), names, 0, "")
    assert list(table.rows(lambda name: name in ("image", "label"))) == [(1, {"image": "a", "label": "0"})]


@pytest.mark.parametrize(("text", "what"), [("[{},{},[]]", "4 objects and lists"), ("[1,2,3]", "2 values")])
def test_parts_of_json_are_counted_before_it_is_parsed(
    text: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomalyclip.data.text.MOST_CONTAINERS", 3)
    monkeypatch.setattr("anomalyclip.data.text.MOST_VALUES", 1)
    (tmp_path / "a.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=rf"a.json holds {what}, the limit is"):
        open_dataset(tmp_path / "a.json")
