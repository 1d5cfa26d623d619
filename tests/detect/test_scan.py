"""Folder scans: told by content where the suffix says nothing; what is passed over is counted."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.detect import OutputFolder, Provenance, iter_inputs, survey_inputs, write_report
from anomalyclip.errors import InputError
from anomalyclip.io.scanning import PassedOver

JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 64
HEIC = b"\0\0\0\x18ftypheic" + b"\0" * 64
DICOM = b"\0" * 128 + b"DICM" + b"\0" * 64


def encoded(fmt: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), (9, 99, 199)).save(buffer, fmt)
    return buffer.getvalue()


def scanned(folder: Path, **options: bool) -> tuple[list[str], PassedOver]:
    passed = PassedOver()
    found = [os.path.relpath(item.path, folder) for item in iter_inputs([str(folder)], passed=passed, **options)]
    return found, passed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("IM000001", DICOM),
        ("IM000002.IMA", DICOM),
        ("1.2.840.113619.2.5", DICOM),
        ("noSuffix", encoded("PNG")),
        ("photo.JPEG_LARGE", encoded("JPEG")),
        ("scan.dat", encoded("TIFF")),
        ("shot.png~", encoded("PNG")),
        ("IMG_0001.HEIC", encoded("JPEG")),  # what some phones and messengers make of it
        ("UPPER.PNG", encoded("PNG")),
        ("wrong.jpg", encoded("PNG")),
    ],
)
def test_pictures_are_found_whatever_they_are_called(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found, passed = scanned(tmp_path)
    assert found == [name]
    assert not passed.record()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.psd", b"8BPS\0\1" + b"\0" * 64, ".psd"),
        ("a.jxl", b"\xff\x0a" + b"\0" * 64, ".jxl"),
        ("IMG", b"\xff\x0a" + b"\0" * 64, "JPEG XL"),
        ("a.CR2", encoded("TIFF"), ".cr2"),  # a preview, never the photograph
        ("a.svg", b"<svg/>", ".svg"),
        ("a.pdf", b"%PDF-1.7", ".pdf"),
        ("empty.exr", b"", ".exr"),
    ],
)
def test_pictures_that_cannot_be_read_are_counted(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "b.png").write_bytes(encoded("PNG"))
    found, passed = scanned(tmp_path)
    assert found == ["b.png"]
    assert passed.record() == {"pictures": {told: 1}}
    assert f"1 picture of kinds that cannot be read here was passed over ({told})" in "".join(passed.lines())


@pytest.mark.parametrize("name", ["notes.txt", "labels.csv", "DICOMDIR", "Makefile", "unknown.xyz", "README"])
def test_other_files_need_no_word(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DICOM if name == "DICOMDIR" else b"some words")
    found, passed = scanned(tmp_path)
    assert len(found) == 1, "the folder itself, with a problem"
    assert passed.record() == {"other_files": 1}
    assert not list(passed.lines())


def test_what_gdal_keeps_beside_a_picture_is_none(tmp_path: Path) -> None:
    for name in ("a.tif", "a.tif.ovr", "a.tif.msk", "b.ovr"):
        (tmp_path / name).write_bytes(encoded("TIFF"))
    found, passed = scanned(tmp_path)
    assert found == ["a.tif", "b.ovr"]
    assert passed.record() == {"other_files": 2}


def test_videos_and_subfolders_are_told(tmp_path: Path) -> None:
    for name in ("a.png", "film.MP4", "sub/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    found, passed = scanned(tmp_path)
    assert found == ["a.png"]
    assert passed.record() == {"videos": {".mp4": 1}, "subfolders": 1}
    assert [line.split(":")[0] for line in passed.lines()] == [
        "1 video was passed over (.mp4)",
        "1 subfolder was passed over",
    ]
    assert scanned(tmp_path, recursive=True)[0] == ["a.png", "sub/b.png"]


def test_an_entry_that_cannot_be_read_has_its_own_row_and_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "sub/z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    for folder in (tmp_path, tmp_path / "sub"):
        (folder / "self.png").symlink_to("self.png")
        (folder / "loop").symlink_to("loop")
        (folder / "dangling.png").symlink_to("/nowhere/x.png")
        (folder / "long.png").symlink_to("x" * 255 + "/" + "y" * 300)
        os.mkfifo(folder / "pipe.png")
    monkeypatch.chdir(tmp_path)  # a socket's name may have 107 bytes
    with socket.socket(socket.AF_UNIX) as here:
        here.bind("sock.png")
    (tmp_path / "notes.txt").symlink_to("notes.txt")
    found, _ = scanned(tmp_path, recursive=True)
    odd = ["dangling.png", "long.png", "loop", "pipe.png", "self.png"]
    assert found == [*sorted(["a.png", *odd, "sock.png"]), *(f"sub/{name}" for name in [*odd, "z.png"])]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_folder_is_a_row(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o000)
    (tmp_path / "z.png").write_bytes(encoded("PNG"))
    assert scanned(tmp_path, recursive=True)[0] == ["shut", "z.png"]
    (tmp_path / "shut").chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shut/a.png", "z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    items = list(iter_inputs([str(tmp_path)], recursive=True))
    assert [Path(item.path).name for item in items] == ["shut", "z.png"]
    assert items[0].problem == "cannot list this folder: Permission denied"


def test_no_depth_is_too_much(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1200):
        deep = deep / "d"
    folder = os.open(tmp_path, os.O_RDONLY)
    try:  # such a path is too long to be made at one go
        for _ in range(1200):
            os.mkdir("d", dir_fd=folder)
            inner = os.open("d", os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = inner
        with os.fdopen(os.open("x.png", os.O_CREAT | os.O_WRONLY, dir_fd=folder), "wb") as file:
            file.write(encoded("PNG"))
    finally:
        os.close(folder)
    assert [item.path for item in iter_inputs([str(tmp_path)], recursive=True)] == [str(deep / "x.png")]
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # shutil recurses


def test_names_linked_to_one_blob_are_rows_of_their_own(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / "0123abcd"
    blob.parent.mkdir()
    blob.write_bytes(encoded("PNG"))
    (tmp_path / "refs").mkdir()
    snapshot = tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (snapshot / name).symlink_to("../../blobs/0123abcd")
    assert scanned(snapshot)[0] == ["a.png", "b.png"]
    assert scanned(tmp_path, recursive=True)[0] == ["snapshots/main/a.png", "snapshots/main/b.png"]


def test_a_refusal_says_what_was_found(tmp_path: Path) -> None:
    for name in ("x/a.png", "y/b.png", "y/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded("PNG"))
    (tmp_path / "d.psd").write_bytes(b"8BPS")
    with pytest.raises(InputError, match=r"2 images lie one level deeper: add --recursive") as caught:
        survey_inputs([str(tmp_path)])
    assert "1 picture of kinds that cannot be read here was passed over (.psd)" in str(caught.value)


def test_what_was_passed_over_stands_in_the_folder_and_may_change(
    tmp_path: Path, provenance: Provenance, result_of: Callable[..., object]
) -> None:
    passed = PassedOver()
    passed.pictures[".heic"] = 2
    with OutputFolder(tmp_path / "out") as folder:
        folder.begin(provenance, files={}, cwd=None, passed_over=passed.record())
        folder.append(result_of("a.png"))  # type: ignore[arg-type]
        assert "2 pictures of kinds" in write_report(folder.path, folder.key_of).read_text()
    passed.pictures[".heic"] = 3
    with OutputFolder(tmp_path / "out", "resume") as folder:
        folder.begin(provenance, files={}, cwd=None, passed_over=passed.record())
        assert folder.done_count == 1
    assert json.loads((tmp_path / "out/run.json").read_text())["passed_over"] == {"pictures": {".heic": 3}}
