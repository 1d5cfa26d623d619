"""Mutated files of every format, read as an upload is: in a process with limits, which none of them may end."""

from __future__ import annotations

import io
import random
import struct
import time
from collections.abc import Callable

import numpy as np
from outcome import Outcome
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import DecoderDied, Decoders

_SLOW = 5.0  # seconds by the clock, for a picture of a few thousand pixels
_MOST_PIXELS = 2_000_000
_NASTY = (0, 1, 7, 65_535, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


def fuzz(name: str, count: int, seed: int) -> Outcome:
    """Read `count` mutated files of a format."""
    seeds, outcome, decoders = FORMATS[name](), Outcome(f"fuzz {name}", count), Decoders(1)
    read = refused = 0
    worst = 0.0
    try:
        for number in range(count):
            data = _mutated(seeds, random.Random(f"{name} {seed} {number}"))
            start = time.monotonic()
            try:
                decoders.read(data, max_pixels=_MOST_PIXELS)
                read += 1
            except DecoderDied as death:
                outcome.dead += 1
                outcome.problems.append(f"file {number}: {death}")
            except ImageReadError as error:
                refused += 1
                if "\n" in str(error):
                    outcome.problems.append(f"file {number}: a reason of several lines")
            seconds = time.monotonic() - start
            worst = max(worst, seconds if number else 0.0)  # the first one waits for the process
            outcome.slow += seconds > _SLOW and number > 0
    finally:
        decoders.close()
    outcome.more = f"{read:,} read, {refused:,} refused, slowest {worst:.2f} s"
    return outcome


def _mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(max(1, len(data) if rng.random() < 0.5 else min(len(data), 300)))
        rng.choice((_byte, _long, _short, _cut, _again))(data, at, rng)
    return bytes(data)


def _byte(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 1] = bytes([rng.randrange(256)])


def _long(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(_NASTY))


def _short(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 2] = struct.pack(rng.choice("<>") + "H", rng.choice((0, 1, 255, 32_768, 65_535)))


def _cut(data: bytearray, at: int, rng: random.Random) -> None:
    del data[at : at + rng.randint(1, 64)]


def _again(data: bytearray, at: int, rng: random.Random) -> None:
    start = rng.randrange(max(1, len(data)))
    data[at:at] = data[start : start + rng.randint(1, 128)]


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8))


def _smooth() -> Image.Image:
    ramp = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint8)
    return Image.fromarray(np.dstack([ramp] * 3))


def _saved(*asked: tuple[Image.Image, dict[str, object]], kind: str) -> list[bytes]:
    found = []
    for image, options in asked:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found


def _tiffs() -> list[bytes]:
    import tifffile

    found = _saved((_noise(), {}), (_noise(), {"compression": "tiff_lzw"}), (_noise(), {"compression": "jpeg"}),
                   (_noise().convert("1"), {"compression": "group4"}), (_noise(), {"compression": "packbits"}),
                   kind="TIFF")  # fmt: skip
    pixels = np.asarray(_noise())
    for dtype in (np.uint16, np.float32, np.float64):
        for options in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"}):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, pixels.astype(dtype), photometric="rgb", **options)
            found.append(buffer.getvalue())
    return found


def _frames(kind: str) -> list[bytes]:
    more = {"save_all": True, "append_images": [_noise().rotate(90), _noise().rotate(180)]}
    return _saved((_noise(), {}), (_smooth(), {}), (_noise(), more), kind=kind)


FORMATS: dict[str, Callable[[], list[bytes]]] = {
    "PNG": lambda: _frames("PNG") + _saved((_noise().convert("P"), {}), (_noise().convert("LA"), {}), kind="PNG"),
    "JPEG": lambda: _saved(
        (_noise(), {}), (_smooth(), {"progressive": True}), (_noise().convert("CMYK"), {}), kind="JPEG"),
    "TIFF": _tiffs,
    "GIF": lambda: _frames("GIF"),
    "WEBP": lambda: _frames("WEBP") + _saved((_noise(), {"lossless": True}), kind="WEBP"),
    "BMP": lambda: _saved((_noise(), {}), (_noise().convert("P"), {}), (_noise().convert("1"), {}), kind="BMP"),
    "PPM": lambda: _saved((_noise(), {}), (_noise().convert("L"), {}), (_noise().convert("1"), {}), kind="PPM"),
    "JPEG2000": lambda: _saved((_noise(), {}), (_smooth(), {"irreversible": True}), kind="JPEG2000"),
}  # fmt: skip
