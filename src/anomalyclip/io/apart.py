"""Which files are decoded in processes that can be ended, for everything that this process reads meanwhile.

`with apart("auto"):` around a command; whatever decodes a file then asks `decoders_for`: pictures, masks, regions of
interest, wherever they are read. `auto` costs an ordinary line nothing: JPEG and PNG, whose decoders are the most
hardened there are and whose headers are counted before (scans, chunks, pixels), are decoded here; every other format,
and every file that a process has died of (`attempts`), in a process of its own.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anomalyclip.errors import ImageReadError
from anomalyclip.io.names import StrPath

if TYPE_CHECKING:
    from anomalyclip.io.isolation import Decoders

Isolate = Literal["auto", "on", "off"]
_HARDENED = ("JPEG", "PNG")
_MOST = 4  # processes: each takes memory of its own


class _Choice:
    """What holds meanwhile. Processes are started when they are first needed, and not shared with forked ones."""

    def __init__(self, isolate: Isolate) -> None:
        self.isolate, self.process = isolate, os.getpid()
        self._decoders: Decoders | None = None
        self._guard = threading.Lock()

    @property
    def decoders(self) -> Decoders:
        from anomalyclip.io.isolation import Decoders

        with self._guard:
            if self._decoders is None:
                self._decoders = Decoders(min(_MOST, os.cpu_count() or 1))
            return self._decoders

    def close(self) -> None:
        if self._decoders is not None and self.process == os.getpid():
            self._decoders.close()


_current: _Choice | None = None


@contextmanager
def apart(isolate: Isolate) -> Iterator[None]:
    """Decode as `isolate` says what is read in this process, in whichever thread, until the block ends."""
    global _current
    before, _current = _current, _Choice(isolate)
    try:
        yield
    finally:
        _current.close()
        _current = before


@contextmanager
def decoders_for(source: StrPath | bytes) -> Iterator[Decoders | None]:
    """Who decodes a file, or one that is held in memory; None where that is done here."""
    from anomalyclip.io import attempts

    choice = _current if _current is not None and _current.process == os.getpid() else None
    suspect = not isinstance(source, bytes) and attempts.read_apart(source)
    if choice is not None and (suspect or wants_apart(choice.isolate, source)):
        with attempts.elsewhere():
            yield choice.decoders
    elif choice is None and suspect:
        from anomalyclip.io.isolation import Decoders

        alone = Decoders(1)
        try:
            with attempts.elsewhere():
                yield alone
        finally:
            alone.close()
    else:
        yield None


def wants_apart(isolate: Isolate, source: StrPath | bytes) -> bool:
    """Whether a file of this format is to be decoded in a process of its own."""
    return isolate == "on" or (isolate == "auto" and _kind(source) not in _HARDENED)


def _kind(source: StrPath | bytes) -> str:
    """The format; that of a file that is none, or cannot be opened, is one that its reader refuses in its own words."""
    from anomalyclip.io.headers import sniff
    from anomalyclip.io.limits import DEFAULT_MAX_BYTES
    from anomalyclip.io.opened import reported, use_file

    try:
        if isinstance(source, bytes):
            return reported("image", lambda: sniff(io.BytesIO(source)))
        return use_file(Path(source), sniff, DEFAULT_MAX_BYTES)
    except ImageReadError:
        return _HARDENED[0]
