"""Hostile names, and names of what is no file of the user's."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.watching.watched import Clock

from anomalyclip.cli import main
from anomalyclip.errors import ImageReadError
from anomalyclip.watching.database import Database
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_folder import FolderOptions, FolderSource

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of bytes, /proc")


@pytest.fixture(autouse=True)
def _attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")


def made(name: str, folder: Path, **options: Any) -> Path:
    importlib.import_module(name).make(folder, **options)
    return folder


def test_names_of_no_text(tmp_path: Path) -> None:
    good, profile = made("names_of_no_text", tmp_path / "good"), tmp_path / "line.json"
    options = ("--fpr", "0.5", "--no-plot", "--no-self-test", "--image-size", "96", "--offline", "--quiet")
    with pytest.raises(SystemExit) as end:
        main(["calibrate", str(good), "--output", str(profile), *options])
    assert end.value.code in (None, 0)
    (line,) = json.loads(profile.read_text("utf-8"))["profiles"]
    assert {one["name"] for one in line["setting"]} <= {rf"part\xff\xfe{number}.png" for number in range(4)}
    assert line["setting"]


def test_file_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    database, clock = Database(tmp_path / "out"), Clock()
    source = FolderSource(str(made("file_of_the_system", tmp_path / "in")), Journal(database), FolderOptions(), clock)
    source.arrivals()
    clock.now += 100
    (item,) = source.arrivals()
    with pytest.raises(ImageReadError, match="it holds more than the system says"):
        source.read(item)
    assert source.settle(item) is not None, "it has its row, and does not come again"
    source.close()
    database.close()
