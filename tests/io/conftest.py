"""Small pictures and encoders shared by the tests of this room."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def rgb() -> np.ndarray:
    """(23, 31, 3) uint8 noise, no two rows or channels alike."""
    return np.random.default_rng(5).integers(0, 256, (23, 31, 3), dtype=np.uint8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """save(array or PIL image, "name.png", mode=None, **options of Pillow) -> the path."""

    def save(picture: np.ndarray | Image.Image, name: str, **options: object) -> Path:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture(scope="session")
def png16() -> Callable[..., bytes]:
    """png16((H, W, C) uint16 array) -> a PNG written by hand: C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def encode(pixels: np.ndarray, before_data: bytes = b"") -> bytes:
        height, width, channels = pixels.shape
        head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
        return b"".join(
            (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), before_data, chunk(b"IDAT", zlib.compress(rows)))
        ) + chunk(b"IEND", b"")

    return encode


@pytest.fixture(scope="session")
def valid_files() -> dict[str, bytes]:
    """One valid file of every format, by name, for the tests that cut and damage them."""
    rng = np.random.default_rng(9)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48), Image.Resampling.BICUBIC)

    def encode(image: Image.Image, kind: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    return {
        "jpeg": encode(smooth, "JPEG"),
        "progressive": encode(smooth, "JPEG", progressive=True),
        "png": encode(smooth, "PNG"),
        "png16": encode(Image.fromarray(rng.integers(0, 4096, (48, 64), dtype=np.uint16)), "PNG"),
        "bmp": encode(smooth, "BMP"),
        "gif": encode(smooth.convert("P"), "GIF"),
        "tiff": encode(smooth, "TIFF"),
        "lzw": encode(smooth, "TIFF", compression="tiff_lzw"),
        "float": encode(
            Image.fromarray(rng.random((48, 64), dtype=np.float32)), "TIFF", compression="tiff_adobe_deflate"
        ),
        "webp": encode(smooth, "WEBP"),
        "lossless": encode(smooth, "WEBP", lossless=True),
    }


@pytest.fixture
def smooth() -> np.ndarray:
    """(48, 64, 3) uint8 without noise, so that lossy formats come close."""
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 3, y * 4, 255 - x * 2 - y], -1).astype(np.uint8)
