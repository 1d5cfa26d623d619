"""DICOM objects written by the test; windows compared with pydicom's own and with the standard's formula."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_modality_lut, apply_windowing
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of, read_image, read_image_bytes, read_mask
from anomalyclip.io.dicom import window


def dataset(pixels: np.ndarray, kind: str = "MONOCHROME2", bits: int | None = None, **tags: object) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["test"])
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.PhotometricInterpretation = kind
    data.SamplesPerPixel = 3 if pixels.shape[-1] == 3 and pixels.ndim > 2 else 1
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = 0
    data.Rows, data.Columns = pixels.shape[:2] if pixels.ndim == 2 or data.SamplesPerPixel == 3 else pixels.shape[1:]
    data.BitsAllocated = pixels.dtype.itemsize * 8
    data.BitsStored = bits or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    for name, value in tags.items():
        setattr(data, name, value)
    return data


@pytest.fixture
def shown(tmp_path: Path):
    """shown(dataset) -> the pixels that read_image gives, (H, W, 3) uint8."""

    def show(data: FileDataset) -> np.ndarray:
        data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
        return np.asarray(read_image(tmp_path / "a.dcm"))

    return show


@pytest.fixture
def counts() -> np.ndarray:
    grey = np.random.default_rng(4).integers(0, 4096, (13, 18), dtype=np.uint16)
    grey[0, 0] = 4095
    return grey


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("signed", [False, True])
def test_window_after_rescale_equals_pydicoms(shown, counts, function, signed):
    pixels = (counts.astype(np.int16) - 1024) if signed else counts
    data = dataset(pixels, bits=12 if not signed else 13, RescaleSlope="1.5", RescaleIntercept="-1000")
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = "400", "1500", function
    theirs = apply_windowing(apply_modality_lut(pixels, data), data)
    stored = (-(2**12), 2**12 - 1) if signed else (0, 2**12 - 1)
    low, high = (value * 1.5 - 1000 for value in stored)
    expected = np.floor((theirs - low) / (high - low) * 255 + 0.5)
    got = shown(data)
    assert np.abs(got[..., 0] - expected).max() <= (1 if function == "SIGMOID" else 0)
    assert (got == got[..., :1]).all()
    assert 0 < (got > 0).mean() < 1 or function == "SIGMOID"


def test_window_formula_of_the_standard():
    """PS3.3 C.11.2.1.2.1: with c = 2048 and w = 4096, y = ((x - 2047.5) / 4095 + 0.5), clipped."""
    x = np.array([-5, 0, 1000, 4095, 9000])
    np.testing.assert_allclose(window(x, 2048, 4096, "LINEAR"), [0, 0, 1000 / 4095, 1, 1])
    np.testing.assert_allclose(window(np.array([99, 100]), 100, 1, "LINEAR"), [0, 1])


def test_the_first_of_several_windows_counts(shown):
    data = dataset(np.array([[0, 50, 100, 100]], np.uint16), VOILUTFunction="LINEAR_EXACT")
    data.WindowCenter, data.WindowWidth = ["50", "5000"], ["100", "10000"]
    np.testing.assert_array_equal(shown(data)[0, :, 0], [0, 128, 255, 255])


def test_without_a_window_the_significant_bits_count(shown, counts):
    np.testing.assert_array_equal(shown(dataset(counts, bits=12))[..., 0], np.floor(counts / 4095 * 255 + 0.5))
    np.testing.assert_array_equal(shown(dataset(counts))[..., 0], np.floor(counts / 65535 * 255 + 0.5))
    eight = (counts // 16).astype(np.uint8)
    np.testing.assert_array_equal(shown(dataset(eight))[..., 0], eight)
    whole = dataset(counts, bits=12, RescaleSlope="1", RescaleIntercept="0")  # a rescale that changes nothing
    np.testing.assert_array_equal(shown(whole)[..., 0], np.floor(counts / 4095 * 255 + 0.5))


def test_monochrome1_is_turned_round(shown, counts):
    plain, negative = shown(dataset(counts)), shown(dataset(counts, "MONOCHROME1"))
    np.testing.assert_array_equal(negative, 255 - plain)


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("place", ["VOILUTSequence", "ModalityLUTSequence"])
def test_tables_of_eight_bits_whose_entries_take_bytes_or_words(shown, counts, place, words):
    """By the standard's definition: pydicom counts such a table's entries in 8 bits, and reads words as bytes."""
    table = (255 * np.linspace(0, 1, 4096) ** 0.5).astype(np.uint8)
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 8], "US"
    item.LUTData = table.astype("<u2" if words else "u1").tobytes()
    item["LUTDescriptor"].VR = "US"
    pixels = np.abs(counts.astype(np.int32)).astype(np.uint16) % 5000
    data = dataset(pixels, bits=13)
    setattr(data, place, [item])
    np.testing.assert_array_equal(shown(data)[..., 0], table[np.minimum(pixels, 4095)])
    item.LUTData = item.LUTData[:4000]
    with pytest.raises(ImageReadError, match="for 4,096 entries of 8 bits"):
        shown(data)


def test_a_nearly_black_picture_says_so(shown, tmp_path):
    shown(dataset(np.array([[0, 3_000_000]], np.uint32)))
    assert "nearly all black" in " ".join(notes_of(read_image(tmp_path / "a.dcm")))
    shown(dataset(np.array([[0, 1000]], np.uint16), bits=12))
    assert notes_of(read_image(tmp_path / "a.dcm")) == ()


def test_a_picture_of_nearly_one_grey_says_so(shown, tmp_path):
    """A CT of 16 signed bits without a window, as pydicom's CT_small.dcm is."""
    pixels = shown(dataset(np.array([[-1024, 0, 1167]], np.int16), bits=16, PixelRepresentation=1))
    assert np.ptp(pixels.astype(int)) < 10
    assert "nearly one grey" in " ".join(notes_of(read_image(tmp_path / "a.dcm")))
    shown(dataset(np.array([[-20_000, 0, 1167]], np.int16), bits=16, PixelRepresentation=1))
    assert notes_of(read_image(tmp_path / "a.dcm")) == ()


