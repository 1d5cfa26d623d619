"""Colour numbers that say more, or less, than their palette: beyond it, and the void of Pascal VOC's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.io.writers import bits_packed, bmp
from tests.pngs import paletted

from anomalyclip.data.doubts import Doubt
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import ImageReadError
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


NUMBERS = np.add.outer(np.arange(24), np.arange(40))


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("greys", [[0, 255], [255, 0], [0, 1], range(10), range(16), range(0, 160, 10)], ids=str)
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_bmp_with_few_greys(tmp_path: Path, bits: int, greys: list[int], down: bool) -> None:
    """Pillow alone takes black and white of 8 bits for pixels of one bit, and few greys for no palette."""
    greys = [*greys][: 1 << bits]
    numbers = NUMBERS % len(greys)
    packed = bits_packed(numbers.astype(np.uint8), bits)
    rows = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in greys)
    (tmp_path / "a.bmp").write_bytes(bmp(bits, rows, palette=palette, down=down))
    expected = np.array(greys)[numbers]
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.bmp")), np.stack([expected] * 3, -1))
    np.testing.assert_array_equal(read_mask_levels(tmp_path / "a.bmp").levels, expected)
    if bits != 2:
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.bmp"), cv2.IMREAD_GRAYSCALE), expected)


def test_bmp_of_run_lengths_with_black_and_white(tmp_path: Path) -> None:
    runs = b"".join(bytes((15, row % 2, 25, 1 - row % 2, 0, 0)) for row in range(24)) + b"\0\1"
    data = bytearray(bmp(8, np.zeros((0, 40), np.uint8), palette=b"\0\0\0\0\xff\xff\xff\0") + runs)
    data[30] = 1
    (tmp_path / "a.bmp").write_bytes(data)
    expected = np.zeros((24, 40), int)
    expected[::-2, 15:] = expected[-2::-2, :15] = 255
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.bmp"))[..., 0], expected)


def test_numbers_beyond_a_bmps_palette_are_told(tmp_path: Path) -> None:
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(50))
    numbers = NUMBERS.astype(np.uint8)
    (tmp_path / "a.bmp").write_bytes(bmp(8, numbers, palette=palette))
    image = read_image(tmp_path / "a.bmp")
    np.testing.assert_array_equal(np.asarray(image)[..., 0], np.where(numbers < 50, numbers, 0))
    assert f"{(numbers >= 50).sum()} of its pixels have a colour number beyond its palette of 50" in notes_of(image)[0]
    assert read_mask_levels(tmp_path / "a.bmp").unmarked == "beyond"


@pytest.mark.parametrize("start", [0, 20])
def test_where_a_bmps_pixels_begin(tmp_path: Path, start: int) -> None:
    data = bytearray(bmp(16, NUMBERS.astype("<u2"), masks=(0x1F, 0x7E0, 0xF800)))
    expected = np.asarray(_read(tmp_path, data))
    data[10:14] = start.to_bytes(4, "little")
    if start:
        with pytest.raises(ImageReadError, match="its pixels begin at byte 20, within it"):
            _read(tmp_path, data)
    else:  # as some write it: right behind the header
        np.testing.assert_array_equal(np.asarray(_read(tmp_path, data)), expected)


def _read(folder: Path, data: bytes) -> Image.Image:
    (folder / "a.bmp").write_bytes(data)
    return read_image(folder / "a.bmp")
