"""Small good files of every format, of the kinds that their readers tell apart: what the fuzzer starts from."""

from __future__ import annotations

import gzip
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "attacks"))
import dicom_object as parts


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))


def _smooth() -> Image.Image:
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    return Image.fromarray(np.dstack([ramp] * 3))


def _deep() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 65_536, (24, 32), dtype=np.uint16))


def _saved(*asked: tuple[Image.Image, dict[str, object]], kind: str) -> list[bytes]:
    found = []
    for image, options in asked:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x112], exif[0x10E] = 6, "a comment of some length, for its count to be wrong"
    return exif


def _frames(kind: str) -> list[bytes]:
    more = {"save_all": True, "append_images": [_noise().rotate(90), _noise().rotate(180)]}
    return _saved((_noise(), {}), (_smooth(), {}), (_noise(), more), kind=kind)


def _pngs() -> list[bytes]:
    small = ((_noise().convert("P"), {}), (_noise().convert("LA"), {}), (_deep(), {}), (_smooth(), {"exif": _exif()}))
    return _frames("PNG") + _saved(*small, kind="PNG")


def _jpegs() -> list[bytes]:
    return _saved(
        (_noise(), {}),
        (_smooth(), {"progressive": True, "exif": _exif()}),
        (_noise().convert("CMYK"), {}),
        (_noise().convert("L"), {"quality": 95}),
        kind="JPEG",
    )


def _tiffs() -> list[bytes]:
    import tifffile

    found = _saved((_noise(), {}), (_noise(), {"compression": "tiff_lzw"}), (_noise(), {"compression": "jpeg"}),
                   (_noise().convert("1"), {"compression": "group4"}), (_noise(), {"compression": "packbits"}),
                   (_noise().convert("P"), {"compression": "tiff_adobe_deflate"}), kind="TIFF")  # fmt: skip
    pixels = np.asarray(_noise())
    for dtype in (np.uint16, np.float32, np.float64):
        for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, pixels.astype(dtype), photometric="rgb", **options)
            found.append(buffer.getvalue())
    return found


def _dicoms() -> list[bytes]:
    grey = _noise().convert("L")
    sizes = {"rows": grey.height, "columns": grey.width}
    (jpeg,), (jpeg2000,) = _saved((grey, {}), kind="JPEG"), _saved((grey, {}), kind="JPEG2000")
    rle = struct.pack("<16I", 1, 64, *[0] * 14) + b"".join(b"\x1f" + row.tobytes() for row in np.asarray(grey))
    return [
        parts.dicom(grey.tobytes(), **sizes),
        parts.dicom(grey.tobytes() * 3, frames=3, **sizes),
        parts.dicom(parts.encapsulated(jpeg), parts.JPEG, **sizes),
        parts.dicom(parts.encapsulated(jpeg2000), parts.JPEG2000, **sizes),
        parts.dicom(parts.encapsulated(rle + b"\0" * (len(rle) % 2)), parts.RLE, **sizes),
    ]


def _volumes() -> list[bytes]:
    """NIfTI-1 of 8 x 6 x 4 voxels, plain and packed, of three types."""
    found = []
    for code, dtype in ((2, np.uint8), (4, np.int16), (16, np.float32)):
        voxels = np.arange(192).astype(dtype)
        head = bytearray(352)
        struct.pack_into("<i", head, 0, 348)
        struct.pack_into("<8h", head, 40, 3, 8, 6, 4, 1, 1, 1, 1)
        struct.pack_into("<hh", head, 70, code, 8 * voxels.itemsize)
        struct.pack_into("<8f", head, 76, *[1.0] * 8)
        struct.pack_into("<fff", head, 108, 352.0, 1.0, 0.0)
        head[344:348] = b"n+1\0"
        data = bytes(head) + voxels.tobytes()
        found += [data, gzip.compress(data, mtime=0)]
    return found


def _heics() -> list[bytes]:
    import pillow_heif

    found = []
    for image in (_noise(), _smooth()):
        buffer = io.BytesIO()
        pillow_heif.from_pillow(image).save(buffer, quality=60)
        found.append(buffer.getvalue())
    return found


FORMATS: dict[str, Callable[[], list[bytes]]] = {
    "PNG": _pngs,
    "JPEG": _jpegs,
    "TIFF": _tiffs,
    "GIF": lambda: _frames("GIF"),
    "WEBP": lambda: _frames("WEBP") + _saved((_noise(), {"lossless": True}), kind="WEBP"),
    "BMP": lambda: _saved((_noise(), {}), (_noise().convert("P"), {}), (_noise().convert("1"), {}), kind="BMP"),
    "PPM": lambda: _saved((_noise(), {}), (_noise().convert("L"), {}), (_noise().convert("1"), {}), kind="PPM"),
    "JPEG2000": lambda: _saved((_noise(), {}), (_smooth(), {"irreversible": True}), kind="JPEG2000"),
    "DICOM": _dicoms,
    "NIFTI": _volumes,
    "AVIF": lambda: _saved((_noise(), {}), (_smooth(), {"exif": _exif().tobytes()}), kind="AVIF"),
    "HEIC": _heics,
}  # fmt: skip
