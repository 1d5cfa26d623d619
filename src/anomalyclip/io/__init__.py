"""Reading images safely and writing maps, overlays and files atomically. Nothing here knows about models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.io.atomic import atomic_write, write_bytes
    from anomalyclip.io.images import image_size, notes_of, read_image, read_image_bytes, read_mask
    from anomalyclip.io.inspection import Header, inspect
    from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_PIXELS, SUFFIXES
    from anomalyclip.io.map_bytes import half_tiff, heat_png
    from anomalyclip.io.maps import encode_map, read_map, write_map
    from anomalyclip.io.names import printable
    from anomalyclip.io.overlay import draw_overlay
    from anomalyclip.io.pictures import thumbnail_data_uri, write_image

# Resolved on first use: Pillow, NumPy and OpenCV together cost a quarter of a second that `--help` must not pay.
_HOME = {
    "DEFAULT_MAX_BYTES": "limits",
    "DEFAULT_MAX_PIXELS": "limits",
    "Header": "inspection",
    "SUFFIXES": "limits",
    "atomic_write": "atomic",
    "draw_overlay": "overlay",
    "encode_map": "maps",
    "half_tiff": "map_bytes",
    "heat_png": "map_bytes",
    "image_size": "images",
    "inspect": "inspection",
    "notes_of": "images",
    "printable": "names",
    "read_image": "images",
    "read_image_bytes": "images",
    "read_map": "maps",
    "read_mask": "images",
    "thumbnail_data_uri": "pictures",
    "write_bytes": "atomic",
    "write_image": "pictures",
    "write_map": "maps",
}

__all__ = [
    "DEFAULT_MAX_BYTES",
    "DEFAULT_MAX_PIXELS",
    "SUFFIXES",
    "Header",
    "atomic_write",
    "draw_overlay",
    "encode_map",
    "half_tiff",
    "heat_png",
    "image_size",
    "inspect",
    "notes_of",
    "printable",
    "read_image",
    "read_image_bytes",
    "read_map",
    "read_mask",
    "thumbnail_data_uri",
    "write_bytes",
    "write_image",
    "write_map",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
