"""Reading an untrusted picture here, or in one of a run's own processes that can be ended; see `apart`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anomalyclip.io import attempts
from anomalyclip.io.apart import Isolate, wants_apart
from anomalyclip.io.images import read_image, read_image_bytes
from anomalyclip.io.isolation import Decoders
from anomalyclip.io.names import StrPath

if TYPE_CHECKING:
    from PIL.Image import Image


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
        suspect = self.isolate != "off" and attempts.read_apart(path)
        return suspect or wants_apart(self.isolate, source)
