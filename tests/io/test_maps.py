"""Maps on disk, read by programs that are not ours."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from anomalyclip.errors import ImageReadError, InputError, OutputError
from anomalyclip.io import read_map, write_map


@pytest.fixture
def heat() -> np.ndarray:
    return np.random.default_rng(8).random((37, 53), dtype=np.float32)


def smooth(height: int, width: int) -> np.ndarray:
    """A map as models give them: no two of its values are alike."""
    coarse = np.random.default_rng(3).random((7, 9), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def masked(height: int, width: int) -> np.ndarray:
    """The same, inside a ring of another size in every row: half of it counts."""
    heat = smooth(height, width)
    heat[np.hypot(*np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]) > 0.8] = 0
    return heat


def every_reader_finds(path: Path, heat: np.ndarray) -> None:
    np.testing.assert_array_equal(tifffile.imread(path), heat)
    with Image.open(path) as image:
        assert image.mode == "F"
        np.testing.assert_array_equal(np.asarray(image), heat)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), heat)
    np.testing.assert_array_equal(read_map(path), heat)


@pytest.mark.parametrize(
    ("made", "compression"),
    [(smooth, tifffile.COMPRESSION.NONE), (masked, tifffile.COMPRESSION.ADOBE_DEFLATE)],
)
@pytest.mark.parametrize(("size", "strips"), [((37, 53), 1), ((700, 801), 3), ((1200, 1), 1), ((1, 1200), 1)])
def test_tiff_is_plain_for_every_reader(made, compression, size, strips, tmp_path):
    path, heat = tmp_path / "a.tif", made(*size)
    write_map(path, heat, "tiff")
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
        page = file.pages[0]
        assert (page.dtype, page.shape, page.samplesperpixel) == (np.float32, size, 1)
        assert page.compression == compression
        assert page.predictor == tifffile.PREDICTOR.NONE
        assert len(page.dataoffsets) == strips
    every_reader_finds(path, heat)


def test_an_edge_that_does_not_count_says_nothing_of_the_rest(tmp_path):
    heat = smooth(700, 801)
    heat[:5] = heat[-5:] = 0
    write_map(tmp_path / "a.tif", heat)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.NONE
    every_reader_finds(tmp_path / "a.tif", heat)


def test_a_map_beyond_what_a_tiff_holds_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("anomalyclip.io.float_tiff._LARGEST", 300)
    write_map(tmp_path / "a.tif", np.zeros((9, 9)))
    with pytest.raises(OutputError, match="more than a TIFF holds; use the npz format"):
        write_map(tmp_path / "b.tif", np.random.default_rng(8).random((9, 9)))


def test_npz_has_the_key(heat, tmp_path):
    write_map(tmp_path / "a.npz", heat, "npz")
    with np.load(tmp_path / "a.npz") as data:
        assert data.files == ["anomaly_map"]
        np.testing.assert_array_equal(data["anomaly_map"], heat)
    np.testing.assert_array_equal(read_map(tmp_path / "a.npz"), heat)


@settings(max_examples=40, deadline=5000)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(width=32)),
    st.sampled_from(["tiff", "npz"]),
)
def test_any_float_survives(tmp_path_factory, values, fmt):
    path = tmp_path_factory.mktemp("maps") / "a"
    write_map(path, values, fmt)
    back = read_map(path)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, values)


def test_what_counts_little_gets_smaller_and_other_dtypes_are_converted(tmp_path):
    flat = np.zeros((500, 500))
    write_map(tmp_path / "a.tif", flat)
    assert (tmp_path / "a.tif").stat().st_size < 50_000
    assert read_map(tmp_path / "a.tif").dtype == np.float32
    flat[250:260] = np.random.default_rng(8).random((10, 500))  # between rows of nothing
    write_map(tmp_path / "a.tif", flat)
    assert (tmp_path / "a.tif").stat().st_size < 60_000
    np.testing.assert_array_equal(read_map(tmp_path / "a.tif"), flat.astype(np.float32))


def test_bad_maps_and_targets(heat, tmp_path):
    with pytest.raises(InputError, match=r"\(1, 37, 53\)"):
        write_map(tmp_path / "a.tif", heat[None])
    with pytest.raises(InputError, match=r"\(0, 4\)"):
        write_map(tmp_path / "a.tif", np.zeros((0, 4)))
    with pytest.raises(InputError, match="expected one of tiff, npz"):
        write_map(tmp_path / "a.png", heat, "png")
    with pytest.raises(OutputError, match="create the folder first"):
        write_map(tmp_path / "no" / "a.tif", heat)
    assert list(tmp_path.iterdir()) == []


def zipped(member: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, data)
    return buffer.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, **options)
    return buffer.getvalue()


def test_files_that_are_no_maps(tmp_path, heat):
    path = tmp_path / "a"
    lying = npy(np.zeros(3)).replace(b"(3,), ", b"(9999, 99999999), ").replace(b" " * 16, b"", 1)
    for content, says in {
        b"": "neither",
        b"text": "neither",
        zipped("other.npy", npy(heat)): "holds no 'anomaly_map'",
        zipped("anomaly_map.npy", npy(np.array([{}], object))): "damaged",  # a pickle is not opened
        zipped("anomaly_map.npy", npy(np.zeros((2, 2), np.uint8))): "not a float map",
        zipped("anomaly_map.npy", npy(np.zeros(4))): "not a float map",
        zipped("anomaly_map.npy", lying): "damaged",
        zipped("anomaly_map.npy", bytes(30_000)): "megapixels",
        zipped("anomaly_map.npy", npy(heat))[:-40]: "damaged",
    }.items():
        path.write_bytes(content)
        with pytest.raises(ImageReadError, match=says) as caught:
            read_map(path, max_pixels=3000)
        assert str(caught.value).startswith(f"{path}: ")
    write_map(path, heat)
    with pytest.raises(ImageReadError, match="53 x 37"):
        read_map(path, max_pixels=100)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ImageReadError, match="truncated"):
        read_map(path)
