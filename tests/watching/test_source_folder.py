"""What counts as new, complete, rewritten, gone: with a clock in the test's hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.watching.watched import Clock, _png, _score

from anomalyclip.errors import ImageReadError
from anomalyclip.watching import source_folder, whole
from anomalyclip.watching.arrival import FileMark
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.settling import EMPTY_PATIENCE, ONCE_PATIENCE, Stat
from anomalyclip.watching.source_folder import FolderOptions, FolderSource


def test_files_arrive_once_and_oldest_first(source: FolderSource, folder: Path, journal: Journal, clock: Clock) -> None:
    for i, name in enumerate(["b.png", "a.png", "c.jpg"]):
        os.utime(_png(folder / name), ns=(0, 10**9 * (i + 1)))
    for name in ("notes.txt", ".hidden.png", "part.png.tmp"):
        (folder / name).write_bytes(b"x")
    _png(folder / "sub" / "d.png")
    assert source.arrivals() == []
    clock.now += 0.9
    assert source.arrivals() == []
    clock.now += 0.1
    assert _score(source, journal) == ["b.png", "a.png", "c.jpg"]
    clock.now += 100
    assert source.arrivals() == []
    again = FolderSource(str(folder), journal, FolderOptions(settle=1.0), clock)
    assert again.arrivals() == []
    clock.now += 100
    assert again.arrivals() == [], "the journal knows them"


def test_a_file_that_grows_waits_until_it_is_left_alone(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    data = _png(folder / "whole.png").read_bytes()
    (folder / "whole.png").unlink()
    for end in (0, 10, 20, len(data)):
        (folder / "a.png").write_bytes(data[:end])
        for _ in range(3):
            assert source.arrivals() == []
            clock.now += 0.3
    clock.now += 1
    assert _score(source, journal) == ["a.png"]


def test_an_empty_file_waits_longer_then_fails(source: FolderSource, folder: Path, clock: Clock) -> None:
    (folder / "a.png").touch()
    source.arrivals()
    clock.now += EMPTY_PATIENCE - 0.1
    assert source.arrivals() == []
    clock.now += 0.1
    (item,) = source.arrivals()
    with pytest.raises(ImageReadError, match="0 bytes"):
        source.read(item)
    assert source.settle(item) is not None
    clock.now += 100
    assert source.arrivals() == []


def test_renamed_into_place_needs_no_waiting(folder: Path, journal: Journal, clock: Clock) -> None:
    source = FolderSource(str(folder), journal, FolderOptions(settle=0), clock)
    _png(folder / "a.png")
    assert _score(source, journal) == ["a.png"]


def test_rewritten_files_arrive_again_only_with_another_content(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    path = _png(folder / "a.png")

    def after_a_while() -> list[str]:
        source.arrivals()
        clock.now += 2
        return _score(source, journal)

    assert after_a_while() == ["a.png"]
    os.utime(path)
    assert after_a_while() == [], "touched"
    path.write_bytes(path.read_bytes())
    assert after_a_while() == [], "copied again"
    assert _fresh(folder, journal, clock) == [], "another watcher sees nothing new either"
    _png(path, grey=200)
    assert after_a_while() == ["a.png"]
    path.unlink()
    assert after_a_while() == []
    _png(path, grey=200)
    assert after_a_while() == [], "it went and came back as it was"


def test_another_file_of_the_same_size_and_date_arrives(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    """As a copy leaves it that keeps dates, put in place by a rename or written over."""
    paths = [folder / name for name in ("renamed.bmp", "written.bmp")]

    def paint(grey: int) -> None:
        for path in paths:
            Image.new("RGB", (8, 6), (grey,) * 3).save(folder / "part.tmp", "BMP")
            if "renamed" in path.name:
                (folder / "part.tmp").replace(path)
            else:
                path.write_bytes((folder / "part.tmp").read_bytes())
            os.utime(path, ns=(10**18, 10**18))

    for grey in (10, 20):
        paint(grey)
        source.arrivals()
        clock.now += 2
        assert _score(source, journal) == ["renamed.bmp", "written.bmp"], grey
        source.arrivals()
        clock.now += 2
    source.arrivals()
    source.close()
    paint(30)
    assert len(_fresh(folder, journal, clock)) == 2, "changed while nobody looked"


@pytest.mark.parametrize("grain", [0.02, 2.0])
def test_a_change_within_the_clocks_grain_arrives(
    folder: Path, journal: Journal, clock: Clock, monkeypatch: pytest.MonkeyPatch, grain: float
) -> None:
    """A file that is scored sooner than its times can tell the next version is compared by content later."""
    second = 10**9
    same = Stat(1, second * 5, second * 5 + (7 if grain < 1 else 0))
    monkeypatch.setattr(whole, "stat_of", lambda status: same._replace(size=status.st_size))
    path = folder / "a.bmp"
    Image.new("RGB", (8, 6), (10,) * 3).save(path)
    source = FolderSource(str(folder), journal, FolderOptions(settle=0), clock)
    assert _score(source, journal) == ["a.bmp"]
    clock.now += grain / 2
    assert _score(source, journal) == [], "nothing came"
    Image.new("RGB", (8, 6), (20,) * 3).save(path)
    assert len(_fresh(folder, journal, clock)) == 1, "another watcher sees it"
    clock.now += grain / 2
    assert _score(source, journal) == ["a.bmp"]
    for _ in range(3):
        clock.now += grain
        assert _score(source, journal) == []
    reads: list[object] = []
    monkeypatch.setattr(source_folder, "open_regular", reads.append)
    clock.now += grain
    assert _score(source, journal) == []
    assert not reads, "its times tell it apart now: it is not read again"


def _fresh(folder: Path, journal: Journal, clock: Clock) -> list[Any]:
    source = FolderSource(str(folder), journal, FolderOptions(settle=0), clock)
    return source.arrivals()


def test_a_file_that_changes_under_the_reader_comes_again_without_a_row(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    path = _png(folder / "a.png")
    source.arrivals()
    clock.now += 1
    (item,) = source.arrivals()
    _png(path, grey=7)
    with pytest.raises(ImageReadError, match="still being written"):
        source.read(item)
    assert source.settle(item) is None
    assert source.arrivals() == []
    clock.now += 1
    assert _score(source, journal) == ["a.png"]


def test_gone_before_it_settled_is_forgotten_and_after_is_told(
    source: FolderSource, folder: Path, journal: Journal, clock: Clock
) -> None:
    for name in ("early.png", "late.png"):
        _png(folder / name)
    source.arrivals()
    (folder / "early.png").unlink()
    clock.now += 1
    (item,) = source.arrivals()
    stat = (folder / "late.png").stat()
    (folder / "late.png").rename(folder / "away")
    with pytest.raises(ImageReadError, match="vanished"):
        source.read(item)
    mark = source.settle(item)
    assert mark is not None
    journal.record(mark, b"{}\n", [], 0.0)
    assert source.arrivals() == []
    (folder / "away").rename(folder / "late.png")
    assert (folder / "late.png").stat().st_mtime_ns == stat.st_mtime_ns
    source.arrivals()
    clock.now += 1
    assert _score(source, journal) == ["late.png"], "it came back, and it was never scored"


@pytest.mark.parametrize(("code", "tries"), [(errno.EACCES, 5), (errno.EISDIR, 1)])
def test_unreadable_files_are_tried_again_where_it_may_pass_and_then_fail_once(
    source: FolderSource, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, code: int, tries: int
) -> None:
    _png(folder / "a.png")

    def refuse(*args: object, **more: object) -> None:
        raise OSError(code, os.strerror(code))

    # Permissions do not bind root, under whom tests may run.
    monkeypatch.setattr(whole, "open_regular", refuse)
    marks: list[FileMark | None] = []
    source.arrivals()
    for _ in range(100):
        clock.now += 1
        for item in source.arrivals():
            with pytest.raises(ImageReadError, match=os.strerror(code)):
                source.read(item)
            marks.append(source.settle(item))
    assert [mark is not None for mark in marks] == [False] * (tries - 1) + [True]


def test_once_does_not_wait_for_ever_for_a_file_that_grows(folder: Path, journal: Journal, clock: Clock) -> None:
    """It is left to the next watch; without `once` it is waited for, however long."""
    once, on = (
        FolderSource(str(folder), journal, FolderOptions(settle=1.0, once=once), clock) for once in (True, False)
    )
    growing, begun = _png(folder / "growing.png"), clock.now
    _png(folder / "whole.png")
    while not once.finished:
        assert clock.now - begun <= ONCE_PATIENCE
        with growing.open("ab") as file:
            file.write(b"more")
        assert "growing.png" not in _score(once, journal)
        on.arrivals()
        clock.now += 0.5
    assert clock.now - begun > ONCE_PATIENCE
    assert once.still_written == [str(growing)]
    assert once.arrivals() == []
    assert not on.still_written
    clock.now += 1.0
    assert _score(on, journal) == ["growing.png"]


def test_once_takes_what_is_there_and_waits_for_it_to_be_whole(folder: Path, journal: Journal, clock: Clock) -> None:
    source = FolderSource(str(folder), journal, FolderOptions(settle=1.0, once=True), clock)
    assert not source.finished
    _png(folder / "a.png")
    source.arrivals()
    assert not source.finished
    _png(folder / "later.png")
    clock.now += 1
    assert _score(source, journal) == ["a.png"]
    assert source.finished
