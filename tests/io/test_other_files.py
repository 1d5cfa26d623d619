"""Files that are given in another's place are named, with the way on, by every verb."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.cli import app
from anomalyclip.detect import iter_inputs
from anomalyclip.io.headers import what_it_is
from anomalyclip.io.scanning import PassedOver


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 199)).save(buffer, "PNG")
    return buffer.getvalue()


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", _picture())
    return buffer.getvalue()


OTHERS = {
    "z.zip": (_archive(), "a ZIP archive (unpack it first)"),
    "t.tar": (b"\0" * 257 + b"ustar" + b"\0" * 250, "a tar archive (unpack it first)"),
    "d.pdf": (b"%PDF-1.7\n%%EOF", "a PDF document"),
    "v.mp4": (b"\0\0\0\x18ftypisom" + b"\0" * 40, "a video"),
    "p.png": (_picture(), "a picture (PNG)"),
}
PLACES = {
    "data set": ["data", "check", "{}"],
    "test set": ["evaluate", "{}"],
    "profile": ["detect", "good", "--profile", "{}"],
    "profile of a server": ["serve", "--profile", "{}"],
    "profile to correct": ["correct", "results", "--normal", "a.png", "--profile", "{}"],
    "model": ["detect", "good", "--model", "{}"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, (content, _) in OTHERS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "a.png").write_bytes(_picture())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code != 0
    return " ".join(f"{result.output} {result.exception}".split())


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("verb", PLACES)
def test_what_was_given_is_named(place: Path, verb: str, name: str) -> None:
    told = said(*(word.format(name) for word in PLACES[verb]))
    assert name in told
    assert f"it is {OTHERS[name][1]}" in told
    assert what_it_is(place / name) == f"it is {OTHERS[name][1]}"


@pytest.mark.parametrize("name", ["z.zip", "t.tar", "d.pdf", "v.mp4"])
def test_good_pictures_that_are_none(place: Path, name: str) -> None:
    kind, _, remedy = OTHERS[name][1].partition(" (")
    told = said("calibrate", name, "--fpr", "0.2", "--output", "line.json")
    assert f"{name}: it is {kind}, not an image that can be read; {remedy.rstrip(')')}" in told
    assert "normal image" not in told
    mixed = said("calibrate", name, "good/a.png", "--fpr", "0.2", "--output", "line.json")
    assert f"{name}: it is {kind}" in mixed
    assert "1 normal image cannot support" in mixed, "the other is no picture"
    pytest.importorskip("cv2")
    if name != "v.mp4":
        assert f"cannot be opened as a video; it is {kind}" in said("watch", name, "--output", "out", "--once")


def test_archives_in_folders_are_told(place: Path) -> None:
    folder = place / "packed"
    folder.mkdir()
    (folder / "z.zip").write_bytes(_archive())
    (folder / "without").write_bytes(_archive())
    line = "2 archives were passed over (.zip ZIP archive): unpack them to have pictures from there"
    for words in (["detect", "packed"], ["calibrate", "packed", "--fpr", "0.2"], ["data", "check", "packed"]):
        assert line in said(*words)
    passed = PassedOver()
    assert len(list(iter_inputs(["packed"], passed=passed))) == 1
    assert passed.record() == {"archives": {".zip": 1, "ZIP archive": 1}}
    assert PassedOver.recorded(passed.record()) == passed
