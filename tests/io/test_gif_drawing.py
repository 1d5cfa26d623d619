"""How the pictures of a GIF are drawn over each other, as browsers do it (GIF89a, 23: disposal)."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.io.encoded import encoded

from anomalyclip.io import read_image

SIDE = 20
RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)
KEEP, CLEAR, PREVIOUS = 1, 2, 3


def frame(colour: tuple[int, int, int], place: tuple[int, int, int, int], disposal: int) -> bytes:
    """One picture of a colour with a palette of its own and no transparent colour. place: left, top, width, height."""
    alone = encoded(Image.new("RGB", place[2:], colour).quantize(2), "GIF")
    palette = 3 << (alone[10] & 7) + 1
    data = alone[13 + palette :]
    data = data[data.index(b",") + 10 : -1]  # behind its descriptor, before the trailer
    control = b"!\xf9\4" + bytes([disposal << 2, 10, 0, 0, 0])
    return control + b"," + struct.pack("<4HB", *place, 0x80 | alone[10] & 7) + alone[13 : 13 + palette] + data


def drawn(*rectangles: tuple[tuple[int, int, int], tuple[int, int, int, int]]) -> np.ndarray:
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for colour, (left, top, width, height) in rectangles:
        canvas[top : top + height, left : left + width] = colour
    return canvas


WHOLE, SMALL, LOW = (0, 0, SIDE, SIDE), (3, 4, 8, 6), (2, 9, 15, 9)


@pytest.mark.parametrize(
    ("disposal", "shown"),
    [
        (KEEP, [[(RED, WHOLE)], [(RED, WHOLE), (GREEN, SMALL)], [(RED, WHOLE), (GREEN, SMALL), (BLUE, LOW)]]),
        (CLEAR, [[(RED, WHOLE)], [(GREEN, SMALL)], [(BLUE, LOW)]]),
        (PREVIOUS, [[(RED, WHOLE)], [(GREEN, SMALL)], [(BLUE, LOW)]]),
    ],
)
def test_a_picture_is_drawn_over_what_the_one_before_leaves(tmp_path, disposal, shown):
    frames = [frame(*one, disposal) for one in ((RED, WHOLE), (GREEN, SMALL), (BLUE, LOW))]
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + struct.pack("<2H3B", SIDE, SIDE, 0, 0, 0) + b"".join(frames) + b";")
    for index in (0, 1, 2, 0, 2, 1):
        np.testing.assert_array_equal(read_image(tmp_path / "a.gif", frame=index), drawn(*shown[index]))
