"""Decoding at the file's own depth through OpenCV."""

from __future__ import annotations

import numpy as np

from anomalyclip.io.depth import Raster
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal


def decode_unchanged(data: bytes, kind: str) -> Raster:
    """Bytes of a deep PNG or JPEG 2000, whose size was checked already, as a raster in RGB order.

    OpenCV says no more than that it failed, and complains on the standard error stream: callers check what they can
    before they come here.
    """
    import cv2

    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise Refusal(
            f"its {kind} pixels cannot be decoded ({' '.join(str(error).split())[:80]})", EXPORT_AGAIN
        ) from None
    if pixels is None:
        raise Refusal(
            f"its {kind} pixels are damaged or of a kind that cannot be decoded",
            "save it with 8 or 16 bits, or as 32-bit float",
        )
    if pixels.ndim == 2:
        return Raster(pixels)
    rgb = np.ascontiguousarray(pixels[..., 2::-1])
    return Raster(rgb, np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None)
