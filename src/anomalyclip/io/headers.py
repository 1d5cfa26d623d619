"""What a file is, and how large its image claims to be, from its first bytes."""

from __future__ import annotations

import struct
from typing import BinaryIO

from anomalyclip.io.refusal import Refusal, truncated

_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II\x2a\x00", "TIFF"),
    (b"MM\x00\x2a", "TIFF"),
    (b"II\x2b\x00", "TIFF"),
    (b"MM\x00\x2b", "TIFF"),
)

# Formats that people do try, and that deserve to be named in the answer. They are never opened.
_REFUSED = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyp", "a HEIC image or a video"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"\x93NUMPY", "a NumPy array"),
)

EXPECTED = "JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM"


def sniff(file: BinaryIO) -> str:
    """The format's name by the file's first bytes, whatever its suffix says. Raises `Refusal`; rewinds the file."""
    file.seek(0)
    head = file.read(132)
    file.seek(0)
    if not head:
        raise Refusal("the file is empty (0 bytes)", "copy or export the file again")
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[128:132] == b"DICM":
        return "DICOM"
    for offset, magic, name in _REFUSED:
        if head[offset:].startswith(magic):
            raise Refusal(f"it is {name}, not an image that can be read", f"export it as {EXPECTED}")
    raise Refusal(f"it is not an image (it starts with bytes {head[:8].hex(' ')})", f"give a file in {EXPECTED}")


def webp_size(file: BinaryIO) -> tuple[int, int]:
    """(width, height) of a WebP canvas. Pillow's decoder allocates the canvas while opening, so this comes first."""
    head = file.read(30)
    file.seek(0)
    if len(head) < 30:
        raise truncated()
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF


def gif_size(file: BinaryIO) -> tuple[int, int]:
    """(width, height) that the first frame of a GIF needs: its screen, or the frame where that reaches further."""
    try:
        return _gif_size(file)
    except (IndexError, struct.error) as error:  # a read came back short
        raise truncated() from error
    finally:
        file.seek(0)


def _gif_size(file: BinaryIO) -> tuple[int, int]:
    _, width, height, flags = struct.unpack("<6sHHBxx", file.read(13))
    file.seek(3 << (flags & 7) + 1 if flags & 0x80 else 0, 1)  # the global palette
    while (block := file.read(1)[0]) == 0x21:  # extensions: a label, then chunks until an empty one
        file.seek(1, 1)
        while length := file.read(1)[0]:
            file.seek(length, 1)
    if block != 0x2C:
        raise Refusal("this GIF holds no image", "copy or export the file again")
    left, top, frame_width, frame_height = struct.unpack("<HHHH", file.read(8))
    return max(width, left + frame_width), max(height, top + frame_height)
