"""What programs say of the values in words: OME's bits and ImageJ's display range in ImageDescription, GDAL's no data.

OME-XML names the bits that samples really have: the file's word. ImageJ's minimum and maximum are how it showed the
picture last, mostly stretched to its own extremes, so pictures of one camera would not compare: told, not used.
Both write the text into the first page only, for all of them.
"""

from __future__ import annotations

import math
import re
from typing import BinaryIO

from anomalyclip.io import ifd as tags
from anomalyclip.io.depth import Stated
from anomalyclip.io.ifd import Directory

_MOST = 1 << 17  # bytes that are looked at: the Pixels element stands near the beginning of OME-XML
_MOST_DIGITS = 64
_SIGNIFICANT = re.compile(rb"""<(?:\w+:)?Pixels\b[^>]{0,1000}?\bSignificantBits=["'](\d{1,2})["']""")
_NUMBER = rb"=(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*$"
_LOW, _HIGH = (re.compile(rb"^" + name + _NUMBER, re.MULTILINE) for name in (b"min", b"max"))


def text_of(file: BinaryIO, page: Directory) -> bytes:
    """The description of a page, else that of the first one; empty where there is none."""
    if tags.DESCRIPTION not in page:
        container, place = tags.open_container(file)
        page = tags.read_directory(file, container, place)
    if tags.DESCRIPTION not in page or page.entries[tags.DESCRIPTION][0] not in (1, 2, 7):
        return b""
    return page.values(file, tags.DESCRIPTION, _MOST, extra=True).tobytes()


def without_reading(file: BinaryIO, page: Directory) -> float | None:
    """The value of pixels that hold none (GDAL_NODATA); None where the page names no number."""
    if tags.NODATA not in page or page.entries[tags.NODATA][0] not in (1, 2, 7):
        return None
    text = page.values(file, tags.NODATA, _MOST_DIGITS, extra=True).tobytes()
    try:
        value = float(text.split(b"\0")[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None  # NaN is black in any case


def stated_bits(text: bytes, bits: int) -> Stated | None:
    """OME's word on unsigned samples of 16 bits and more; None where it says nothing new, or not one for all."""
    found = {int(number) for number in _SIGNIFICANT.findall(text)} if b"<" in text[:4] else set()
    if len(found) != 1 or not 1 <= (significant := found.pop()) < bits:
        return None
    return Stated(0.0, float(2**significant - 1), f"SignificantBits {significant}")


def display_range(text: bytes) -> tuple[float, float] | None:
    """(black, white) as ImageJ showed the picture last."""
    low, high = (_LOW.search(text), _HIGH.search(text)) if text.startswith(b"ImageJ=") else (None, None)
    if low is None or high is None or not float(low[1]) < float(high[1]):
        return None
    return float(low[1]), float(high[1])
