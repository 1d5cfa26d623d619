"""Instances of the kinds of input that went wrong once and are not about one format: doors, several pictures, scans,
identity, limits, numbers. The table in docs/reading.md is made of them; each is made and judged here.

`python -m tests.io.test_kinds` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageSequence
from sklearn.metrics import roc_auc_score
from tests.io.writers import DEEP, GREY, RGB, TWELVE, animation, dicom, nifti, pillow, png, profile, tif, unfiltered

from anomalyclip.combining import doubts_of
from anomalyclip.detect.identity import identify
from anomalyclip.errors import ConfigError, ImageReadError, InputError
from anomalyclip.io import read_image, read_image_bytes
from anomalyclip.io.frames import count_frames_of
from anomalyclip.io.reading import Reading
from anomalyclip.io.scanning import PassedOver, scan
from anomalyclip.io.sources import as_image
from anomalyclip.metrics import PixelMetrics
from anomalyclip.prediction import decide

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
START, END = "<!-- kinds: made by tests/io/test_kinds.py -->", "<!-- end of kinds -->"


class Instance(NamedTuple):
    """kind: as the table calls it. what: the input. becomes: in words; check: makes it in a folder, and fails where that
    is not what becomes of it."""

    kind: str
    what: str
    becomes: str
    check: Callable[[Path], object]


def same(data: Callable[[], bytes], way: Callable[[Path], Any]) -> Callable[[Path], None]:
    """The door gives the pixels of the path."""

    def check(folder: Path) -> None:
        (folder / "a.bin").write_bytes(data())
        right, found = as_image(folder / "a.bin"), as_image(way(folder / "a.bin"))
        assert found.size == right.size
        assert found.tobytes() == right.tobytes()

    return check


def loaded(path: Path) -> Image.Image:
    image = Image.open(path)
    image.load()
    return image


def hdr_loaded(folder: Path) -> None:
    (folder / "a.png").write_bytes(png(8, 2, unfiltered(RGB), (b"cICP", b"\x09\x10\0\1")))
    for source in (folder / "a.png", loaded(folder / "a.png")):
        with pytest.raises(ImageReadError, match="its samples are PQ"):
            as_image(source)
    with_profile = pillow("WEBP", RGB, icc_profile=profile(b"cicp", b"cicp\0\0\0\0\x09\x10\0\1"))()
    with pytest.raises(ImageReadError, match="its samples are PQ"):
        as_image(Image.open(io.BytesIO(with_profile)).copy())


def turned(kind: str, **options: Any) -> Callable[[], bytes]:
    note = Image.Exif()
    note[0x0112] = 6
    return pillow(kind, RGB, exif=note.tobytes(), **options)


def xmp_turned() -> bytes:
    body = b"http://ns.adobe.com/xap/1.0/\0<rdf:Description tiff:Orientation='6'/>"
    data = pillow("JPEG", RGB)()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def frames(data: Callable[[], bytes], right: Callable[[bytes], list[np.ndarray]]) -> Callable[[Path], None]:
    """Every picture is what an independent reader makes of it; none is taken where nobody says which."""

    def check(_: Path) -> None:
        content = data()
        wanted = right(content)
        assert count_frames_of(content) == len(wanted) > 1
        for number, one in enumerate(wanted):
            assert np.array_equal(np.asarray(read_image_bytes(content, frame=number)), one)
        with pytest.raises(ImageReadError, match=f"it holds {len(wanted)} pictures"):
            read_image_bytes(content)

    return check


def pillows(content: bytes) -> list[np.ndarray]:
    image = Image.open(io.BytesIO(content))
    return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]


def greys(*values: np.ndarray) -> list[np.ndarray]:
    return [np.dstack([one] * 3) for one in values]


def local_palettes() -> bytes:
    buffer = io.BytesIO()
    parts = [Image.fromarray(np.roll(RGB, 7 * n, 1)).quantize(16 + n) for n in range(3)]
    parts[0].save(buffer, "GIF", save_all=True, append_images=parts[1:], disposal=2)
    return buffer.getvalue()


def with_thumbnail() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(RGB[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(RGB, photometric="rgb")
        file.write(255 - RGB, photometric="rgb")
    return buffer.getvalue()


def coloured_frames() -> bytes:
    planes = np.stack([RGB, 255 - RGB]).transpose(0, 3, 1, 2)
    more = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 1, "NumberOfFrames": 2}
    return dicom(np.ascontiguousarray(planes), **more)()


def volumes() -> bytes:
    one = np.repeat(GREY.T[:, :, None], 2, 2)
    return nifti(np.stack([one, 255 - one], 3))()


def scanned(name: str, data: bytes, kind: str, told: str) -> Callable[[Path], None]:
    def check(folder: Path) -> None:
        (folder / name).write_bytes(data)
        (entry,) = scan(str(folder))
        assert (entry.kind.name, entry.told) == (kind, told)

    return check


def tiny_maps(_: Path) -> None:
    """All of them in what was one bin of a histogram from 0 to 1."""
    rng = np.random.default_rng(0)
    truth = rng.random((2, 40, 40)) < 0.2
    maps = 10 ** (rng.uniform(-12, -9, truth.shape) + truth)
    streaming = PixelMetrics()
    streaming.update(maps, truth)
    bound = streaming.error_bounds()["pixel_auroc"]
    assert abs(streaming.compute()["pixel_auroc"] - roc_auc_score(truth.ravel(), maps.ravel())) <= bound < 2e-3


def doubted(words: str, **settings: Any) -> Callable[[Path], None]:
    def check(_: Path) -> None:
        facts: Any = SimpleNamespace(name="pocket", patch_size=16)
        assert not doubts_of(facts, SimpleNamespace(image_size=320))
        (line,) = doubts_of(facts, SimpleNamespace(**settings))
        assert words in line

    return check


def repaired_texts(_: Path) -> None:
    from anomalyclip.clip.tokenizer import Tokenizer

    tokenizer = Tokenizer()
    for given, plain in (
        ("“ok”", '"ok"'),
        ("it’s", "it's"),
        ("ﬁne", "fine"),
        ("ＯＫ", "ok"),
        ("cafe\u0301", "caf\u00e9"),
    ):
        assert tokenizer.encode(given) == tokenizer.encode(plain)


def arrays_beside(folder: Path) -> None:
    np.save(folder / "a.npy", GREY)
    for name in ("b.mat", "c.h5"):
        (folder / name).write_bytes(b"any")
    passed = PassedOver()
    for entry in scan(str(folder)):
        passed.add(entry)
    (line,) = passed.lines()
    assert line.startswith("3 files of arrays were passed over (.h5 .mat .npy)")
    assert PassedOver.recorded(passed.record()) == passed


def link_to_itself(folder: Path) -> None:
    (folder / "a.png").symlink_to(folder / "a.png")
    (folder / "b.png").write_bytes(pillow("PNG", GREY)())
    assert [entry.kind.name for entry in scan(str(folder))] == ["PICTURE", "PICTURE"]
    with pytest.raises(ImageReadError, match="leads back to itself"):
        read_image(folder / "a.png")


def identity(change: Callable[[Path, Path], object], same: bool) -> Callable[[Path], None]:
    """Whether a file, after a change, still is the one that was scored; the second path is another of its size."""

    def check(folder: Path) -> None:
        one, other = folder / "a.bin", folder / "b.bin"
        one.write_bytes(b"one picture")
        other.write_bytes(b"two picture")
        known = identify(str(one))
        assert known is not None
        change(one, other)
        assert known.still_of(str(one)) is same

    return check


def overwrite_keeping_time(one: Path, other: Path) -> None:
    before = one.stat()
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(before.st_atime_ns, before.st_mtime_ns))


def swap_link(one: Path, other: Path) -> None:
    one.unlink()
    one.symlink_to(other)


def within(data: Callable[[], bytes]) -> Callable[[Path], None]:
    """Read up to our limit, whatever the library's own; refused beyond it, before a decoder runs."""

    def check(_: Path) -> None:
        content, kept = data(), Image.MAX_IMAGE_PIXELS
        try:
            Image.MAX_IMAGE_PIXELS = 10
            assert read_image_bytes(content, max_pixels=40 * 24).size == (40, 24)
        finally:
            Image.MAX_IMAGE_PIXELS = kept
        with pytest.raises(ImageReadError, match=r"0\.00096 megapixels, the limit is 0\.000959"):
            read_image_bytes(content, max_pixels=40 * 24 - 1)

    return check


