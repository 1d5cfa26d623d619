"""Pictures in every format: how they are written and read back."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from anomalyclip.io import read_image_bytes


def encoded(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes, **options: float) -> np.ndarray:
    return np.asarray(read_image_bytes(data, **options))
