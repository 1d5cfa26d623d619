"""Files of several pictures: counted, named and read one by one, compared with tifffile and with Pillow."""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from anomalyclip.errors import ConfigError, ImageReadError
from anomalyclip.io import gif, inspect, limits, notes_of, read_image, read_image_bytes, read_mask
from anomalyclip.io.frames import count_frames, parse_frames, split_frame, wanted
from anomalyclip.io.limits import DEFAULT_MAX_FRAMES
from anomalyclip.io.memo import Memo


def grey(path: Path, frame: int | None = None) -> np.ndarray:
    return np.asarray(read_image(path, frame=frame))[..., 0]


@pytest.fixture
def stack() -> np.ndarray:
    """(4, 40, 56) uint8 noise."""
    return np.random.default_rng(2).integers(0, 256, (4, 40, 56), dtype=np.uint8)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"tile": (16, 32)}, {"compression": "zlib"}, {"rowsperstrip": 7}])
def test_pages_equal_tifffiles(tmp_path, stack, options, byteorder, bigtiff):
    path = tmp_path / "s.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as file:
        for page in stack:
            file.write(page, photometric="minisblack", contiguous=False, **options)
    assert count_frames(path) == 4
    with tifffile.TiffFile(path) as file:
        for number, page in enumerate(file.pages):
            np.testing.assert_array_equal(grey(path, number), page.asarray())


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_pages_keep_their_depth(tmp_path, dtype):
    rng = np.random.default_rng(0)
    stack = (rng.random((3, 20, 24)) * (1 if dtype is np.float32 else 65535)).astype(dtype)
    stack[:, 0, 0] = 1 if dtype is np.float32 else 65535
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="minisblack")
    top = 1 if dtype is np.float32 else 65535
    for number in range(3):
        expected = np.floor(stack[number].astype(np.float64) / top * 255 + 0.5)
        np.testing.assert_array_equal(grey(tmp_path / "s.tif", number), expected)


def test_a_file_of_several_is_refused_where_nobody_said_which(tmp_path, stack):
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    with pytest.raises(ImageReadError, match="it holds 4 pictures; name one"):
        read_image(path)
    with pytest.raises(ImageReadError, match="it has no picture 4"):
        read_image(path, frame=4)
    with pytest.raises(ImageReadError, match="it holds 4 pictures"):
        read_mask(path)
    np.testing.assert_array_equal(read_mask(path, frame=2), stack[2] > 0)
    np.testing.assert_array_equal(np.asarray(read_image(f"{path}#frame=3"))[..., 0], stack[3])


def test_a_file_may_be_called_like_a_frame(tmp_path, stack):
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="minisblack")
    Image.fromarray(stack[3]).save(tmp_path / "s.tif#frame=1", format="PNG")
    assert split_frame(tmp_path / "s.tif#frame=1") == (str(tmp_path / "s.tif#frame=1"), None)
    assert split_frame(tmp_path / "s.tif#frame=2") == (str(tmp_path / "s.tif"), 2)
    np.testing.assert_array_equal(grey(tmp_path / "s.tif#frame=1"), stack[3])
    np.testing.assert_array_equal(grey(tmp_path / "s.tif", 1), stack[1])


