"""Which files are being read right now, in a file that outlives the process: what killed two of them is not read again.

A note is one small write before a file is opened and one after, into the place of the thread that reads. There is no
fsync: what a process wrote is in the system's cache, which a kill or a crash of the process does not lose; a power cut
may, but it is no file's fault. At the next start a note that was not taken back is a death at that file.

Of the files that several threads were reading only one is to blame. So one that has seen a death is read alone the next
time: what dies then is its own. One that is read, or refused in the usual way, is cleared.

A process may also be killed from outside, again and again, and no file is to blame then. So a suspect is decoded in a
process of its own where that can be had (`suspected`, `elsewhere`): while it is, only that process's death counts.
"""

# os.path and os.stat take names with undecodable bytes as they are.
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from anomalyclip.errors import ImageReadError
from anomalyclip.io.atomic import output_error, write_bytes
from anomalyclip.io.names import StrPath, printable

MOST_DEATHS = 2
NAME = "attempts.txt"
_WIDTH = 96  # bytes of a line, so that each has its place


@dataclass(frozen=True)
class _Note:
    """A version of a file, and how many processes ended while they were reading it. size: bytes; mtime: ns."""

    key: bytes
    size: int
    mtime: int
    deaths: int = 0

    @classmethod
    def of(cls, path: StrPath) -> _Note | None:
        """None for what is no file."""
        try:
            status = os.stat(path)
            name = os.path.abspath(os.fsencode(path))
        except (OSError, ValueError):
            return None
        return cls(blake2b(name, digest_size=16).digest(), status.st_size, status.st_mtime_ns)

    @classmethod
    def parsed(cls, line: bytes) -> _Note | None:
        """None for an empty place, and for a line that is not ours."""
        try:
            key, *numbers = line.split()
            return cls(bytes.fromhex(key.decode("ascii")), *map(int, numbers))
        except (ValueError, TypeError):
            return None

    def line(self, deaths: int) -> bytes:
        return f"{self.key.hex()} {self.size} {self.mtime} {deaths}".encode().ljust(_WIDTH - 1) + b"\n"

    def same_file(self, other: _Note) -> bool:
        return (self.size, self.mtime) == (other.size, other.mtime)


@dataclass
class _Mine:
    """What a thread reads. deaths: that were before. blamed: whether the end of the process counts as one more."""

    place: int
    note: _Note
    deaths: int
    blamed: bool = True


