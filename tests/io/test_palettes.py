"""Colour numbers that say more, or less, than their palette: beyond it, and the void of Pascal VOC's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.pngs import paletted

from anomalyclip.data.doubts import Doubt
from anomalyclip.data.masks import read_marked
from anomalyclip.io import isolation, notes_of, read_image
from anomalyclip.io.masks import read_mask_levels

CLASSES = np.zeros((40, 60), np.uint8)
CLASSES[8:20, 30:47] = 1
CLASSES[10:15, 32:40] = 2
CLASSES[30:35, 2:9] = 3
BORDERED = CLASSES.copy()
BORDERED[7, 29:48] = BORDERED[20, 29:48] = 255


def devkit() -> bytes:
    """The palette as VOC's own devkit makes it (VOClabelcolormap)."""
    colours = np.zeros((256, 3), np.uint8)
    for number in range(256):
        rest = number
        for shift in range(7, -1, -1):
            colours[number] |= np.array([(rest >> channel & 1) << shift for channel in range(3)], np.uint8)
            rest >>= 3
    return colours.tobytes()


FEW = bytes(3) + b"\xc8" * 9
"""Black and three greys."""


@pytest.mark.parametrize(
    ("numbers", "palette", "expected", "found"),
    [
        (CLASSES, devkit(), CLASSES > 0, set()),
        (BORDERED, devkit(), CLASSES > 0, {Doubt.VOID}),
        (np.where(CLASSES > 0, 255, 0).astype(np.uint8), devkit(), CLASSES > 0, set()),
        (BORDERED, bytes(3) + b"\xc8" * 765, BORDERED > 0, set()),
        (CLASSES, FEW, CLASSES > 0, set()),
        (BORDERED, FEW, CLASSES > 0, {Doubt.BEYOND}),
        (CLASSES, FEW[:9], (CLASSES > 0) & (CLASSES < 3), {Doubt.BEYOND}),
    ],
    ids=["VOC", "void", "nothing but 255", "another palette", "few", "border beyond", "class beyond"],
)
def test_what_palettes_mark(tmp_path: Path, numbers: np.ndarray, palette: bytes, expected: np.ndarray, found: set):
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "picture.png")
    mask = tmp_path / "mask.png"
    mask.write_bytes(paletted((60, 40), [row.tobytes() for row in numbers], palette))
    reading = read_marked(mask, tmp_path / "picture.png", 1)
    assert {finding.doubt for finding in reading.findings} == found
    np.testing.assert_array_equal(reading.marked, expected)


def in_colours(numbers: np.ndarray, **other: tuple[int, int, int]) -> Image.Image:
    """As `Image.convert("RGB")` makes a mask of VOC's palette; other: colours that replace some."""
    colours = np.frombuffer(devkit(), np.uint8).reshape(256, 3).copy()
    for name, colour in other.items():
        colours[int(name.removeprefix("number"))] = colour
    return Image.fromarray(colours[numbers])


@pytest.mark.parametrize(
    ("image", "expected", "found"),
    [
        (in_colours(CLASSES), CLASSES > 0, set()),
        (in_colours(BORDERED), CLASSES > 0, {Doubt.VOID}),
        (in_colours(np.where(CLASSES > 0, 255, 0)), CLASSES > 0, set()),
        (in_colours(BORDERED, number3=(129, 128, 0)), BORDERED > 0, set()),
        (in_colours(BORDERED, number255=(224, 224, 191)), BORDERED > 0, set()),
    ],
    ids=["VOC", "void", "nothing but void", "another colour", "another void"],
)
@pytest.mark.parametrize("name", ["mask.png", "mask.bmp", "mask.tif", "alpha.png"])
def test_what_the_palette_s_colours_mark(
    tmp_path: Path, image: Image.Image, expected: np.ndarray, found: set, name: str
) -> None:
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "picture.png")
    (image.convert("RGBA") if name.startswith("alpha") else image).save(tmp_path / name)
    reading = read_marked(tmp_path / name, tmp_path / "picture.png", 1)
    assert {finding.doubt for finding in reading.findings} == found
    np.testing.assert_array_equal(reading.marked, expected)


def test_processes_of_their_own_say_the_same(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(paletted((60, 40), [row.tobytes() for row in BORDERED], devkit()))
    apart = isolation.Decoders(1)
    try:
        found, own = apart.levels(mask), read_mask_levels(mask)
    finally:
        apart.close()
    assert (found.unmarked, found.place) == (own.unmarked, own.place) == ("void", "")
    np.testing.assert_array_equal(found.levels, own.levels)


@pytest.mark.parametrize(("depth", "row"), [(2, b"\x1b"), (4, b"\x01\x23"), (8, b"\x00\x01\x02\x03")])
def test_numbers_beyond_the_palette_are_told(tmp_path: Path, depth: int, row: bytes) -> None:
    """The row holds 0, 1, 2, 3. libpng calls it an error of the file and goes on; browsers show black."""
    colours = np.arange(10, 22, dtype=np.uint8).reshape(4, 3)
    for count, notes in (
        (2, ("2 of its pixels have a colour number beyond its palette of 2: read as black",)),
        (4, ()),
    ):
        (tmp_path / "a.png").write_bytes(paletted((4, 1), [row], colours[:count].tobytes(), depth))
        image = read_image(tmp_path / "a.png")
        assert notes_of(image) == notes
        shown = np.where(np.arange(4)[:, None] < count, colours, 0)
        np.testing.assert_array_equal(np.asarray(image)[0], shown)