def dng(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(np.dstack([picture[::8, ::8]] * 3), photometric="rgb", subfiletype=1, subifds=2)
        file.write(np.dstack([picture] * 3), photometric="rgb", subfiletype=0)
        file.write(np.dstack([picture[::2, ::2]] * 3), photometric="rgb", subfiletype=1)


def ome_pyramid(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(picture, subifds=2, photometric="minisblack", tile=(16, 16))
        file.write(picture[::2, ::2], subfiletype=1, photometric="minisblack", tile=(16, 16))
        file.write(picture[::4, ::4], subfiletype=0, photometric="minisblack", tile=(16, 16))


def thumbnail_first(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(picture[::8, ::8], photometric="minisblack", subfiletype=1)
        file.write(picture, photometric="minisblack", subfiletype=0)


def with_mask_page(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(picture, photometric="minisblack")
        file.write(picture > 0, photometric=4, subfiletype=4)


def slide_levels(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        for step in (1, 2, 4):
            file.write(picture[::step, ::step], photometric="minisblack", tile=(16, 16))


def aperio(path: Path, picture: np.ndarray) -> None:
    with tifffile.TiffWriter(path) as file:
        file.write(picture, photometric="minisblack", tile=(16, 16), description="Aperio Image Library v12")
        file.write(picture[:30:3, ::3], photometric="minisblack", description="Aperio thumbnail")
        file.write(picture[::4, ::4], photometric="minisblack", tile=(16, 16), description="Aperio level")
        file.write(picture[:10, :20], photometric="minisblack", subfiletype=1, description="label")


@pytest.mark.parametrize("make", [dng, ome_pyramid, thumbnail_first, with_mask_page, slide_levels, aperio])
def test_reduced_copies_are_no_pictures(tmp_path, make):
    picture = np.random.default_rng(6).integers(0, 256, (64, 96), dtype=np.uint8)
    make(tmp_path / "a.tif", picture)
    assert count_frames(tmp_path / "a.tif") == 1
    np.testing.assert_array_equal(grey(tmp_path / "a.tif"), picture)


def test_that_a_page_of_a_mask_is_not_used_is_told(tmp_path):
    picture = np.random.default_rng(6).integers(0, 256, (64, 96), dtype=np.uint8)
    for make, notes in ((with_mask_page, 1), (thumbnail_first, 0)):
        make(tmp_path / "a.tif", picture)
        told = inspect(tmp_path / "a.tif").notes
        assert len(told) == notes
        assert notes_of(read_image(tmp_path / "a.tif")) == told
        assert all("mask of the pixels that count; it is not used" in line for line in told)


def test_that_a_page_of_a_mask_is_not_used_is_told_once_a_file(tmp_path, stack):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in stack[:3]:
            file.write(page, photometric="minisblack")
            file.write(page > 0, photometric=4, subfiletype=4)
    assert count_frames(tmp_path / "a.tif") == 3
    assert [len(notes_of(read_image(tmp_path / "a.tif", frame=number))) for number in range(3)] == [1, 0, 0]


def test_old_subfile_type_and_pages_of_other_sizes(tmp_path, stack):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(stack[0, ::2, ::2], photometric="minisblack", extratags=[(255, "H", 1, 2, True)])
        file.write(stack[0], photometric="minisblack")
        file.write(stack[1, ::2, ::2], photometric="minisblack")  # smaller, but nothing calls it a copy
    assert count_frames(tmp_path / "a.tif") == 2
    np.testing.assert_array_equal(grey(tmp_path / "a.tif", 1), stack[1, ::2, ::2])


def test_stacks_in_one_page_are_refused_by_name(tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.tif", stack[0], description="ImageJ=1.54f\nimages=300\nslices=300\n", metadata=None)
    with pytest.raises(ImageReadError, match="300 pictures in one TIFF page"):
        read_image(tmp_path / "a.tif")


def test_a_looping_chain_ends(tmp_path):
    picture = np.zeros((4, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([picture] * 2), photometric="minisblack", metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    tags = struct.unpack_from("<H", data, first)[0]
    second = struct.unpack_from("<I", data, first + 2 + 12 * tags)[0]
    tags = struct.unpack_from("<H", data, second)[0]
    struct.pack_into("<I", data, second + 2 + 12 * tags, first)
    with pytest.raises(ImageReadError, match="holds 2 pictures"):
        read_image_bytes(bytes(data))


def encoded(pictures: list[Image.Image], kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, save_all=True, append_images=pictures[1:], **options)
    return buffer.getvalue()


ANIMATIONS = {"gif": ("GIF", {"disposal": 0}), "webp": ("WEBP", {"lossless": True}), "png": ("PNG", {"blend": 1})}


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_animations_equal_pillows_frames(tmp_path, suffix):
    rng = np.random.default_rng(8)
    picture = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    frames = []
    for number in range(6):  # a moving block: later frames hold a part only
        picture = picture.copy()
        picture[4 * (number % 3) : 4 * (number % 3) + 6, 5 * number : 5 * number + 6] = 40 * number
        frames.append(Image.fromarray(picture))
    kind, options = ANIMATIONS[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(frames, kind, **options))
    assert count_frames(path) == 6
    with Image.open(path) as animation:
        expected = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(animation)]
    for number in (0, 3, 1, 2, 5, 0, 4):  # in any order, as threads ask
        np.testing.assert_array_equal(np.asarray(read_image(path, frame=number)), expected[number])
        in_memory = read_image_bytes(path.read_bytes(), frame=number)
        np.testing.assert_array_equal(np.asarray(in_memory), expected[number])
    if suffix != "gif":
        np.testing.assert_array_equal(expected[4], np.asarray(frames[4]))
    with pytest.raises(ImageReadError, match="6 pictures"):
        read_image(path)


def test_transparent_frames_lie_over_white(tmp_path):
    clear, red = Image.new("RGBA", (8, 6)), Image.new("RGBA", (8, 6), (255, 0, 0, 255))
    (tmp_path / "a.webp").write_bytes(encoded([red, clear], "WEBP", lossless=True))
    assert np.asarray(read_image(tmp_path / "a.webp", frame=0))[0, 0].tolist() == [255, 0, 0]
    assert np.asarray(read_image(tmp_path / "a.webp", frame=1)).min() == 255


def test_a_replaced_file_is_read_anew(tmp_path):
    path = tmp_path / "a.gif"
    for level in (10, 200):
        path.write_bytes(encoded([Image.new("L", (9, 9), level), Image.new("L", (9, 9), 255 - level)], "GIF"))
        assert grey(path, 0)[0, 0] == level


def chunk(kind: bytes, body: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_an_animation_that_another_thread_lets_go_of_is_read_all_the_same(tmp_path, monkeypatch):
    """The thread that reads the last picture closes the decoder that one with an earlier picture has just found."""
    path = tmp_path / "a.gif"
    pictures = [Image.new("L", (8, 6), level) for level in (102, 204)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    find = Memo.of

    def found_too_late(self, file, make, more=None):
        found = find(self, file, make, more)
        self.clear()
        return found

    monkeypatch.setattr(Memo, "of", found_too_late)
    assert [int(grey(path, frame)[0, 0]) for frame in (0, 1)] == [102, 204]


def test_the_animation_is_counted_and_its_word_not_taken():
    data = encoded([Image.new("L", (9, 9), 10), Image.new("L", (9, 9), 255)], "PNG")
    start = data.index(b"acTL") - 4
    lie = data[:start] + chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + data[start + 20 :]
    with pytest.raises(ImageReadError, match="it holds 2 pictures"):
        read_image_bytes(lie)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 10_000), flip=st.integers(0, 10_000), suffix=st.sampled_from([*ANIMATIONS, "tif"]))
def test_damaged_files_raise_nothing_else(cut, flip, suffix):
    frames = [Image.new("RGB", (12, 10), (40 * number, 9, 7)) for number in range(3)]
    kind, options = ANIMATIONS.get(suffix, ("TIFF", {}))
    data = bytearray(encoded(frames, kind, **options))
    data[flip % len(data)] ^= 0x41
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(data[: cut % len(data)])
        for frame in (None, 0, 2):
            with suppress(ImageReadError):
                read_image(path, frame=frame)


def test_how_many_are_wanted():
    assert [parse_frames(each) for each in ("first", "all", "7", 3, None)] == [1, None, 7, 3, None]
    for wrong in ("0", "-1", "1.5", "some", "", True, 0, "٣"):
        with pytest.raises(ConfigError, match="expected first, all"):
            parse_frames(wrong)
    assert wanted(5, None) == (5, None)
    assert wanted(5, 2) == (2, None)
    number, told = wanted(DEFAULT_MAX_FRAMES + 1, None)
    assert number == DEFAULT_MAX_FRAMES
    assert f"{DEFAULT_MAX_FRAMES + 1:,} pictures" in told


def test_what_is_counted_once_is_not_counted_for_every_picture(tmp_path, monkeypatch):
    """A long animation walked for each of its pictures would take the square of its length."""
    path = tmp_path / "a.gif"
    path.write_bytes(encoded([Image.new("L", (9, 9), shade) for shade in (10, 120, 255)], "GIF"))
    walks = []
    walk = gif.read_facts
    monkeypatch.setattr(gif, "read_facts", lambda file: walks.append(file) or walk(file))
    assert [int(grey(path, frame)[0, 0]) for frame in range(3)] == [10, 120, 255]
    assert len(walks) <= 3, "to count it, to check its header, to play it"


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_frames_that_are_in_their_bytes_are_not_refused(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(limits, "_MOST_TOGETHER", 1000)
    frames = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 40), np.uint8)) for n in range(3)]
    kind, options = ANIMATIONS[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(frames, kind, **options))
    assert count_frames(path) == 3
    monkeypatch.setattr(limits, "_MOST_OF_A_BYTE", 0)
    with pytest.raises(ImageReadError, match=r"it claims 3 pictures of .* gigapixels together"):
        count_frames(Path(shutil.copy(path, tmp_path / f"b.{suffix}")))