def test_voi_table(shown):
    data = dataset(np.array([[0, 1, 2, 9]], np.uint16))
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [3, 0, 10], [0, 1023, 341]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    data.VOILUTSequence = [item]
    np.testing.assert_array_equal(shown(data)[0, :, 0], [0, 255, 85, 85])  # beyond the table: its last entry


def test_colour(shown, rgb):
    np.testing.assert_array_equal(shown(dataset(rgb, "RGB")), rgb)
    y, cb, cr = (rgb[..., i].astype(float) for i in range(3))
    expected = np.stack(
        [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)], -1
    )
    assert np.abs(shown(dataset(rgb, "YBR_FULL")) - expected.clip(0, 255)).max() <= 1.5


def test_colour_of_more_than_8_bits(shown, rgb):
    """The luminance and colour differences of PS3.3 C.7.6.3.1.2, made here with more digits than are stored."""
    deep = rgb.astype(np.uint16) * 16 + 5
    red, green, blue = (deep[..., i].astype(float) for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = np.stack([luma, (blue - luma) / 1.772 + 2048, (red - luma) / 1.402 + 2048], -1)
    data = dataset(np.rint(stored).astype(np.uint16), "YBR_FULL", bits=12)
    assert np.abs(shown(data) - deep * (255 / 4095)).max() < 0.6
    np.testing.assert_array_equal(shown(dataset(deep, "RGB", bits=12)), np.floor(deep * (255 / 4095) + 0.5))


def test_palette_colour(shown):
    data = dataset(np.array([[0, 1, 2, 1]], np.uint8), "PALETTE COLOR")
    for channel, values in {"Red": [255, 0, 10], "Green": [0, 255, 20], "Blue": [0, 0, 30]}.items():
        setattr(data, f"{channel}PaletteColorLookupTableDescriptor", [3, 0, 16])
        data[f"{channel}PaletteColorLookupTableDescriptor"].VR = "US"
        table = np.array(values, "<u2") * 257
        setattr(data, f"{channel}PaletteColorLookupTableData", table.tobytes())
    np.testing.assert_array_equal(shown(data)[0, :3], [[255, 0, 0], [0, 255, 0], [10, 20, 30]])


def test_first_frame_and_rle(shown, counts, tmp_path):
    stack = np.stack([counts, counts // 2, counts // 3])
    expected = np.floor(counts / 4095 * 255 + 0.5)
    dataset(stack, bits=12, NumberOfFrames=3).save_as(tmp_path / "cine.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "cine.dcm", frame=0))[..., 0], expected)
    packed = dataset(counts, bits=12)
    packed.compress(RLELossless)
    np.testing.assert_array_equal(shown(packed)[..., 0], expected)


def test_mask_takes_stored_values(tmp_path):
    data = dataset(np.array([[0, 1, 900, 0]], np.uint16), WindowCenter="500", WindowWidth="10")
    data.save_as(tmp_path / "m.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.dcm"), [[False, True, True, False]])


def refused(path: Path, **options: int) -> str:
    with pytest.raises(ImageReadError) as caught:
        read_image(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_unknown_compression_names_the_remedy(tmp_path, counts):
    data = dataset(counts)
    header = struct.pack(">BHHBBBB", 16, *counts.shape, 1, 1, 0x11, 0)  # of a JPEG-LS picture of that size
    data.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + struct.pack(">H", 2 + len(header)) + header + b"\xff\xda\0\2"])
    data["PixelData"].is_undefined_length = True
    data.file_meta.TransferSyntaxUID = JPEGLSLossless
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    message = refused(tmp_path / "a.dcm")
    assert "JPEG-LS Lossless" in message
    assert "pylibjpeg" in message


def test_what_is_no_picture_is_refused(tmp_path, counts):
    path = tmp_path / "a.dcm"
    dataset(counts).save_as(path, enforce_file_format=True)
    assert "18 x 13" in refused(path, max_pixels=100)
    report = dataset(counts)
    del report.PixelData
    report.save_as(path, enforce_file_format=True)
    assert "truncated (its tags describe a picture, and it ends before its pixels)" in refused(path)
    del report.Rows
    report.save_as(path, enforce_file_format=True)
    assert "without pixels" in refused(path)
    dataset(counts, "HSV").save_as(path, enforce_file_format=True)
    assert "HSV" in refused(path)
    dataset(counts, WindowCenter="0", WindowWidth="-3").save_as(path, enforce_file_format=True)
    assert "window width" in refused(path)


@pytest.mark.parametrize("name", ["CT_small", "MR_small", "SC_rgb_small_odd_big_endian", "examples_rgb_color"])
def test_files_that_pydicom_brings(name):
    """Preambles that begin as a TIFF does; bytes of big endian in words."""
    path = get_testdata_file(f"{name}.dcm", download=False)
    if path is None:
        pytest.skip("this pydicom comes without it")
    theirs = pixel_array(path)
    ours = np.asarray(read_image(path)).astype(float)
    if theirs.ndim == 3:
        assert np.array_equal(ours, theirs)
    else:  # no window of their own compares: brighter stays brighter
        order = np.argsort(theirs.ravel(), kind="stable")
        assert (np.diff(ours[..., 0].ravel()[order]) >= 0).all()


@pytest.mark.parametrize("words", ["OW", "OB"])
def test_big_endian_frames_of_an_odd_number_of_bytes(tmp_path, words):
    frames = np.random.default_rng(4).integers(0, 256, (2, 3, 3, 3), np.uint8)
    data = dataset(frames[0], "RGB", SamplesPerPixel=3, PlanarConfiguration=0, NumberOfFrames=2)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = frames.tobytes()
    if words == "OW":
        data.PixelData = np.frombuffer(frames.tobytes(), ">u2").astype("<u2").tobytes()
    data["PixelData"].VR = words
    path = tmp_path / "a.dcm"
    dcmwrite(path, data, implicit_vr=False, little_endian=False, enforce_file_format=True)
    for number in range(2):
        assert np.array_equal(pixel_array(path, index=number), frames[number]), "pydicom agrees"
        assert np.array_equal(np.asarray(read_image(path, frame=number)), frames[number])


def test_a_declared_bomb_is_refused_before_decoding(tmp_path, counts):
    data = dataset(counts)
    data.Rows = data.Columns = 20_000
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "400 megapixels" in refused(tmp_path / "a.dcm")


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom comments on odd elements
def test_cut_anywhere(tmp_path, counts):
    dataset(counts).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    whole = (tmp_path / "a.dcm").read_bytes()
    for end in range(0, len(whole) - 1, 7):
        with pytest.raises(ImageReadError):
            read_image_bytes(whole[:end], "cut.dcm")


def test_without_pydicom_the_message_says_how_to_install_it(tmp_path, counts, monkeypatch):
    dataset(counts).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert 'pip install "anomalyclip[medical]"' in refused(tmp_path / "a.dcm")
