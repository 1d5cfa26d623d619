"""Reading an untrusted picture here, or in a process that can be ended.

`auto` costs an ordinary line nothing: JPEG and PNG, whose decoders are the most hardened there are and whose headers
are counted before (scans, chunks, pixels), are decoded here; every other format, and every file that a process has died
of (`attempts`), in a process of its own.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anomalyclip.errors import ImageReadError
from anomalyclip.io import attempts
from anomalyclip.io.headers import sniff
from anomalyclip.io.images import read_image, read_image_bytes
from anomalyclip.io.isolation import Decoders
from anomalyclip.io.limits import DEFAULT_MAX_BYTES
from anomalyclip.io.names import StrPath
from anomalyclip.io.opened import reported, use_file

if TYPE_CHECKING:
    from PIL.Image import Image

Isolate = Literal["auto", "on", "off"]
_HARDENED = ("JPEG", "PNG")


class Untrusted:
    """Reads pictures as `isolate` says, in at most `number` processes; safe in several threads."""

    def __init__(self, isolate: Isolate, number: int) -> None:
        self.isolate, self._decoders = isolate, Decoders(number)

    def read(self, source: StrPath | bytes, *, path: StrPath, **options: Any) -> Image:
        """As `read_image` of `source`, or `read_image_bytes` of its content, which lies in `path`; their options."""
        if self._apart(source, path):
            with attempts.elsewhere():
                return self._decoders.read(source, name=str(path), **options)
        if isinstance(source, bytes):
            return read_image_bytes(source, str(path), **options)
        return read_image(source, **options)

    def close(self) -> None:
        self._decoders.close()

    def _apart(self, source: StrPath | bytes, path: StrPath) -> bool:
        if self.isolate != "auto":
            return self.isolate == "on"
        return attempts.read_apart(path) or _kind(source) not in _HARDENED


def _kind(source: StrPath | bytes) -> str:
    """The format; "" for what is none, which the reader refuses in its own words."""
    try:
        if isinstance(source, bytes):
            return reported("image", lambda: sniff(io.BytesIO(source)))
        return use_file(Path(source), sniff, DEFAULT_MAX_BYTES)
    except ImageReadError:
        return _HARDENED[0]
