"""New images in a folder, found by listing it again and again.

Listing works on every system and on network shares, where change events are not sent at all, and events that overflow
need a listing anyway. It costs about 2 us per file, far less than a model.
"""

# os.path and scandir keep undecodable names and stay cheap in folders of a million files.
# ruff: noqa: PTH112, PTH119, PTH122

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.names import frame_key, path_key
from anomalyclip.errors import AnomalyClipError, ImageReadError, InputError
from anomalyclip.io.apart import Isolate
from anomalyclip.io.frames import frame_path, wanted
from anomalyclip.io.limits import DEFAULT_MAX_BYTES
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.regular import open_regular
from anomalyclip.io.scanning import Kind, Memo, PassedOver, scan
from anomalyclip.io.untrusted import Untrusted
from anomalyclip.watching.arrival import FileMark, FrameMark
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.settling import GONE, TRIES, Pending, Stat
from anomalyclip.watching.whole import StillWrittenError, UnreadableError, VanishedError, digest, read_whole, stats_at

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class FolderOptions:
    """recursive: subfolders too. settle: seconds without a change after which a file counts as complete.

    once: only what is there at the first look. reading: how images are read. leave_out: a folder of our own.
    frames: pictures taken of a file of several; None is all up to the limit of `anomalyclip.io.frames`.
    isolate: which files are decoded in processes that can be ended, see `anomalyclip.io.untrusted`; workers: how many.
    """

    recursive: bool = False
    settle: float = 1.0
    once: bool = False
    reading: Reading = field(default_factory=Reading)
    leave_out: str | None = None
    frames: int | None = None
    isolate: Isolate = "off"
    workers: int = 2


@dataclass(frozen=True)
class _Arrival:
    """An arrival under way. digest: of what was read of it. sure: whether every later change has other times."""

    stat: Stat
    digest: bytes | None = None
    sure: bool = True


@dataclass(frozen=True)
class _Several:
    """A file of several pictures under way. key: the file's; version: the key of this version of it; last: picture."""

    key: bytes
    version: bytes
    last: int