def refused(error: type[Exception], words: str, call: Callable[[], object]) -> Callable[[Path], None]:
    def check(_: Path) -> None:
        with pytest.raises(error, match=words):
            call()

    return check


def black_floats_first(folder: Path) -> None:
    """It says nothing of a scale, so it decides none."""
    tifffile.imwrite(folder / "black.tif", np.zeros((4, 5), np.float32))
    tifffile.imwrite(folder / "counts.tif", np.full((4, 5), 200, np.float32))
    reading = Reading()
    assert np.asarray(reading.image(folder / "black.tif")).max() == 0
    assert np.asarray(reading.image(folder / "counts.tif")).min() == 200
    assert np.asarray(reading.image(folder / "black.tif")).max() == 0


def floats_of_two_scales(folder: Path) -> None:
    run = Reading()
    for name, top in (("unit", 1.0), ("counts", 255.0)):
        tifffile.imwrite(folder / f"{name}.tif", (GREY / 255 * top).astype(np.float32))
    run.image(folder / "unit.tif")
    with pytest.raises(ImageReadError, match="--full-scale 255"):
        run.image(folder / "counts.tif")


def with_holes(_: Path) -> None:
    values = (GREY / 255).astype(np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    shown = np.asarray(read_image_bytes(tif(values)()))[0, :4, 0]
    assert shown.tolist() == [0, 255, 0, GREY[0, 3]]


UNIT = (GREY / 255).astype(np.float32)
SCALED = {"extratags": [(341, "H", 1, 4095, True)]}
INSTANCES = (
    Instance("doors", "bytes in a memoryview", "as the path", same(pillow("PNG", RGB), lambda path: memoryview(path.read_bytes()))),
    Instance("doors", "an open file", "as the path", same(tif(DEEP), lambda path: io.BytesIO(path.read_bytes()))),
    Instance("doors", "a PIL image of 12 bits, loaded", "as the path", same(tif(TWELVE, **SCALED), loaded)),
    Instance("doors", "a PIL image of 16 bits whose white is zero, loaded", "as the path", same(tif(65535 - DEEP, photometric="miniswhite"), loaded)),
    Instance("doors", "a PIL image of a PGM with a maximum of 100, loaded", "as the path", same(lambda: b"P5 40 24 100\n" + (GREY // 3).tobytes(), loaded)),
    Instance("doors", "a PIL image of the narrow range of video, loaded", "as the path", same(lambda: png(8, 2, unfiltered(RGB), (b"cICP", b"\1\x0d\0\0")), loaded)),
    Instance("doors", "a PIL image of HDR, loaded", "refused, as the path", hdr_loaded),
    Instance("doors", "a PIL image turned by EXIF (JPEG, PNG, WebP)", "as the path", lambda folder: [same(turned(kind), loaded)(folder) for kind in ("JPEG", "PNG", "WEBP")]),
    Instance("doors", "a PIL image turned by XMP in single quotes", "as the path", same(xmp_turned, loaded)),
    Instance("doors", "a copy of a PIL image with one transparent grey of 16 bits", "as the path", same(lambda: png(16, 0, unfiltered(DEEP.astype(">u2")), (b"tRNS", struct.pack(">H", DEEP[3, 3]))), lambda path: loaded(path).copy())),
    Instance("doors", "an array of half floats", "as the float TIFF", same(tif(UNIT.astype(np.float16)), lambda _: UNIT.astype(np.float16))),
    Instance("doors", "an array of int32", "refused", refused(InputError, "must be uint8, uint16, bool or float", lambda: as_image(GREY.astype(np.int32)))),
    Instance("doors", "an array with masked pixels", "refused", refused(InputError, "has masked pixels", lambda: as_image(np.ma.masked_array(GREY, GREY > 99)))),
    Instance("several pictures", "GIF, each frame with its palette", "a row each", frames(local_palettes, pillows)),
    Instance("several pictures", "WebP", "a row each", frames(animation("WEBP", lossless=True), pillows)),
    Instance("several pictures", "APNG behind a still picture", "a row each", frames(animation("PNG", default_image=True), pillows)),
    Instance("several pictures", "TIFF behind its thumbnail", "a row each", frames(with_thumbnail, lambda _: [RGB, 255 - RGB])),
    Instance("several pictures", "DICOM, colours in planes", "a row each", frames(coloured_frames, lambda _: [RGB, 255 - RGB])),
    Instance("several pictures", "NIfTI, two volumes", "a row each", frames(volumes, lambda data: greys(*(np.asarray(nibabel.Nifti1Image.from_bytes(data).dataobj)[..., n % 2, n // 2].T[::-1, ::-1].astype(np.uint8) for n in range(4))))),
    Instance("several pictures", "PGM and PPM in a row", "a row each", frames(lambda: b"P5 40 24 255\n" + GREY.tobytes() + b"P6 40 24 255\n" + RGB.tobytes(), lambda _: [*greys(GREY), RGB])),
    Instance("folder scans", "a DICOM called IM000001", "a picture", scanned("IM000001", dicom(GREY)(), "PICTURE", "")),
    Instance("folder scans", "a QOI without a suffix", "counted", scanned("image", pillow("QOI", RGB)(), "UNREAD", "QOI")),
    Instance("folder scans", "a raw photo (.nef)", "counted", scanned("a.NEF", b"MM\0*", "UNREAD", ".nef")),
    Instance("folder scans", "NumPy, MATLAB, HDF5 (.npy, .mat, .h5)", "counted", arrays_beside),
    Instance("folder scans", "a tar without a suffix", "counted", scanned("all", b"a.png".ljust(257, b"\0") + b"ustar\0", "ARCHIVE", "tar archive")),
    Instance("folder scans", "a web page called a.png", "a row that says so", scanned("a.png", b"<html>", "PICTURE", ".png")),
    Instance("folder scans", "a link to itself", "a row of its own, the others stay", link_to_itself),
    Instance("identity", "touched", "the same", identity(lambda one, _: os.utime(one, ns=(1, 1)), same=True)),
    Instance("identity", "written again with the same bytes", "the same", identity(lambda one, _: one.write_bytes(one.read_bytes()), same=True)),
    Instance("identity", "other bytes of the same length", "scored again", identity(lambda one, other: one.write_bytes(other.read_bytes()), same=False)),
    Instance("identity", "other bytes of the same length and date", "scored again", identity(overwrite_keeping_time, same=False)),
    Instance("identity", "another file moved onto it", "scored again", identity(lambda one, other: other.replace(one), same=False)),
    Instance("identity", "a link that leads elsewhere now", "scored again", identity(swap_link, same=False)),
    *(Instance("limits", f"{name} at the limit, and a pixel beyond", "read, refused", within(data)) for name, data in {
        "JPEG": pillow("JPEG", RGB), "PNG of 16 bits": pillow("PNG", DEEP), "TIFF": tif(RGB, photometric="rgb"), "BMP": pillow("BMP", RGB),
        "GIF": pillow("GIF", Image.fromarray(RGB).quantize()), "WebP": pillow("WEBP", RGB), "PPM": pillow("PPM", RGB),
        "JPEG 2000": pillow("JPEG2000", RGB), "AVIF": pillow("AVIF", RGB), "DICOM": dicom(GREY),
    }.items()),
    Instance("numbers", "NaN and infinities in a float TIFF", "black, white, black", with_holes),
    Instance("numbers", "NaN in an array", "refused", refused(InputError, "NaN or infinity", lambda: as_image(np.full((2, 2), np.nan)))),
    Instance("numbers", "a score that is no number", "refused", refused(InputError, "the score is nan", lambda: decide(float("nan"), 0.5))),
    Instance("numbers", "floats of 0 to 1 beside such of 0 to 255", "refused, with the remedy", floats_of_two_scales),
    Instance("numbers", "a black picture of floats beside such of 0 to 255", "read, both", black_floats_first),
    Instance("numbers", "pixel metrics of maps of 1e-12 to 1e-8", "as scikit-learn's, within the bound that stands beside them", tiny_maps),
    Instance("numbers", "an `--image-size` that is no multiple of the patch", "told", doubted("no multiple of the patch", image_size=330)),
    Instance("numbers", "curly quotes, ligatures, full-width letters in a prompt", "as OpenAI's tokenizer repairs them", repaired_texts),
    Instance("numbers", "`--full-scale` of NaN", "refused", refused(ConfigError, "expected the stored value of white", lambda: Reading.of({"full_scale": [float("nan")]}))),
)  # fmt: skip


@pytest.mark.parametrize("instance", INSTANCES, ids=[f"{one.kind}: {one.what}" for one in INSTANCES])
def test_every_instance_becomes_what_the_table_says(instance: Instance, tmp_path: Path) -> None:
    instance.check(tmp_path)


def test_each_kind_has_five_instances() -> None:
    kinds = [one.kind for one in INSTANCES]
    assert min(kinds.count(kind) for kind in kinds) >= 5


def table() -> str:
    lines = ["| kind | instance | what becomes of it |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {one.kind} | {one.what} | {one.becomes} |" for one in INSTANCES)])


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.io.test_kinds"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
