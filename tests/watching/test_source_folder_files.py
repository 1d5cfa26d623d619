"""What lies in a watched folder: odd entries, links, stacks of pictures."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.watching.watched import Clock, _png, _score

from anomalyclip.errors import ImageReadError, InputError
from anomalyclip.io.reading import Reading
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_folder import FolderOptions, FolderSource


def test_subfolders_links_and_our_own_output(folder: Path, journal: Journal, clock: Clock) -> None:
    _png(folder / "a.png")
    _png(folder / "sub" / "b.png")
    _png(folder / "out" / "evidence" / "x" / "image.png")
    try:
        (folder / "again.png").symlink_to(folder / "a.png")
        (folder / "sub" / "up").symlink_to(folder)
    except OSError:
        pytest.skip("no links here")
    options = FolderOptions(recursive=True, settle=0, leave_out=os.path.realpath(folder / "out"))
    source = FolderSource(str(folder), journal, options, clock)
    assert sorted(_score(source, journal)) == ["a.png", "again.png", "b.png"], "a link's name is a name of its own"
    assert source.arrivals() == []


def test_undecodable_names(folder: Path, journal: Journal, clock: Clock) -> None:
    source = FolderSource(str(folder), journal, FolderOptions(settle=0), clock)
    try:
        _png(folder / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes no such names")
    assert _score(source, journal) == [os.fsdecode(b"caf\xe9.png")]


def test_a_folder_that_is_away_for_a_moment_changes_nothing(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    _png(folder / "a.png")
    source.arrivals()
    clock.now += 1
    assert _score(source, journal) == ["a.png"]
    folder.rename(folder.with_name("unmounted"))
    assert source.arrivals() == []
    folder.with_name("unmounted").rename(folder)
    source.arrivals()
    clock.now += 1
    assert source.arrivals() == []


def test_a_missing_folder_is_refused(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        FolderSource(str(tmp_path / "nothing"), journal, FolderOptions())


def test_images_are_read_as_anywhere_else(folder: Path, journal: Journal, clock: Clock) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    options = FolderOptions(settle=0, reading=Reading(max_pixels=12 * 9))
    (item,) = (source := FolderSource(str(folder), journal, options, clock)).arrivals()
    assert np.array_equal(source.read(item), pixels)
    Image.fromarray(np.zeros((12, 10, 3), np.uint8)).save(folder / "b.png")
    mark = source.settle(item)
    assert mark is not None
    journal.remember(mark)
    (item,) = source.arrivals()
    with pytest.raises(ImageReadError, match="megapixels"):
        source.read(item)


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="bytes that were read are told on Linux")
def test_a_touched_file_of_gigabytes_is_not_read_whole(folder: Path, journal: Journal, clock: Clock) -> None:
    def read_so_far() -> int:
        return int(Path("/proc/self/io").read_text("ascii").split()[1])

    path, before = _png(folder / "a.png"), read_so_far()
    os.truncate(path, 3 << 30)  # sparse: no space used
    for touched in (False, True):
        if touched:
            os.utime(path, ns=(1, 1))
        source = FolderSource(str(folder), journal, FolderOptions(settle=0), clock)
        arrived = source.arrivals()
        assert len(arrived) == (not touched), "it has its row, and is what it was"
        for item in arrived:
            with pytest.raises(ImageReadError, match=r"bytes"):
                source.read(item)
            mark = source.settle(item)
            assert mark is not None
            journal.record(mark, b"{}\n", [], 0.0)
    assert read_so_far() - before < 50 << 20


def test_pictures_are_told_by_content_and_odd_entries_hide_no_folder(
    folder: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FolderSource(str(folder), journal, FolderOptions(settle=1.0, recursive=True), clock)
    _png(folder / "a.png").rename(folder / "IM000001")
    _png(folder / "sub/b.png")
    (folder / "notes").write_text("no picture")
    (folder / "a.psd").write_bytes(b"8BPS")
    (folder / "sub/self").symlink_to("self")
    (folder / "sub/away.png").symlink_to("/nowhere.png")
    os.mkfifo(folder / "sub/pipe.png")
    with socket.socket(socket.AF_UNIX) as talk, monkeypatch.context() as there:
        there.chdir(folder / "sub")
        talk.bind("socket.png")  # a socket's address has some hundred letters at most
    source.arrivals()
    assert source.passed_over.record() == {"pictures": {".psd": 1}, "other_files": 1}
    clock.now += 20  # also for a pipe, which is empty
    reasons = {}
    for item in source.arrivals():
        try:
            source.read(item)
            reasons[Path(item.path).name] = ""
        except ImageReadError as error:
            reasons[Path(item.path).name] = str(error)
        assert source.settle(item) is not None
    assert reasons.pop("IM000001") == reasons.pop("b.png") == ""
    assert {name: reason.split(";")[0] for name, reason in reasons.items()} == {
        "away.png": "it is a link to a file that is not there",
        "pipe.png": "it is a named pipe, not a regular file",
        "socket.png": "it is a socket, not a regular file",
        "self": "cannot read the file: Too many levels of symbolic links",
    }
    clock.now += 20
    assert source.arrivals() == [], "each has its row once"
    (folder / "notes").write_bytes(_png(folder / "sub/c.png", 7).read_bytes())  # a writer that had only begun
    source.arrivals()
    clock.now += 2
    assert _score(source, journal) == ["c.png", "notes"]


def test_a_forbidden_subfolder_is_told(
    folder: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FolderSource(str(folder), journal, FolderOptions(settle=1.0, recursive=True), clock)
    _png(folder / "shut/a.png"), _png(folder / "b.png")
    real = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    source.arrivals()
    clock.now += 2
    assert sorted(Path(item.path).name for item in source.arrivals()) == ["b.png", "shut"]


def _stack(path: Path, *levels: int) -> Path:
    pictures = [Image.new("L", (8, 6), level) for level in levels]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    return path


def test_every_picture_of_a_file_arrives_once_and_a_killed_watch_goes_on_between_them(
    folder: Path, journal: Journal, clock: Clock
) -> None:
    def watch() -> FolderSource:
        source = FolderSource(str(folder), journal, FolderOptions(settle=1.0), clock)
        assert source.arrivals() == []
        clock.now += 2
        return source

    path = _stack(folder / "a.tif", 10, 20, 30)
    source = watch()
    first, second, third = source.arrivals()
    assert [Path(item.path).name for item in (first, second, third)] == [f"a.tif#frame={n}" for n in range(3)]
    assert [np.asarray(source.read(item))[0, 0, 0] for item in (first, second, third)] == [10, 20, 30]
    mark = source.settle(first)
    assert mark is not None
    journal.record(mark, b"{}\n", [], 0.0)  # and here it is killed
    assert _score(watch(), journal) == ["a.tif#frame=1", "a.tif#frame=2"]
    clock.now += 100
    assert watch().arrivals() == [], "the journal knows the file"
    _stack(path, 10, 20)
    assert _score(watch(), journal) == ["a.tif#frame=0", "a.tif#frame=1"]


def test_a_file_that_changes_between_its_pictures_comes_again(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    path = _stack(folder / "a.tif", 10, 20, 30)
    source.arrivals()
    clock.now += 2
    items = source.arrivals()
    source.read(items[0])
    assert source.settle(items[0]) is not None
    os.utime(_stack(path, 1, 2, 3, 4), ns=(0, 10**9))
    for item in items[1:]:
        with pytest.raises(ImageReadError):
            source.read(item)
        assert source.settle(item) is None
    source.arrivals()
    clock.now += 2
    assert len(_score(source, journal)) == 4