class FolderSource:
    """A `Source` over the image files of a folder; a file arrives when it stopped changing.

    A file that is rewritten arrives again, unless its content is what was scored. One that vanishes before it settled
    is forgotten; one that vanishes after gets a row with the reason. `clock` gives monotonic seconds.
    """

    def __init__(
        self, folder: str, journal: Journal, options: FolderOptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not os.path.isdir(folder):
            raise InputError(f"{printable(folder)} is not a folder; watch takes a folder, a video file or a camera")
        self.label = printable(folder)
        self._folder, self._journal, self._options, self._clock = folder, journal, options, clock
        self._files = Untrusted(options.isolate, options.workers)
        self.passed_over = PassedOver()
        """What the last look saw and is no arrival, by kind."""
        self.still_written: list[str] = []
        """Files that went on changing, of a watch that was to end; the next one takes them."""
        self._told: Memo = {}
        self._known: dict[str, Stat] = {}  # done, in this run or an earlier one
        self._pending: dict[str, Pending] = {}
        self._read: dict[bytes, _Arrival] = {}
        self._several: dict[str, _Several] = {}
        self._later: set[bytes] = set()
        self._guard = threading.Lock()
        self._first = True

    @property
    def finished(self) -> bool:
        return self._options.once and not self._first and not self._pending

    def arrivals(self) -> list[InputItem]:
        """Look once. Raises InputError where the folder can never be listed; a folder that is away holds nothing."""
        seen = dict(self._scan(self._folder))
        now = self._clock()
        for path in self._pending.keys() - seen.keys():
            del self._pending[path]
        for path in self._known.keys() - seen.keys():
            del self._known[path]  # the journal still knows it
        for path, stat in seen.items():
            if self._known.get(path) != stat and (self._first or not self._options.once or path in self._pending):
                self._notice(path, stat, now)
        self._first = False
        settle, waiting = self._options.settle, dict(self._pending)
        settled = [path for path, pending in waiting.items() if pending.settled(settle, now)]
        for path in waiting.keys() - settled if self._options.once else ():
            if waiting[path].endless(settle, now):
                self.still_written.append(path)
                del self._pending[path]
        settled.sort(key=lambda path: (seen[path].mtime_ns, path))
        arrived = [item for path in settled if (item := self._arrive(path, seen[path])) is not None]
        return [picture for item in arrived for picture in self._pictures(item, seen[item.path])]

    def read(self, item: InputItem) -> Image:
        stat = self._read[item.key].stat
        how = self._options.reading
        if stat.size > DEFAULT_MAX_BYTES:
            return self._files.read(item.file, path=item.file)  # refuses it without reading
        if item.frame is not None and item.frame != self._several[item.file].last:
            image = self._files.read(item.file, path=item.file, frame=item.frame, **how.keywords())
            self._refuse_changed(item, stat)
            return how.agreed(image, item.path)
        sure = self._pending[item.file].told_apart(self._clock())
        data = self._bytes(item)
        self._note(item, _Arrival(stat, digest(data), sure))
        return how.agreed(self._files.read(data, path=item.file, frame=item.frame, **how.keywords()), item.path)

    def settle(self, item: InputItem) -> FileMark | FrameMark | None:
        with self._guard:
            read = self._read.pop(item.key)
            later = item.key in self._later
            self._later.discard(item.key)
        path, key, several = item.file, item.key, self._several.get(item.file)
        if several is not None:
            if item.frame is not None and item.frame < several.last:
                return None if later else FrameMark(several.version, item.frame + 1)
            del self._several[path]
            self._read.pop(several.key, None)
            key = several.key
        if later:
            return None
        self._pending.pop(path, None)
        if not read.sure:  # looked at again
            return FileMark(key, read.stat.doubted(), read.digest)
        self._known[path] = read.stat
        return FileMark(key, read.stat, read.digest)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        stop.wait(seconds)

    def close(self) -> None:
        """End the processes that decode."""
        self._files.close()

    def _scan(self, folder: str) -> Iterator[tuple[str, Stat]]:
        entered: set[str] = set()
        stack = [folder]
        self.passed_over = PassedOver()
        while stack:
            here = stack.pop()
            real = os.path.realpath(here)
            if real in entered or real == self._options.leave_out:  # a link that leads back up, or our own output
                continue
            entered.add(real)
            try:
                entries = scan(here, self._told)
            except PermissionError:
                if here != folder:  # told in a row of its own
                    yield from stats_at(here)
                continue
            except OSError:  # a folder that is away: the next look will tell
                continue
            for entry in entries:
                if entry.kind is Kind.PICTURE:
                    yield from stats_at(entry.path)
                elif entry.kind is Kind.FOLDER and self._options.recursive:
                    stack.append(entry.path)
                elif os.path.realpath(entry.path) != self._options.leave_out:
                    self.passed_over.add(entry)

    def _notice(self, path: str, stat: Stat, now: float) -> None:
        pending = self._pending.get(path)
        if pending is None:
            self._pending[path] = Pending(stat, now, now)
        elif pending.stat != stat:
            pending.stat, pending.since = stat, now

    def _arrive(self, path: str, stat: Stat) -> InputItem | None:
        """An item for a settled file that the journal does not know; None for one that it does."""
        key = path_key(path)
        mark = self._journal.file(key)
        sure = self._pending[path].told_apart(self._clock())  # before it is read
        if mark is not None and (mark.stat == stat or self._same(path, mark)):
            if mark.stat != stat:
                if not sure:  # one more look
                    return None
                self._journal.remember(FileMark(key, stat, mark.digest))
            self._known[path] = stat
            del self._pending[path]
            return None
        if key in self._read:  # another name of a file that is under way
            return None
        self._read[key] = _Arrival(stat)
        return InputItem(path, os.path.splitext(os.path.basename(path))[0], key)

    def _pictures(self, item: InputItem, stat: Stat) -> list[InputItem]:
        """The pictures of an arrival: itself, or those of a file of several that an earlier watch has not scored."""
        try:
            number = 1 if stat.size > DEFAULT_MAX_BYTES else self._options.reading.count(item.path)
        except AnomalyClipError:  # reading it will say why, in its row
            number = 1
        if number == 1:
            return [item]
        version = blake2b(b"%s %d %d %d" % (item.key, *stat), digest_size=16).digest()
        taken, told = wanted(number, self._options.frames)
        start = min(self._journal.following(version), taken - 1 if told is None else taken)
        found = [
            InputItem(frame_path(item.path, frame), f"{item.name}-{frame:06d}", frame_key(item.key, frame), frame=frame)
            for frame in range(start, taken)
        ]
        if told is not None:
            found.append(InputItem(item.path, item.name, frame_key(item.key, taken), told))
        self._several[item.path] = _Several(item.key, version, taken - 1 if told is None else taken)
        for picture in found:
            self._read[picture.key] = _Arrival(stat)
        return found

    def _refuse_changed(self, item: InputItem, stat: Stat) -> None:
        """Raises ImageReadError where the file is no longer the one that arrived; it will come again."""
        if next(stats_at(item.file), (item.file, GONE))[1] != stat:
            self._come_again(item)
            raise ImageReadError("the file changed while its pictures were read")

    def _same(self, path: str, mark: FileMark) -> bool:
        """Whether a file that was touched or written again holds what was scored."""
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size != mark.stat.size or size > DEFAULT_MAX_BYTES:  # too large to be scored, then as now: not read
                    return size == mark.stat.size
                return digest(file.read(size + 1)) == mark.digest
        except OSError:
            return False

    def _bytes(self, item: InputItem) -> bytes:
        """The whole content of an arrival. Raises ImageReadError; notes who is to come again later."""
        expected = self._read[item.key].stat
        try:
            return read_whole(item.file, expected)
        except StillWrittenError:
            self._come_again(item)
            raise
        except VanishedError:
            self._note(item, _Arrival(GONE))
            raise
        except UnreadableError as error:
            pending = self._pending[item.file]
            pending.tries, pending.since = pending.tries + 1, self._clock()
            replaced = next(stats_at(item.file), (item.file, GONE))[1] != expected  # its next version has its own row
            if replaced or (error.passing and pending.tries < TRIES):
                self._come_again(item)
            raise

    def _note(self, item: InputItem, read: _Arrival) -> None:
        with self._guard:
            self._read[item.key] = read

    def _come_again(self, item: InputItem) -> None:
        with self._guard:
            self._later.add(item.key)
