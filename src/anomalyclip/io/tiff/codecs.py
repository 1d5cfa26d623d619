"""One compressed stream through a library's codec: libtiff's (inside Pillow) under a directory of our own, and libjpeg.

libtiff gets a file of one strip, written here, whose sizes are the ones that were checked: its directory reader, the
source of most of its faults, never sees a byte of the user's.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from anomalyclip.io import jpeg
from anomalyclip.io.quiet import quiet_libtiff
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

PILLOW = int(PIL.__version__.split(".")[0])
_FAX = (2, 3, 4)
_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"


def decode_with_libtiff(data: bytes, kind: int, width: int, rows: int, t4_options: int = 0) -> bytes:
    """Decompress one strip.

    Args:
        data: the compressed strip.
        kind: TIFF's number of the compression.
        width: pixels of a row, of 8 bits each, or of 1 bit for the fax kinds (2, 3, 4).
        rows: rows of the strip.
        t4_options: of fax kind 3.

    Returns:
        The bytes of all rows; a row of 1-bit pixels is padded to whole bytes.

    Raises:
        Refusal: damaged or cut off.
    """
    fax = kind in _FAX
    file, directory = _one_strip(data, kind, width, rows, t4_options)
    try:
        with quiet_libtiff():
            picture = Image.frombytes("1" if fax else "L", (width, rows), file, "libtiff", *_arguments(fax, directory))
        return picture.tobytes()
    except (OSError, ValueError) as error:
        raise Refusal("its pixels are damaged or cut off", EXPORT_AGAIN) from error


def _arguments(fax: bool, directory: int) -> tuple[object, ...]:
    """What Pillow's codec wants to know: raw mode, (until Pillow 12: a name,) no descriptor, place of the directory."""
    raw = "1" if fax else "L"
    return (raw, False, directory) if PILLOW >= 13 else (raw, "raw", False, directory)


def _one_strip(data: bytes, kind: int, width: int, rows: int, t4_options: int) -> tuple[bytes, int]:
    """A little-endian TIFF that holds one strip, and the place of its directory."""
    place = 8 + len(data) + len(data) % 2
    entries = [(256, width), (257, rows), (258, 1 if kind in _FAX else 8), (259, kind), (262, 1), (273, 8), (277, 1)]
    entries += [(278, rows), (279, len(data))] + ([(292, t4_options)] if kind == 3 else [])
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = struct.pack("<2sHI", b"II", 42, place)
    return b"".join((head, data, b"\0" * (len(data) % 2), struct.pack("<H", len(entries)), table, b"\0\0\0\0")), place


def decode_jpeg(data: bytes, tables: bytes, shape: tuple[int, int, int], *, ycbcr: bool) -> npt.NDArray[np.uint8]:
    """Decompress a JPEG strip or tile whose shared tables stand in the TIFF's directory.

    Args:
        data: the abbreviated JPEG stream.
        tables: the stream of tables, or nothing where `data` is complete.
        shape: (rows, width, samples) that must come out; a stream of another size is refused before it is decoded.
        ycbcr: its three samples are YCbCr and become RGB; otherwise samples are left as they are.

    Raises:
        Refusal: damaged, of another size, or with too many scans.
    """
    rows, width, samples = shape
    if not data.startswith(_SOI) or (tables and not tables.startswith(_SOI)):
        raise Refusal("a JPEG strip or tile of it is damaged", EXPORT_AGAIN)
    # The transform stands in the TIFF; libjpeg would guess it from the numbers of the components.
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([1 if ycbcr else 0])
    shared = tables[2 : tables.rfind(_EOI) if _EOI in tables else None]
    stream = b"".join((_SOI, adobe, shared, data[2:]))
    facts = jpeg.read_facts(io.BytesIO(stream))
    if facts.components != samples or facts.width != width or not facts.height <= rows:
        raise Refusal(
            f"a JPEG strip or tile of it is {facts.width} x {facts.height} with {facts.components} samples, "
            f"where its TIFF says {width} x {rows} with {samples}",
            EXPORT_AGAIN,
        )
    pixels = np.asarray(jpeg.decode(stream))
    if samples == 4:  # Adobe's CMYK is inverted, and Pillow turns it round
        pixels = 255 - pixels
    return pixels.reshape(facts.height, width, samples)
