"""Anomaly maps as bytes for a network: half the size of the files on disk, or a picture to lay over the image."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.io.overlay import colours

_SHORT, _LONG = 3, 4  # TIFF's field types
_HEADER = 8


def half_tiff(anomaly_map: npt.NDArray[np.float32]) -> bytes:
    """An (H, W) map as a float16 TIFF: little-endian, one uncompressed strip, so that any reader, even a page's few
    lines of script, finds the values. Values in [0, 1] keep an error below 2.5e-4."""
    values = np.ascontiguousarray(anomaly_map, dtype="<f2")
    height, width = values.shape
    # tag, type, value; in rising order of tags as TIFF 6.0 asks
    fields = [
        (256, _LONG, width),
        (257, _LONG, height),
        (258, _SHORT, 16),  # bits per sample
        (259, _SHORT, 1),  # no compression
        (262, _SHORT, 1),  # black is zero
        (273, _LONG, 0),  # where the strip starts, set below
        (277, _SHORT, 1),  # samples per pixel
        (278, _LONG, height),  # rows in the strip
        (279, _LONG, values.nbytes),
        (339, _SHORT, 3),  # floating point
    ]
    start = _HEADER + 2 + 12 * len(fields) + 4
    table = b"".join(struct.pack("<HHII", tag, kind, 1, start if tag == 273 else value) for tag, kind, value in fields)
    return struct.pack("<2sHIH", b"II", 42, _HEADER, len(fields)) + table + bytes(4) + values.tobytes()


def heat_png(anomaly_map: npt.NDArray[np.float32]) -> bytes:
    """An (H, W) map as an RGBA PNG of the same size to lay over its image: the fixed colour scale of `draw_overlay`
    from 0 to 1, opacity equal to the value, so that nothing is drawn where nothing is suspicious."""
    unit = np.clip(np.nan_to_num(anomaly_map, nan=0.0), 0, 1)
    level = np.rint(unit * 255).astype(np.uint8)
    rgba = np.dstack([colours()[level], level])
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
