"""Masks that cannot be right are named, and read as they were meant where that is certain. Compared with Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from anomalyclip.data import check_dataset, open_dataset
from anomalyclip.data.dataset import Item
from anomalyclip.data.doubts import Doubt
from anomalyclip.data.masks import MaskFiles, Reading, read_marked
from anomalyclip.data.samples import load_mask
from anomalyclip.errors import ImageReadError, InputError
from anomalyclip.evaluation.truth import read_truth
from anomalyclip.io.mask_levels import turned
from anomalyclip.io.reading import Reading as PictureReading

SIZE = (60, 40)
TRUTH = np.zeros((40, 60), bool)
TRUTH[8:20, 30:47] = True
GREY = (TRUTH * 255).astype(np.uint8)
RNG = np.random.default_rng(0)
PHOTO = RNG.normal(128, 20, (40, 60, 3)).clip(1, 255).astype(np.uint8)


def read(folder: Path, save: Callable[[Path], object], *, label: int = 1, suffix: str = ".png", **picture) -> Reading:
    """What `save` writes, read as the mask of a picture of SIZE (or as `picture` says)."""
    image, mask = folder / "picture.png", folder / f"mask{suffix}"
    Image.fromarray(PHOTO).resize(picture.get("size", SIZE)).save(image, exif=_note(picture.get("turn", 1)))
    save(mask)
    return read_marked(mask, image, label)


def doubts(reading: Reading) -> set[Doubt]:
    return {finding.doubt for finding in reading.findings}


def _note(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _palette(colours: list[int]) -> Image.Image:
    image = Image.fromarray(TRUTH.astype(np.uint8)).convert("P")
    image = Image.frombytes("P", SIZE, TRUTH.astype(np.uint8).tobytes())
    image.putpalette(colours)
    return image


def _rgba(colour: int) -> Image.Image:
    return Image.fromarray(np.dstack([np.full((40, 60, 3), colour, np.uint8), GREY]))


CLASSES = TRUTH.astype(np.uint8)
CLASSES[10:15, 32:40] = 2
CLASSES[30:35, 2:9] = 3
SPREAD = CLASSES * 85


@pytest.mark.parametrize(
    ("write", "suffix", "expected", "found"),
    [
        (lambda p: Image.fromarray(GREY).save(p), ".png", TRUTH, set()),
        (lambda p: Image.fromarray(TRUTH).save(p), ".png", TRUTH, set()),
        (lambda p: Image.fromarray(GREY).save(p), ".bmp", TRUTH, set()),
        (lambda p: Image.fromarray(CLASSES).save(p), ".png", CLASSES > 0, {Doubt.FAINT}),
        (lambda p: Image.fromarray(SPREAD).save(p), ".png", CLASSES > 0, set()),
        (lambda p: Image.fromarray(TRUTH.astype(np.uint8)).save(p), ".png", TRUTH, {Doubt.FAINT}),
        (lambda p: Image.fromarray(CLASSES.astype(np.uint16)).save(p), ".png", CLASSES > 0, set()),
        (lambda p: tifffile.imwrite(p, CLASSES.astype(np.uint16) * 300), ".tif", CLASSES > 0, set()),
        (lambda p: tifffile.imwrite(p, TRUTH.astype(np.float32)), ".tif", TRUTH, set()),
        (lambda p: _palette([0, 0, 0, 128, 0, 0]).save(p), ".png", TRUTH, set()),
        (lambda p: _palette([0] * 6).save(p), ".png", TRUTH, {Doubt.PALETTE}),
        (lambda p: _rgba(255).save(p), ".png", TRUTH, set()),
        (lambda p: _rgba(0).save(p), ".png", TRUTH, {Doubt.ALPHA}),
        (lambda p: Image.fromarray(GREY).save(p, quality=75), ".jpg", TRUTH, {Doubt.SOFT}),
        (lambda p: Image.fromarray(GREY).convert("RGB").save(p, quality=70), ".webp", TRUTH, {Doubt.SOFT}),
        (lambda p: Image.fromarray(CLASSES).convert("RGB").save(p, lossless=True), ".webp", CLASSES > 0, {Doubt.FAINT}),
        (lambda p: Image.fromarray(GREY).save(p, compression="jpeg", quality=60), ".tif", TRUTH, {Doubt.SOFT}),
        (lambda p: Image.fromarray(CLASSES).save(p), ".jp2", CLASSES > 0, {Doubt.FAINT}),
        (lambda p: Image.fromarray(GREY).save(p, irreversible=True), ".jp2", TRUTH, {Doubt.SOFT}),
        (lambda p: tifffile.imwrite(p, np.where(TRUTH, 1, -1).astype(np.int16)), ".tif", TRUTH, set()),
        (lambda p: tifffile.imwrite(p, TRUTH.astype(np.int32)), ".tif", TRUTH, set()),
        (lambda p: Image.fromarray(np.dstack([0 * GREY, GREY])).save(p), ".png", TRUTH, {Doubt.ALPHA}),
        (lambda p: Image.fromarray(GREY).save(p), ".gif", TRUTH, set()),
    ],
)
def test_forms_of_masks(
    tmp_path: Path, write: Callable[[Path], object], suffix: str, expected: np.ndarray, found: set[Doubt]
) -> None:
    reading = read(tmp_path, write, suffix=suffix)
    assert doubts(reading) == found
    assert np.array_equal(reading.marked, expected)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS, Image.Resampling.BICUBIC])
def test_soft_edges_are_cut_at_half_of_full_scale(tmp_path: Path, factor: int, how: Image.Resampling) -> None:
    small = Image.fromarray(GREY).resize((SIZE[0] // factor, SIZE[1] // factor), how)
    soft = small.resize(SIZE, how)
    reading = read(tmp_path, soft.save)
    assert doubts(reading) == {Doubt.SOFT}
    assert np.array_equal(reading.marked, np.asarray(soft) >= 127.5)
    below = int(np.count_nonzero((np.asarray(soft) > 0) & (np.asarray(soft) < 127.5)))
    assert f"{below:,} of" in str(reading.findings[0])


@pytest.mark.parametrize("scale", [257, 16])
def test_sixteen_bits_of_soft_edges(tmp_path: Path, scale: int) -> None:
    """Also 12 bits in 16: half of what the mask reaches."""
    soft = np.asarray(Image.fromarray(GREY).resize((30, 20), 2).resize(SIZE, 2)).astype(np.uint16) * scale
    reading = read(tmp_path, lambda path: tifffile.imwrite(path, soft), suffix=".tif")
    assert doubts(reading) == {Doubt.SOFT}
    assert np.array_equal(reading.marked, soft >= soft.max() / 2)


def test_a_published_sets_mask_is_read_as_its_authors_do(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "m.jpg", quality=60)
    Image.fromarray(PHOTO).save(tmp_path / "i.png")
    reading = read_marked(tmp_path / "m.jpg", tmp_path / "i.png", 1, published=True)
    assert reading.findings == ()
    assert np.array_equal(reading.marked, np.asarray(Image.open(tmp_path / "m.jpg")) > 0)


def _white_background(path: Path) -> None:
    Image.fromarray(np.where(TRUTH[..., None], [220, 20, 60], [255] * 3).astype(np.uint8)).save(path)


@pytest.mark.parametrize(
    ("write", "suffix", "found"),
    [
        (lambda p: Image.fromarray(255 - GREY).save(p), ".png", {Doubt.HALF}),
        (_white_background, ".png", {Doubt.HALF}),
        (lambda p: Image.fromarray(PHOTO).save(p), ".png", {Doubt.HALF, Doubt.SOFT}),
        (lambda p: tifffile.imwrite(p, TRUTH), ".tif", {Doubt.HALF, Doubt.WHITE_IS_ZERO}),
        (lambda p: Image.fromarray(GREY * 0).save(p), ".png", {Doubt.BLACK}),
        (lambda p: Image.fromarray(GREY).resize((40, 60), 0).save(p), ".png", {Doubt.AREA}),
        (lambda p: Image.fromarray(GREY).resize((30, 20), 0).save(p), ".png", {Doubt.SCALED}),
    ],
)
def test_masks_that_cannot_be(tmp_path: Path, write: Callable[[Path], object], suffix: str, found: set[Doubt]) -> None:
    assert doubts(read(tmp_path, write, suffix=suffix)) == found


def test_a_mask_that_contradicts_its_label(tmp_path: Path) -> None:
    assert doubts(read(tmp_path, Image.fromarray(GREY).save, label=0)) == {Doubt.LABEL}
    assert doubts(read(tmp_path, Image.fromarray(GREY * 0).save, label=0)) == set()


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("drawn_on", ["stored", "shown", "noted"])
def test_exif_turns_the_mask_with_its_picture_or_the_mask_is_refused(
    tmp_path: Path, orientation: int, drawn_on: str
) -> None:
    """Where the sides differ, the size tells on what the mask was drawn; else nothing does, unless it has the note."""
    shown = turned(GREY, orientation)
    saved = shown if drawn_on == "shown" else GREY
    note = _note(orientation if drawn_on == "noted" else 1)
    reading = read(tmp_path, lambda path: Image.fromarray(saved).save(path, exif=note), turn=orientation)
    assert np.array_equal(shown, np.asarray(ImageOps.exif_transpose(Image.open(_with(GREY, orientation)))))
    if drawn_on == "noted" or orientation >= 5:
        assert np.array_equal(reading.marked, shown > 0)
        assert doubts(reading) == ({Doubt.TURNED} if drawn_on == "stored" else set())
    else:
        assert doubts(reading) == {Doubt.SIDEWAYS}
        assert not reading.usable


def _with(pixels: np.ndarray, orientation: int) -> io.BytesIO:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", exif=_note(orientation))
    return buffer


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_square_picture_that_exif_turns(tmp_path: Path, orientation: int) -> None:
    square = Image.fromarray(GREY).resize((40, 40), 0)
    assert doubts(read(tmp_path, square.save, size=(40, 40), turn=orientation)) == {Doubt.SIDEWAYS}
    even = np.zeros((40, 40), np.uint8)
    even[10:30, 10:30] = 255
    reading = read(tmp_path, Image.fromarray(even).save, size=(40, 40), turn=orientation)
    assert doubts(reading) == set(), "it is the same whichever way it is turned"


def test_several_masks_of_one_image_count_together(tmp_path: Path) -> None:
    parts = [np.zeros_like(GREY) for _ in range(2)]
    parts[0][:5, :5], parts[1][20:25, 20:25] = 255, 255
    for number, part in enumerate(parts):
        Image.fromarray(part).save(tmp_path / f"{number}.png")
    Image.fromarray(PHOTO).save(tmp_path / "i.png")
    mask = MaskFiles((tmp_path / "0.png", tmp_path / "1.png"))
    assert np.array_equal(read_marked(mask, tmp_path / "i.png", 1).marked, np.maximum(*parts) > 0)
    Image.fromarray(GREY).resize((30, 20)).save(tmp_path / "1.png")
    with pytest.raises(ImageReadError, match="differ in size"):
        read_marked(mask, tmp_path / "i.png", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Callable[[np.ndarray], Image.Image], str], Path]:
    """A set of four normal and four anomalous pictures whose masks `form` makes."""

    def make(form: Callable[[np.ndarray], Image.Image], suffix: str) -> Path:
        for number in range(8):
            kind = "bad" if number >= 4 else "good"
            (tmp_path / kind).mkdir(exist_ok=True)
            Image.fromarray(PHOTO).save(tmp_path / kind / f"{number}.png")
            if number >= 4:
                (tmp_path / "ground_truth/bad").mkdir(parents=True, exist_ok=True)
                form(np.roll(GREY, number, axis=1)).save(tmp_path / f"ground_truth/bad/{number}{suffix}")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("form", "suffix", "told"),
    [
        (lambda m: Image.fromarray(255 - m), ".png", "4 masks mark more than half of their picture"),
        (Image.fromarray, ".jpg", "4 masks hold values between the ends (JPEG or soft edges)"),
        (lambda m: Image.fromarray(PHOTO), ".png", "the photos themselves?"),
        (lambda m: Image.fromarray(m).resize((40, 60), 0), ".png", "4 masks do not cover the area of their picture"),
        (lambda m: Image.fromarray(m * 0), ".png", "4 masks of anomalous images are all black"),
    ],
)
def test_check_names_them_together(folder, form: Callable[[np.ndarray], Image.Image], suffix: str, told: str) -> None:
    (line, *_) = [line for line in check_dataset(open_dataset(folder(form, suffix))).problems if told in line]
    assert "4.png" in line or "4.jpg" in line


def test_check_tells_what_is_no_problem_as_a_note(folder) -> None:
    report = check_dataset(open_dataset(folder(lambda m: Image.fromarray(m // 255), ".png")))
    assert report.problems == []
    assert any(note.startswith("4 masks hold values of 1 to 3 of 255") for note in report.notes)


def test_check_finds_a_picture_and_a_mask_that_changed_places(folder) -> None:
    root = folder(Image.fromarray, ".png")
    (root / "bad/5.png").rename(root / "x.png")
    (root / "ground_truth/bad/5.png").rename(root / "bad/5.png")
    (root / "x.png").rename(root / "ground_truth/bad/5.png")
    problems = "\n".join(check_dataset(open_dataset(root)).problems)
    assert "5.png: the picture has two colours and the mask many; have they changed places?" in problems


def test_check_refuses_pictures_above_a_limit(folder) -> None:
    report = check_dataset(open_dataset(folder(Image.fromarray, ".png")), reading=PictureReading(60 * 40 - 1))
    assert report.total.unreadable == 8


def item(tmp_path: Path, mask: np.ndarray, label: int = 1) -> Item:
    Image.fromarray(PHOTO).save(tmp_path / "i.png")
    Image.fromarray(mask).save(tmp_path / "m.png")
    return Item(tmp_path / "i.png", tmp_path / "m.png", label, "x", "bad", True)


def test_evaluation_says_what_is_doubtful_and_refuses_what_contradicts(tmp_path: Path) -> None:
    truth, doubt = read_truth(item(tmp_path, GREY), SIZE, None)
    assert (doubt, np.array_equal(truth, TRUTH)) == (None, True)
    truth, doubt = read_truth(item(tmp_path, 255 - GREY), SIZE, None)
    assert "it marks more than half of its picture" in doubt
    assert np.array_equal(truth, ~TRUTH)
    with pytest.raises(InputError, match=r"labelled normal.*left out of the pixel metrics"):
        read_truth(item(tmp_path, GREY, 0), SIZE, None)
    truth, doubt = read_truth(item(tmp_path, GREY * 0, 0), SIZE, None)
    assert (doubt, truth.any()) == (None, False)


def test_training_reads_the_same(tmp_path: Path) -> None:
    soft = np.asarray(Image.fromarray(GREY).resize((30, 20), 2).resize(SIZE, 2))
    seen = load_mask(item(tmp_path, soft), 20)
    sharp = load_mask(item(tmp_path, ((soft >= 127.5) * 255).astype(np.uint8)), 20)
    assert np.array_equal(seen, sharp)
