"""PNM (PBM, PGM, PPM), binary: the maximum in the header is the file's own word about its depth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from anomalyclip.io.depth import Raster, Stated
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

_MOST_HEADER = 4096
_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_BITMAP = re.compile(rb"P4" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")
_MAP = re.compile(rb"P[56]" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})\s")


@dataclass(frozen=True)
class PnmFacts:
    """maximum: the stored value of white, 1 to 65535. start: byte where pixels begin."""

    width: int
    height: int
    channels: int
    maximum: int
    start: int


def read_facts(file: BinaryIO) -> PnmFacts:
    """The header of the first picture. Raises `Refusal`."""
    file.seek(0)
    head = file.read(_MOST_HEADER)
    bitmap = head.startswith(b"P4")
    found = (_BITMAP if bitmap else _MAP).match(head)
    if found is None:
        raise Refusal("its PNM header is damaged", EXPORT_AGAIN)
    width, height, maximum = int(found[1]), int(found[2]), 1 if bitmap else int(found[3])
    if not 1 <= maximum <= 65535:
        raise Refusal(f"its PNM header declares a maximum of {maximum}", EXPORT_AGAIN)
    return PnmFacts(width, height, 3 if head.startswith(b"P6") else 1, maximum, found.end())


def decode(file: BinaryIO, facts: PnmFacts) -> Raster:
    """Pixels at the file's own depth. Raises `Refusal` where the file ends before them."""
    file.seek(facts.start)
    file_is_bitmap = facts.maximum == 1 and _is_bitmap(file)
    row = -(-facts.width // 8) if file_is_bitmap else facts.width * facts.channels * (1 + (facts.maximum > 255))
    file.seek(facts.start)
    data = file.read(row * facts.height)
    if len(data) < row * facts.height:
        raise truncated(f"its pixels are {len(data):,} of {row * facts.height:,} bytes")
    if file_is_bitmap:  # 1 is black
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(facts.height, row), axis=1, count=facts.width)
        return Raster((1 - bits) * np.uint8(255))
    values = np.frombuffer(data, ">u2" if facts.maximum > 255 else np.uint8)
    shape = (facts.height, facts.width, 3) if facts.channels == 3 else (facts.height, facts.width)
    values = values.astype(values.dtype.newbyteorder("=")).reshape(shape)
    return Raster(values, stated=Stated(0.0, float(facts.maximum), f"PNM maximum {facts.maximum}"))


def _is_bitmap(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(2) == b"P4"
