"""Hostile bytes: the readers of images end in our own error or in a result, soon, and without eating memory."""

from __future__ import annotations

import io
import resource
import struct
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalyclip.errors import AnomalyClipError
from anomalyclip.io import read_image_bytes

MOST_PIXELS = 1_000_000
FORMATS = {"PNG": {}, "JPEG": {}, "BMP": {}, "GIF": {}, "TIFF": {}, "WEBP": {"lossless": True}}
_MAGICS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"BM",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"RIFF\x00\x00\x00\x00WEBP",
]


def _seed(fmt: str, mode: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, fmt, **FORMATS[fmt])
    return buffer.getvalue()


def _sixteen_bits() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(768, dtype=np.uint16).reshape(24, 32) * 80).save(buffer, "PNG")
    return buffer.getvalue()


SEEDS = [_seed(fmt, "RGB") for fmt in FORMATS] + [_seed("PNG", "P"), _seed("TIFF", "L"), _sixteen_bits()]


@pytest.fixture(scope="module", autouse=True)
def _bounded_memory():
    """What all examples of this file together may add to the process's peak."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * (1 if sys.platform == "darwin" else 1024) < 400e6


def _read(data: bytes) -> None:
    message = ""
    try:
        image = read_image_bytes(data, max_pixels=MOST_PIXELS)
    except AnomalyClipError as error:
        message = str(error)
    else:
        assert image.mode == "RGB"
        assert image.width * image.height <= MOST_PIXELS
    assert "\n" not in message


@settings(max_examples=150)
@given(st.sampled_from([b"", *_MAGICS]), st.binary(max_size=600))
def test_any_bytes(magic: bytes, rest: bytes) -> None:
    _read(magic + rest)


@settings(max_examples=400)
@given(st.sampled_from(SEEDS), st.data())
def test_damaged_files(seed: bytes, data: st.DataObject) -> None:
    """Bytes overwritten, cut out and doubled, at places that matter: mostly in the headers."""
    damaged = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.one_of(st.integers(0, min(99, len(damaged))), st.integers(0, len(damaged))))
        kind = data.draw(st.sampled_from(["set", "cut", "double"]))
        piece = data.draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(_NASTY)))
        if kind == "set":
            damaged[at : at + len(piece)] = piece
        elif kind == "cut":
            del damaged[at : at + 16]
        else:
            damaged[at:at] = damaged[at : at + 64]
    _read(bytes(damaged))


_NASTY = [struct.pack(order + kind, value) for order in "<>" for kind, value in
          (("I", 0), ("I", 2**31 - 1), ("I", 2**32 - 1), ("H", 0), ("H", 2**16 - 1), ("I", 65_535))]  # fmt: skip
