"""Palettes of DICOM files, against their own entries: every order of bytes, number of entries and width."""

from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian
from tests.io.test_dicom import dataset

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image_bytes


def file_of(pixels: np.ndarray, tables: list[bytes], descriptor: list[int], *, little: bool = True) -> bytes:
    data = dataset(pixels, "PALETTE COLOR")
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", descriptor)
        data[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(data, f"{colour}PaletteColorLookupTableData", table)
    if not little:
        data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        data.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        data["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    buffer = io.BytesIO()
    dcmwrite(buffer, data, implicit_vr=False, little_endian=little, enforce_file_format=True)
    return buffer.getvalue()


def packed(values: np.ndarray, width: int, *, little: bool = True) -> bytes:
    """As the file holds them: 8 bits two in a word, filled up; the first of them in its lower half."""
    if width == 2:
        return values.astype("<u2" if little else ">u2").tobytes()
    whole = np.resize(values, len(values) + len(values) % 2).astype(np.uint8)
    return (whole if little else whole.reshape(-1, 2)[:, ::-1]).tobytes()


@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(("entries", "width"), [(4, 1), (17, 1), (255, 1), (1000, 1), (17, 2), (256, 2), (1000, 2)])
def test_every_number_has_its_own_colour(entries, width, little):
    top = 2 ** (8 * width) - 1
    tables = np.random.default_rng(entries).integers(0, top + 1, (3, entries))
    numbers = np.arange(entries + 40).clip(max=None if entries > 255 else 255)  # beyond the last: the last
    pixels = np.resize(numbers, (4, 272)).astype(np.uint8 if entries < 256 else np.uint16)
    data = file_of(
        pixels, [packed(one, width, little=little) for one in tables], [entries, 0, 8 * width], little=little
    )
    shown = tables.T[np.minimum(pixels, entries - 1)] / top * 255
    assert np.abs(np.asarray(read_image_bytes(data)) - shown).max() <= 0.51


def test_the_first_number_of_a_palette_need_not_be_zero():
    tables = [packed(np.array([10, 20, 30]), 1)] * 3
    data = file_of(np.array([[0, 49, 50, 51, 52, 200]], np.uint8), tables, [3, 50, 8])
    assert np.asarray(read_image_bytes(data))[0, :, 0].tolist() == [10, 10, 10, 20, 30, 30]


@pytest.mark.parametrize(("size", "bits"), [(256, 16), (254, 8), (510, 16)])
def test_tables_that_are_too_short_are_refused(size, bits):
    data = file_of(np.zeros((2, 2), np.uint8), [bytes(size)] * 3, [256, 0, bits])
    with pytest.raises(ImageReadError, match=f"{size} bytes for 256 entries of {bits} bits"):
        read_image_bytes(data)
