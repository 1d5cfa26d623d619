"""NIfTI volumes as slices, against nibabel's own canonical form; headers that lie and files that unpack for ever."""

from __future__ import annotations

import gzip
import struct
from itertools import permutations
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from anomalyclip.errors import ImageReadError
from anomalyclip.io import nifti, read_image, read_image_bytes, read_mask
from anomalyclip.io.frames import count_frames

SHAPE = (5, 7, 9)


def written(
    path: Path, values: np.ndarray, affine: np.ndarray | None = None, kind: str = "Nifti1", **told: float
) -> Path:
    image = getattr(nib, f"{kind}Image")(values, np.eye(4) if affine is None else affine)
    for name, number in told.items():
        image.header[name] = number
    nib.save(image, path)
    return path


@pytest.fixture
def volume() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, SHAPE, dtype=np.uint8)


def expected(image: nib.Nifti1Image, axis: str, index: int) -> np.ndarray:
    """The slice as nibabel's canonical volume has it, laid out as the module says."""
    canonical = np.asarray(nib.as_closest_canonical(image).dataobj)
    place = ["x", "y", "z"].index(axis)
    number, index = divmod(index, canonical.shape[place])
    chosen = canonical if canonical.ndim == 3 else canonical[..., number]
    return np.take(chosen, index, axis=place).T[::-1, ::-1]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_slices_equal_nibabels_canonical_ones(tmp_path, volume, order, axis, suffix):
    affine = np.zeros((4, 4))
    for storage, canonical in enumerate(order):
        affine[canonical, storage] = (-2.0 if (storage + canonical) % 2 else 1.5) * (1 + storage)
    affine[3, 3] = 1
    path = written(tmp_path / f"a{suffix}", volume, affine)
    image = nib.load(path)
    number = nib.as_closest_canonical(image).shape["xyz".index(axis)]
    assert count_frames(path, axis=axis) == number
    for index in (0, number // 2, number - 1):
        shown = np.asarray(read_image(path, frame=index, axis=axis))
        np.testing.assert_array_equal(shown[..., 0], expected(image, axis, index))
        in_memory = np.asarray(read_image_bytes(path.read_bytes(), frame=index, axis=axis))
        np.testing.assert_array_equal(in_memory, shown)


@pytest.mark.parametrize("kind", ["Nifti1", "Nifti2"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2"])
def test_every_depth_is_shown_in_one_window(tmp_path, kind, dtype):
    values = (np.random.default_rng(4).random(SHAPE) * 200).astype(dtype)
    path = written(tmp_path / "a.nii", values, kind=kind)
    low, high = (0, 255) if dtype is np.uint8 else (values.min(), values.max())
    for index in range(SHAPE[2]):
        unit = (values[:, :, index].T[::-1, ::-1].astype(float) - low) / (float(high) - low)
        np.testing.assert_array_equal(np.asarray(read_image(path, frame=index))[..., 0], np.floor(unit * 255 + 0.5))


def test_the_header_states_the_window_and_the_rescale(tmp_path):
    values = np.random.default_rng(4).integers(0, 1000, SHAPE).astype(np.int16)
    path = written(tmp_path / "a.nii", values, cal_min=-100, cal_max=400)
    raw = bytearray(path.read_bytes())
    struct.pack_into("<ff", raw, 112, 0.5, -200)  # scl_slope, scl_inter
    path.write_bytes(raw)
    rescaled = np.asarray(nib.load(path).dataobj)
    unit = (rescaled[:, :, 3].T[::-1, ::-1] + 100) / 500
    np.testing.assert_array_equal(
        np.asarray(read_image(path, frame=3))[..., 0], np.floor(np.clip(unit, 0, 1) * 255 + 0.5)
    )


def test_several_volumes_and_masks(tmp_path):
    values = np.random.default_rng(4).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    path = written(tmp_path / "a.nii.gz", values)
    assert count_frames(path) == 27
    np.testing.assert_array_equal(np.asarray(read_image(path, frame=9 + 4))[..., 0], values[:, :, 4, 1].T[::-1, ::-1])
    mask = written(tmp_path / "m.nii.gz", (values[..., 0] > 250).astype(np.uint8))
    np.testing.assert_array_equal(read_mask(mask, frame=2), values[:, :, 2, 0].T[::-1, ::-1] > 250)
    with pytest.raises(ImageReadError, match="27 pictures"):
        read_image(path)


def test_colours(tmp_path):
    rgb = np.zeros(SHAPE, np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    for number, name in enumerate("RGB"):
        rgb[name] = np.random.default_rng(number).integers(0, 256, SHAPE)
    path = written(tmp_path / "a.nii", rgb)
    plane = rgb[:, :, 2].T[::-1, ::-1]
    np.testing.assert_array_equal(np.asarray(read_image(path, frame=2)), np.dstack([plane[name] for name in "RGB"]))


def header(path: Path, at: int, code: str, *values: float) -> bytes:
    """The file with a field of its header replaced."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(code, raw, at, *values)
    return bytes(raw)


def test_headers_that_lie(tmp_path, volume):
    path = written(tmp_path / "a.nii", volume)

    def refused(data: bytes) -> str:
        (tmp_path / "b.nii").write_bytes(data)
        with pytest.raises(ImageReadError) as caught:
            read_image(tmp_path / "b.nii", frame=0)
        return str(caught.value)

    assert "the limit is" in refused(header(path, 40, "<8h", 3, 10000, 10000, 32767, 1, 1, 1, 1))
    assert "sides" in refused(header(path, 40, "<8h", 3, -4, 7, 9, 1, 1, 1, 1))
    assert "sides" in refused(header(path, 40, "<8h", 900, 4, 7, 9, 1, 1, 1, 1))
    assert "truncated" in refused(header(path, 40, "<8h", 4, 5, 7, 9, 2, 1, 1, 1))
    assert "complex numbers" in refused(header(path, 70, "<h", 32))  # complex
    assert "begin at byte" in refused(header(path, 108, "<f", float("nan")))
    assert "another file" in refused(header(path, 344, "4s", b"ni1\0"))
    assert "truncated" in refused(header(path, 40, "<8h", 3, 32767, 32767, 1, 1, 1, 1, 1))
    assert "truncated" in refused(path.read_bytes()[:350])


def test_a_packed_file_is_unpacked_no_further_than_its_header_says(tmp_path, volume, monkeypatch):
    raw = written(tmp_path / "a.nii", volume).read_bytes()
    monkeypatch.setattr(nifti.tempfile, "TemporaryFile", lambda **_: (tmp_path / "t").open("w+b"))
    (tmp_path / "bomb.nii.gz").write_bytes(gzip.compress(raw + b"\0" * 50_000_000))
    np.testing.assert_array_equal(
        np.asarray(read_image(tmp_path / "bomb.nii.gz", frame=1))[..., 0], volume[:, :, 1].T[::-1, ::-1]
    )
    assert (tmp_path / "t").stat().st_size == len(raw)
    (tmp_path / "short.nii.gz").write_bytes(gzip.compress(raw[:-10]))
    (tmp_path / "cut.nii.gz").write_bytes(gzip.compress(raw)[:-40])
    for name in ("short.nii.gz", "cut.nii.gz"):
        with pytest.raises(ImageReadError, match="truncated"):
            read_image(tmp_path / name, frame=1)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"no volume" * 100))
    with pytest.raises(ImageReadError, match="gzip archive"):
        read_image(tmp_path / "a.gz")
