"""DICOM as archives write it, against pydicom's own pipeline: frames, functional groups, stray bits, odd containers."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)
from tests.io.test_dicom import dataset

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image, read_image_bytes
from anomalyclip.io.frames import count_frames


@pytest.fixture
def stack() -> np.ndarray:
    """(3, 11, 14) uint16 of 12 bits."""
    return np.random.default_rng(3).integers(0, 4096, (3, 11, 14), dtype=np.uint16)


def written(data: FileDataset, path: Path) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path, frame: int | None = None) -> np.ndarray:
    return np.asarray(read_image(path, frame=frame))[..., 0]


def level(unit: np.ndarray) -> np.ndarray:
    return np.floor(np.clip(unit, 0, 1) * 255 + 0.5)


def group(centre: float | str, width: float | str, slope: float = 1, intercept: float = 0) -> Dataset:
    window, rescale, both = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = centre, width
    rescale.RescaleSlope, rescale.RescaleIntercept = slope, intercept
    both.FrameVOILUTSequence, both.PixelValueTransformationSequence = Sequence([window]), Sequence([rescale])
    return both


@pytest.mark.parametrize("where", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, RLELossless])
def test_functional_groups_equal_the_classic_file(tmp_path, stack, where, syntax):
    enhanced = dataset(stack, bits=12, NumberOfFrames=3)
    per_frame = [group(40 + 300 * n, 400 + n, 1.5, -1024) for n in range(3)]
    setattr(enhanced, where, Sequence(per_frame if where.startswith("Per") else per_frame[:1]))
    if syntax == RLELossless:
        enhanced.compress(RLELossless)
    elif syntax:
        enhanced.file_meta.TransferSyntaxUID = syntax
    path = written(enhanced, tmp_path / "enhanced.dcm")
    for number in range(3):
        said = number if where.startswith("Per") else 0
        classic = dataset(stack[number], bits=12, RescaleSlope="1.5", RescaleIntercept="-1024")
        classic.WindowCenter, classic.WindowWidth = 40 + 300 * said, 400 + said
        expected = grey(written(classic, tmp_path / "classic.dcm"))
        np.testing.assert_array_equal(grey(path, number), expected)
        theirs = apply_voi_lut(apply_modality_lut(stack[number], classic), classic)
        low, high = -1024, 4095 * 1.5 - 1024  # pydicom maps the window onto what the rescaled bits can hold
        np.testing.assert_array_equal(expected, level((theirs - low) / (high - low)))


def test_a_frames_own_group_has_the_last_word(tmp_path, stack):
    data = dataset(stack, bits=12, NumberOfFrames=3, WindowCenter="10", WindowWidth="20")
    data.SharedFunctionalGroupsSequence = Sequence([group(2000, 4000)])
    own = group("", "")
    data.PerFrameFunctionalGroupsSequence = Sequence([own, group(100, 200), Dataset()])
    path = written(data, tmp_path / "a.dcm")
    for number, (centre, width) in enumerate([(2000, 4000), (100, 200), (2000, 4000)]):
        expected = level((stack[number].astype(float) - (centre - 0.5)) / (width - 1) + 0.5)
        np.testing.assert_array_equal(grey(path, number), expected)


OPTIONAL = [
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "RescaleSlope",
    "RescaleIntercept",
    "NumberOfFrames",
    "PlanarConfiguration",
    "VOILUTSequence",
    "ModalityLUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "PixelPaddingValue",
    "PresentationLUTShape",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "HighBit",
]


@pytest.mark.parametrize("keyword", OPTIONAL)
def test_an_empty_attribute_is_an_absent_one(tmp_path, stack, keyword):
    plain = dataset(stack[0], bits=12, SOPClassUID=pydicom.uid.CTImageStorage)
    expected = grey(written(plain, tmp_path / "plain.dcm"))
    sequence = keyword.endswith("Sequence")
    setattr(plain, keyword, Sequence() if sequence else None)
    np.testing.assert_array_equal(grey(written(plain, tmp_path / "empty.dcm")), expected)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("high", [11, 13, 15])
def test_bits_that_are_no_pixels_are_left_out(tmp_path, signed, high):
    """Overlays in the unused bits, and pixels stored to the left."""
    rng = np.random.default_rng(1)
    values = rng.integers(-2048, 2048, (9, 10)) if signed else rng.integers(0, 4096, (9, 10))
    shift = high - 11
    rubbish = rng.integers(0, 65536, values.shape) & ~(0xFFF << shift) & 0xFFFF
    stored = ((values & 0xFFF) << shift | rubbish).astype(np.uint16)
    data = dataset(stored, bits=12, HighBit=high, PixelRepresentation=int(signed))
    data.WindowCenter, data.WindowWidth, data.VOILUTFunction = 100, 900, "LINEAR_EXACT"
    np.testing.assert_array_equal(grey(written(data, tmp_path / "a.dcm")), level((values - 100) / 900 + 0.5))
    del data.WindowCenter
    low = -2048 if signed else 0
    np.testing.assert_array_equal(grey(written(data, tmp_path / "a.dcm")), level((values - low) / 4095))


def test_without_a_window_the_series_range_or_the_rescaled_bits_are_the_scale(tmp_path):
    values = np.array([[-1024, 0, 1023, 300]], np.int16)
    data = dataset(values, bits=11, RescaleSlope="2", RescaleIntercept="10")
    np.testing.assert_array_equal(grey(written(data, tmp_path / "a.dcm"))[0], level((values[0] + 1024) / 2047))
    data.SmallestPixelValueInSeries, data.LargestPixelValueInSeries = 0, 600
    data["SmallestPixelValueInSeries"].VR = data["LargestPixelValueInSeries"].VR = "SS"
    np.testing.assert_array_equal(grey(written(data, tmp_path / "a.dcm"))[0], level(values[0] / 600))


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black(tmp_path, kind):
    values = np.array([[-2000, 0, 50, 100, -1999]], np.int16)
    data = dataset(values, kind, WindowCenter="50", WindowWidth="100", VOILUTFunction="LINEAR_EXACT")
    data.PixelPaddingValue, data.PixelPaddingRangeLimit = -2000, -1999
    data["PixelPaddingValue"].VR = data["PixelPaddingRangeLimit"].VR = "SS"
    shown = grey(written(data, tmp_path / "a.dcm"))[0]
    assert shown.tolist() == ([0, 0, 128, 255, 0] if kind == "MONOCHROME2" else [0, 255, 127, 0, 0])


def test_every_way_to_write_the_same_object(tmp_path, stack):
    def made() -> FileDataset:
        return dataset(stack[0], bits=12, WindowCenter=["2000", "5"], WindowWidth=["3000", "9"])

    expected = grey(written(made(), tmp_path / "a.dcm"))
    forms: dict[str, bytes] = {}
    for name, syntax in (("implicit", ImplicitVRLittleEndian), ("deflated", DeflatedExplicitVRLittleEndian)):
        data = made()
        data.file_meta.TransferSyntaxUID = syntax
        forms[name] = written(data, tmp_path / "b.dcm").read_bytes()
    big = made()
    big.PixelData = stack[0].astype(">u2").tobytes()
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    big.set_original_encoding(is_implicit_vr=False, is_little_endian=False)
    big.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    forms["big endian"] = (tmp_path / "b.dcm").read_bytes()
    for name in ("explicit", "implicit"):
        body = (tmp_path / "a.dcm").read_bytes() if name == "explicit" else forms["implicit"]
        forms[f"{name} without preamble"] = body[132:]
        length = struct.unpack_from("<I", body, 132 + 8)[0]
        forms[f"{name} without meta"] = body[132 + 12 + length :]
    for name, data_bytes in forms.items():
        (tmp_path / "IM000001").write_bytes(data_bytes)
        np.testing.assert_array_equal(grey(tmp_path / "IM000001"), expected, err_msg=name)
        if "without" not in name:
            theirs = pydicom.dcmread(io.BytesIO(data_bytes)).pixel_array
            np.testing.assert_array_equal(theirs, stack[0], err_msg=name)


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_frames(tmp_path, planar):
    stack = np.random.default_rng(2).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8)
    data = dataset(stack[0], "RGB", NumberOfFrames=2, PlanarConfiguration=planar)
    data.PixelData = (stack if planar == 0 else stack.transpose(0, 3, 1, 2)).tobytes()
    path = written(data, tmp_path / "a.dcm")
    for number in range(2):
        np.testing.assert_array_equal(np.asarray(read_image(path, frame=number)), stack[number])


def test_colour_without_half_its_samples_equals_pydicoms(tmp_path):
    data = dataset(np.zeros((8, 6, 3), np.uint8), "YBR_FULL_422")
    data.PixelData = np.random.default_rng(2).integers(16, 235, 8 * 6 * 2, dtype=np.uint8).tobytes()
    path = written(data, tmp_path / "a.dcm")
    np.testing.assert_array_equal(np.asarray(read_image(path)), pydicom.pixels.pixel_array(path))


def test_one_bit_frames_share_bytes(tmp_path):
    bits = np.random.default_rng(2).integers(0, 2, (3, 5, 7), dtype=np.uint8)
    data = dataset(bits[0], NumberOfFrames=3)
    data.BitsAllocated = data.BitsStored = 1
    data.HighBit = 0
    data.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    path = written(data, tmp_path / "a.dcm")
    for number in range(3):
        np.testing.assert_array_equal(grey(path, number), bits[number] * 255)


def jpeg(picture: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **({"irreversible": False} if kind == "JPEG2000" else {}))
    data = buffer.getvalue()
    return data[data.index(b"\xff\x4f\xff\x51") :] if kind == "JPEG2000" else data


def encapsulated(frames: list[bytes], kind: str, how: str, shape: tuple[int, int], count: int) -> FileDataset:
    data = dataset(np.zeros(shape, np.uint8), NumberOfFrames=count)
    data.file_meta.TransferSyntaxUID = JPEG2000Lossless if kind == "JPEG2000" else JPEGBaseline8Bit
    if how == "extended":
        data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        data.PixelData = encapsulate(frames, fragments_per_frame=3 if "fragments" in how else 1, has_bot="table" in how)
    data["PixelData"].is_undefined_length = True
    data["PixelData"].VR = "OB"
    return data


@pytest.mark.parametrize("how", ["table", "fragments with table", "fragments", "plain", "extended"])
@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_compressed_frames_equal_pydicoms(tmp_path, kind, how):
    stack = np.random.default_rng(2).integers(0, 256, (3, 40, 48), dtype=np.uint8)
    frames = [jpeg(picture, kind) for picture in stack]
    path = written(encapsulated(frames, kind, how, (40, 48), 3), tmp_path / "a.dcm")
    assert count_frames(path) == 3
    for number in (2, 0, 1):
        np.testing.assert_array_equal(grey(path, number), pydicom.pixels.pixel_array(path, index=number))


def test_what_is_there_and_what_is_claimed(tmp_path, stack):
    def refused(data: FileDataset) -> str:
        with pytest.raises(ImageReadError) as caught:
            read_image(written(data, tmp_path / "a.dcm"))
        return str(caught.value)

    assert "bytes of pixel data, its tags claim" in refused(dataset(stack, bits=12))  # three frames, none of them said
    assert "truncated" in refused(dataset(stack, bits=12, NumberOfFrames=4))
    assert "NumberOfFrames is no number" not in refused(dataset(stack, bits=12, NumberOfFrames=2**31 - 1))
    frames = [jpeg(np.zeros((40, 48), np.uint8), "JPEG")] * 3
    assert "3 compressed frames, its tags claim 4" in refused(encapsulated(frames, "JPEG", "fragments", (40, 48), 4))
    assert "table of frames" in refused(encapsulated(frames, "JPEG", "table", (40, 48), 2))
    assert "48 x 40 pixels of 1 samples, its tags claim 47 x 40" in refused(
        encapsulated(frames[:1], "JPEG", "table", (40, 47), 1)
    )
    assert "cannot be" in refused(dataset(stack[0], bits=12, HighBit=9))
    missing = dataset(stack[0])
    del missing.Rows
    assert "Rows is missing" in refused(missing)
    film = encapsulated(frames[:1], "JPEG", "table", (40, 48), 1)
    film.file_meta.TransferSyntaxUID = MPEG2MPML
    assert "video" in refused(film)
    few = dataset(stack, bits=12, NumberOfFrames=3)
    few.PerFrameFunctionalGroupsSequence = Sequence([group(1, 2)])
    written(few, tmp_path / "few.dcm")
    with pytest.raises(ImageReadError, match="describe 1 frames only"):
        read_image(tmp_path / "few.dcm", frame=1)


def test_a_palette_of_segments_and_sixteen_bits(tmp_path):
    data = dataset(np.array([[0, 1, 2, 3]], np.uint8), "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 16])
        data[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        segments = [0, 1, 0, 1, 3, 65535]  # the first entry, then a straight line of three
        setattr(data, f"Segmented{colour}PaletteColorLookupTableData", np.array(segments, "<u2").tobytes())
    data.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    theirs = pydicom.pixels.apply_color_lut(np.array([[0, 1, 2, 3]], np.uint8), data)
    np.testing.assert_array_equal(np.asarray(read_image(written(data, tmp_path / "a.dcm"))), level(theirs / 65535))
    data.SegmentedRedPaletteColorLookupTableData = np.array([0, 1, 0, *([1, 65535, 0] * 3)], "<u2").tobytes()
    with pytest.raises(ImageReadError, match="more than 65,536 entries"):
        read_image(written(data, tmp_path / "a.dcm"))


def test_a_thousand_nested_or_a_million_empty_items_are_refused(tmp_path, stack):
    whole = written(dataset(stack[0], bits=12), tmp_path / "a.dcm").read_bytes()
    body = whole.index(b"\x08\0\x16\0UI")
    undefined = struct.pack("<I", 0xFFFFFFFF)
    sequence = b"\x08\0\x05\x11SQ\0\0" + undefined
    deep = (sequence + b"\xfe\xff\x00\xe0" + undefined) * 1000
    with pytest.raises(ImageReadError, match="nested"):
        read_image_bytes(whole[:body] + deep + whole[body:])
    wide = sequence + b"\xfe\xff\x00\xe0\0\0\0\0" * 700_000 + b"\xfe\xff\xdd\xe0\0\0\0\0"
    with pytest.raises(ImageReadError, match="attributes"):
        read_image_bytes(whole[:body] + wide + whole[body:])
