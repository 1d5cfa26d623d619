"""Which way up a camera's notes say the picture is: one number out of EXIF or XMP, and nothing else of either."""

from __future__ import annotations

import io
import re

from anomalyclip.io import ifd
from anomalyclip.io.refusal import Refusal

_PREFIX = b"Exif\0\0"
_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])""")
_MOST_NOTES = 1 << 20  # bytes of one note that are looked at


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """EXIF orientation, 1 to 8; 1 where neither note has a valid one.

    A broken note about the camera is no reason to lose the picture. Only the first directory is read, by the bounded
    reader of TIFF directories: nested and repeated ones cost nothing.

    >>> orientation(b"", b'<x tiff:Orientation="6"/>')
    6
    """
    body = exif[len(_PREFIX) :] if exif.startswith(_PREFIX) else exif
    if body[:2] in (b"II", b"MM"):
        try:
            file = io.BytesIO(body[:_MOST_NOTES])
            container, place = ifd.open_container(file)
            found = ifd.read_directory(file, container, place).integer(file, ifd.ORIENTATION, 0)
            if 1 <= found <= 8:
                return found
        except Refusal:
            pass
    match = _XMP.search(xmp[:_MOST_NOTES])
    return int(match[1]) if match else 1
