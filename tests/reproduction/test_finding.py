"""Finding data sets: by name and by content, nested, linked, twice; and what only looks like one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.data import KNOWN, make_standin
from anomalyclip.data.standins import STYLES
from anomalyclip.errors import InputError
from anomalyclip.reproduction import find_datasets


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 6), 99).save(path)


def test_all_seventeen(standins: Path) -> None:
    found = find_datasets(standins)
    assert list(found.paths) == list(KNOWN)
    assert {name: path.name for name, path in found.paths.items()} == {n: s.folder for n, s in STYLES.items()}
    assert found.missing == ()
    assert found.notes == ()


def test_nested_missing_and_decoys(tmp_path: Path) -> None:
    make_standin(tmp_path / "industrial/downloads", "btad", 2, size=32)
    make_standin(tmp_path / "medical", "tn3k", 2, size=32)
    (tmp_path / "VisA").mkdir()  # empty
    picture(tmp_path / "mvtec/photo.png")  # the name, but no layout
    picture(tmp_path / "holiday/beach/1.png")
    picture(tmp_path / "mine/bottle/test/good/0.png")  # a layout, but nobody's name or classes
    (tmp_path / "kvasir.txt").write_text("x")
    found = find_datasets(tmp_path)
    assert list(found.paths) == ["BTAD", "TN3K"]
    assert found.paths["BTAD"] == tmp_path / "industrial/downloads/BTech_Dataset_transformed"
    assert len(found.missing) == 15


def test_a_folder_of_many_sets_is_not_the_one_that_lies_in_it(tmp_path: Path) -> None:
    """KolektorSDD may lie one level inside its own folder; that does not make every folder above it SDD."""
    make_standin(tmp_path, "sdd", 2, size=32)
    make_standin(tmp_path, "headct", 2, size=32)
    assert set(find_datasets(tmp_path).paths) == {"SDD", "HeadCT"}
    wrapped = tmp_path / "more" / "SDD"
    make_standin(wrapped, "sdd", 2, size=32)
    assert find_datasets(tmp_path / "more").paths == {"SDD": wrapped}


def test_the_root_may_itself_be_the_data_set(tmp_path: Path) -> None:
    folder = make_standin(tmp_path, "kvasir", 2, size=32)
    assert find_datasets(folder).paths == {"Kvasir": folder}


def test_by_content_and_by_own_name_first(tmp_path: Path) -> None:
    """All classes of MPDD under another name are MPDD; a folder of its own name is preferred, and the other told."""
    other = make_standin(tmp_path / "a", "mpdd", 2, size=32).rename(tmp_path / "a" / "parts")
    assert find_datasets(tmp_path).paths == {"MPDD": other}
    own = make_standin(tmp_path / "z" / "y", "mpdd", 2, size=32)
    found = find_datasets(tmp_path)
    assert found.paths == {"MPDD": own}
    assert found.notes == (f"MPDD also lies in {other}, which is not used",)


def test_links_are_followed_once(tmp_path: Path) -> None:
    real = make_standin(tmp_path / "elsewhere", "tn3k", 2, size=32)
    root = tmp_path / "root"
    root.mkdir()
    (root / "tn3k").symlink_to(real)
    (root / "loop").symlink_to(root)
    assert find_datasets(root).paths == {"TN3K": root / "tn3k"}


def test_the_authors_meta_json_under_the_sets_name(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        picture(tmp_path / "visa/anywhere" / f"{name}.png")
    entries = [
        {"img_path": f"anywhere/{name}.png", "mask_path": "", "cls_name": "pcb1", "specie_name": name, "anomaly": label}
        for name, label in (("good", 0), ("bad", 1))
    ]
    (tmp_path / "visa/meta.json").write_text(json.dumps({"train": {}, "test": {"pcb1": entries}}))
    assert find_datasets(tmp_path).paths == {"VisA": tmp_path / "visa"}
    shutil.move(tmp_path / "visa", tmp_path / "unknown")
    with pytest.raises(InputError, match="none of the 17 data sets"):
        find_datasets(tmp_path)


def test_too_deep_and_no_folder(tmp_path: Path) -> None:
    make_standin(tmp_path / "1/2/3", "tn3k", 2, size=32)
    with pytest.raises(InputError, match="3 levels below"):
        find_datasets(tmp_path)
    assert find_datasets(tmp_path / "1").paths.keys() == {"TN3K"}
    with pytest.raises(InputError, match="is no folder"):
        find_datasets(tmp_path / "none")
