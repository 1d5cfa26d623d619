"""PNM (PBM, PGM, PPM), binary: the maximum in the header is the file's own word about its depth.

Pictures may follow each other in one file, as programs in a pipe write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from anomalyclip.io.depth import Raster, Stated
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

MOST_COUNTED = 100_000
_MOST_HEADER = 4096
_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_BITMAP = re.compile(rb"P4" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_ANOTHER = re.compile(rb"P[456][\s#]")
_MAP = re.compile(rb"P[56]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")


@dataclass(frozen=True)
class PnmFacts:
    """maximum: the stored value of white, 1 to 65535. start: byte where pixels begin."""

    width: int
    height: int
    channels: int
    maximum: int
    start: int
    bitmap: bool

    @property
    def row_bytes(self) -> int:
        if self.bitmap:
            return -(-self.width // 8)
        return self.width * self.channels * (1 + (self.maximum > 255))

    @property
    def end(self) -> int:
        """The byte behind its pixels."""
        return self.start + self.row_bytes * self.height


def read_facts(file: BinaryIO, index: int = 0) -> PnmFacts:
    """The header of one of the file's pictures. Raises `Refusal`."""
    facts = _header(file, 0)
    for _ in range(index):
        facts = _header(file, facts.end)
    return facts


def count(file: BinaryIO) -> int:
    """Pictures in a file, to MOST_COUNTED at most; what follows and is no header is none. Rewinds it."""
    end, number, facts = file.seek(0, 2), 1, _header(file, 0)
    while facts.end < end and number < MOST_COUNTED:
        file.seek(facts.end)
        if not _ANOTHER.match(file.read(_MOST_HEADER)):
            break
        facts = _header(file, facts.end)
        number += 1
    file.seek(0)
    return number


def _header(file: BinaryIO, place: int) -> PnmFacts:
    file.seek(place)
    head = file.read(_MOST_HEADER)
    bitmap = head.startswith(b"P4")
    found = (_BITMAP if bitmap else _MAP).match(head)
    if found is None:
        raise Refusal("its PNM header is damaged", EXPORT_AGAIN)
    width, height, maximum = int(found[1]), int(found[2]), 1 if bitmap else int(found[3])
    if not 1 <= maximum <= 65535:
        raise Refusal(f"its PNM header declares a maximum of {maximum}", EXPORT_AGAIN)
    channels = 3 if head.startswith(b"P6") else 1
    return PnmFacts(width, height, channels, maximum, place + found.end(), bitmap)


def decode(file: BinaryIO, facts: PnmFacts) -> Raster:
    """Pixels at the file's own depth. Raises `Refusal` where the file ends before them."""
    file.seek(facts.start)
    row = facts.row_bytes
    data = file.read(row * facts.height)
    if len(data) < row * facts.height:
        raise truncated(f"its pixels are {len(data):,} of {row * facts.height:,} bytes")
    if facts.bitmap:  # 1 is black
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(facts.height, row), axis=1, count=facts.width)
        return Raster((1 - bits) * np.uint8(255))
    values = np.frombuffer(data, ">u2" if facts.maximum > 255 else np.uint8)
    shape = (facts.height, facts.width, 3) if facts.channels == 3 else (facts.height, facts.width)
    values = values.astype(values.dtype.newbyteorder("=")).reshape(shape)
    raster = Raster(values, stated=Stated(0.0, float(facts.maximum), f"PNM maximum {facts.maximum}"))
    if facts.maximum < 255 and (high := int(values.max(initial=0))) > facts.maximum:  # deeper ones: see `scale_of`
        raster.notes += (f"its values reach {high}, beyond its PNM maximum of {facts.maximum}: shown as white",)
    return raster