class Attempts:
    """The notes of one run in the file `path`; safe in several threads. Raises OutputError where it cannot be written.

    One process at a time: whoever makes it holds the lock of the folder. apart: whether suspects are decoded in a
    process of their own.
    """

    def __init__(self, path: Path, *, apart: bool = True) -> None:
        self.path, self.apart = path, apart
        self._earlier = {note.key: (place, note) for place, note in enumerate(_left_in(path))}
        write_bytes(path, b"".join(note.line(note.deaths) for _, note in self._earlier.values()))
        try:
            self._file = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise output_error(path, error) from error
        self._places, self._free = len(self._earlier), list[int]()
        self._turn = threading.Condition()
        self._reading, self._alone = 0, False
        self._own = threading.local()

    @contextmanager
    def reading(self, path: StrPath) -> Iterator[None]:
        """Around all that is done with an untrusted file. Raises ImageReadError for one that two processes died of."""
        from anomalyclip.io.isolation import DecoderDied

        if self._mine() is not None:
            with self._here():
                yield
            return
        note = _Note.of(path)
        if note is None:
            yield
            return
        deaths = self._deaths(note)
        if deaths >= MOST_DEATHS:
            raise ImageReadError(
                f"{printable(path)}: the process ended {deaths} times while it was reading this file, so it is left "
                f"out; save it again, or delete {printable(self.path)} to try it as it is"
            )
        with self._entered(alone=deaths > 0):
            place = self._taken(note.key)
            self._write(place, note.line(deaths + 1))
            self._own.mine = _Mine(place, note, deaths)
            try:
                yield
            except DecoderDied:
                if deaths:  # it killed a process of ours, and now one that was there for it
                    self._earlier[note.key] = place, replace(note, deaths=deaths + 1)
                    self._write(place, note.line(deaths + 1))
                raise
            finally:
                self._own.mine = None
                if note.key not in self._earlier:
                    self._write(place, b" " * (_WIDTH - 1) + b"\n")
                    self._give_back(place)

    def suspected(self, path: StrPath) -> bool:
        """Whether a process has died while it was reading this file, in an earlier run."""
        if (own := self._mine()) is not None:
            return own.deaths > 0
        note = _Note.of(path)
        return note is not None and self._deaths(note) > 0

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """While another process decodes what this thread reads. Should this one end meanwhile, or later on with pixels
        that it was given, the file is not to blame."""
        if (own := self._mine()) is not None:
            self._write(own.place, own.note.line(own.deaths))
            own.blamed = False
        yield

    @contextmanager
    def _here(self) -> Iterator[None]:
        """While this process decodes one more file that belongs to what this thread reads."""
        own = self._mine()
        if own is None or own.blamed:
            yield
            return
        self._write(own.place, own.note.line(own.deaths + 1))
        try:
            yield
        finally:
            self._write(own.place, own.note.line(own.deaths))

    def _mine(self) -> _Mine | None:
        """What this thread reads now."""
        found: _Mine | None = getattr(self._own, "mine", None)
        return found

    def close(self) -> None:
        """The file goes unless it says something for the next run."""
        os.close(self._file)
        if not self._earlier:
            with suppress(OSError):
                self.path.unlink()

    @contextmanager
    def _entered(self, *, alone: bool) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: not (self._alone or (alone and self._reading)))
            self._reading, self._alone = self._reading + 1, alone
        try:
            yield
        finally:
            with self._turn:
                self._reading, self._alone = self._reading - 1, False
                self._turn.notify_all()

    def _deaths(self, note: _Note) -> int:
        _, before = self._earlier.get(note.key, (0, note))
        return before.deaths if before.same_file(note) else 0

    def _taken(self, key: bytes) -> int:
        """The place of the note that a run before left of this file, else one that is free."""
        with self._turn:
            place, _ = self._earlier.pop(key, (None, None))
            if place is not None:
                return place
            if self._free:
                return self._free.pop()
            self._places += 1
            return self._places - 1

    def _give_back(self, place: int) -> None:
        with self._turn:
            self._free.append(place)

    def _write(self, place: int, line: bytes) -> None:
        with suppress(OSError), self._turn:  # a full disk: reading goes on without the note
            os.lseek(self._file, place * _WIDTH, os.SEEK_SET)
            os.write(self._file, line)


_current: Attempts | None = None


@contextmanager
def noted_in(path: Path | None, *, apart: bool = True) -> Iterator[None]:
    """Note every file that is read in this process meanwhile in `path`; None notes nothing. Raises OutputError.

    apart: see `Attempts`.
    """
    global _current
    if path is None:
        yield
        return
    before, _current = _current, Attempts(path, apart=apart)
    try:
        yield
    finally:
        _current.close()
        _current = before


@contextmanager
def reading(path: StrPath) -> Iterator[None]:
    """`Attempts.reading` of the notes that are kept now, if any are."""
    if _current is None:
        yield
        return
    with _current.reading(path):
        yield


def suspected(path: StrPath) -> bool:
    """`Attempts.suspected` of the notes that are kept now, if any are."""
    return _current is not None and _current.suspected(path)


def read_apart(path: StrPath) -> bool:
    """Whether `path` is to be decoded in a process of its own, whatever else is not."""
    return _current is not None and _current.apart and _current.suspected(path)


@contextmanager
def elsewhere() -> Iterator[None]:
    """`Attempts.elsewhere` of the notes that are kept now, if any are."""
    if _current is None:
        yield
        return
    with _current.elsewhere():
        yield


def _left_in(path: Path) -> list[_Note]:
    """What a run before left: of each file the note with the most deaths."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise output_error(path, error) from error
    found: dict[bytes, _Note] = {}
    for line in lines:
        note = _Note.parsed(line)
        if note is not None and note.deaths > 0 and (note.key not in found or note.deaths > found[note.key].deaths):
            found[note.key] = note
    return list(found.values())
