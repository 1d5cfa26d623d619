"""How the pictures of an animated PNG are drawn over each other (PNG third edition, 11.3.6.2: disposal and blend)."""

from __future__ import annotations

import struct
import zlib
from itertools import product

import numpy as np
import pytest

from anomalyclip.errors import ImageReadError
from anomalyclip.io import inspect, read_image, read_image_bytes

SIDE = 12
PLACES = ((0, 0, SIDE, SIDE), (2, 3, 7, 6), (0, 1, 9, 9), (4, 4, 8, 8))  # left, top, width, height
KEEP, CLEAR, PREVIOUS = 0, 1, 2
SOURCE, OVER = 0, 1


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed(picture: np.ndarray) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture))


def written(pictures, places, disposals, blends, still=None) -> bytes:
    """An animation of RGBA pictures; still: a picture before it that is no part of it."""
    parts = [chunk(b"acTL", struct.pack(">II", len(pictures), 0))]
    parts += [] if still is None else [chunk(b"IDAT", packed(still))]
    number = 0
    for picture, (left, top, wide, high), disposal, blend in zip(pictures, places, disposals, blends, strict=True):
        parts.append(chunk(b"fcTL", struct.pack(">5I2H2B", number, wide, high, left, top, 1, 10, disposal, blend)))
        number += 1
        if number == 1 and still is None:
            parts.append(chunk(b"IDAT", packed(picture)))
            continue
        data = packed(picture)
        for piece in (data[:9], data[9:]):
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + piece))
            number += 1
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(parts) + chunk(b"IEND", b"")


def composed(pictures, places, disposals, blends) -> list[np.ndarray]:
    """By the specification, in floats, over white."""
    canvas, shown = np.zeros((SIDE, SIDE, 4)), []
    for picture, (left, top, wide, high), disposal, blend in zip(pictures, places, disposals, blends, strict=True):
        before, place = canvas.copy(), np.s_[top : top + high, left : left + wide]
        above, below = picture / 255.0, canvas[place]
        alpha = above[..., 3:] + below[..., 3:] * (1 - above[..., 3:])
        light = above[..., :3] * above[..., 3:] + below[..., :3] * below[..., 3:] * (1 - above[..., 3:])
        over = np.concatenate([light / np.maximum(alpha, 1e-9), alpha], 2)
        canvas[place] = over if blend == OVER else above
        shown.append(255 * (canvas[..., :3] * canvas[..., 3:] + 1 - canvas[..., 3:]))
        if disposal == CLEAR:
            canvas[place] = 0
        elif disposal == PREVIOUS:
            canvas = before
    return shown


def of_noise(places, seed=3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (high, wide, 4), np.uint8) for _, _, wide, high in places]


@pytest.mark.parametrize(("disposal", "blend"), [*product((KEEP, CLEAR, PREVIOUS), (SOURCE, OVER))])
def test_half_transparent_pictures_are_drawn_as_the_specification_says(tmp_path, disposal, blend):
    pictures, ways = of_noise(PLACES), ((KEEP, disposal, disposal, KEEP), (SOURCE, blend, OVER, blend))
    (tmp_path / "a.png").write_bytes(written(pictures, PLACES, *ways))
    expected = composed(pictures, PLACES, *ways)
    for index in (0, 1, 2, 3, 1, 0, 3):
        assert np.abs(np.asarray(read_image(tmp_path / "a.png", frame=index)) - expected[index]).max() < 2.5


def test_a_still_picture_before_the_animation_is_no_ground_for_it():
    pictures, ways = of_noise(PLACES), ((KEEP,) * 4, (OVER,) * 4)
    data = written(pictures, PLACES, *ways, still=np.full((SIDE, SIDE, 4), (200, 0, 0, 255), np.uint8))
    assert np.asarray(read_image_bytes(data, frame=0))[5, 5].tolist() == [200, 0, 0]
    for index, expected in enumerate(composed(pictures, PLACES, *ways), 1):
        assert np.abs(np.asarray(read_image_bytes(data, frame=index)) - expected).max() < 2.5


def spoiled(data: bytes) -> bytes:
    place = data.rindex(b"fdAT") + 9
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda data: data.replace(b"fdAT", b"fdAx"), "picture 1 of its animation has no pixels"),
        (spoiled, "a checksum is wrong"),
    ],
)
def test_damage_of_later_pictures_is_told(harm, message):
    with pytest.raises(ImageReadError, match=message):
        read_image_bytes(harm(written(of_noise(PLACES), PLACES, (KEEP,) * 4, (OVER,) * 4)), frame=3)


def test_an_animation_claims_the_memory_of_drawing():
    data = written(of_noise(PLACES), PLACES, (KEEP,) * 4, (OVER,) * 4)
    assert inspect(data).decoded_bytes == 24 * SIDE * SIDE, "20.6 a pixel were measured, 12 of a still one"
