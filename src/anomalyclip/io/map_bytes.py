"""Anomaly maps as bytes for a network: half the size of the files on disk, or a picture to lay over the image."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.io.float_tiff import float_tiff
from anomalyclip.io.overlay import colours
from anomalyclip.io.pictures import PNG


def half_tiff(anomaly_map: npt.NDArray[np.float32]) -> bytes:
    """An (H, W) map as a float16 TIFF: little-endian, one uncompressed strip, so that any reader, even a page's few
    lines of script, finds the values. Values in [0, 1] keep an error below 2.5e-4."""
    return float_tiff(np.asarray(anomaly_map, np.float16))


def heat_png(anomaly_map: npt.NDArray[np.float32]) -> bytes:
    """An (H, W) map as an RGBA PNG of the same size to lay over its image: the fixed colour scale of `draw_overlay`
    from 0 to 1, opacity equal to the value, so that nothing is drawn where nothing is suspicious."""
    unit = np.clip(np.nan_to_num(anomaly_map, nan=0.0), 0, 1)
    level = np.rint(unit * 255).astype(np.uint8)
    rgba = np.dstack([colours()[level], level])
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", **PNG)
    return buffer.getvalue()
