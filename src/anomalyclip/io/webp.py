"""WebP: the canvas and the notes out of its chunks, before Pillow's decoder allocates the canvas while opening."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from anomalyclip.io import exif
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_CHUNKS = 100_000
_MOST_NOTES = 1 << 20


@dataclass(frozen=True)
class WebpFacts:
    """Canvas in pixels, pictures of an animation (1 of a still one), EXIF orientation; whether values were changed; the
    colour profile."""

    width: int
    height: int
    frames: int
    orientation: int
    lossy: bool = True
    profile: bytes = b""


def read_facts(file: BinaryIO) -> WebpFacts:
    """Canvas, frames and orientation. Raises `Refusal`: cut off behind its first chunk's head, or too many chunks."""
    file.seek(0)
    head = file.read(30)
    if len(head) < 30:
        raise truncated()
    kind = head[12:16]
    if kind == b"VP8X":
        size = (int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1)
        frames, orientation, lossy, profile = _extended(file)
        return WebpFacts(*size, frames, orientation, lossy, profile)
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return WebpFacts((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1, 1, lossy=False)
    width, height = struct.unpack_from("<HH", head, 26)
    return WebpFacts(width & 0x3FFF, height & 0x3FFF, 1, 1)


def _extended(file: BinaryIO) -> tuple[int, int, bool, bytes]:
    """(frames, orientation, lossy, colour profile) of the chunks behind the canvas."""
    file.seek(12)
    frames, lossy, notes = 0, True, {b"EXIF": b"", b"XMP ": b"", b"ICCP": b""}
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        if len(chunk) < 8:
            return max(frames, 1), exif.orientation(notes[b"EXIF"], notes[b"XMP "]), lossy, notes[b"ICCP"]
        kind, length = chunk[:4], int.from_bytes(chunk[4:], "little")
        here = file.tell()
        frames += kind == b"ANMF"
        lossy &= kind != b"VP8L"
        if kind in notes:
            notes[kind] = file.read(min(length, _MOST_NOTES))
        file.seek(here + length + length % 2)
    raise Refusal(f"it has more than {_MOST_CHUNKS:,} chunks", EXPORT_AGAIN)
