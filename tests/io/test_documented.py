"""Every form of picture in one list: the table in docs/reading.md is made of it, and each row is written and read here.

`python tests/io/test_documented.py` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage, generate_uid

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of, read_image, read_image_bytes

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
START, END = "<!-- forms: made by tests/io/test_documented.py -->", "<!-- end of forms -->"
ROWS, COLUMNS = np.mgrid[:24, :40]
GREY = (40 + 3 * ROWS + 2 * COLUMNS).astype(np.uint8)
RGB = np.dstack([GREY, 255 - GREY, GREY // 2])
DEEP = GREY.astype(np.uint16) * 257
TWELVE = GREY.astype(np.uint16) * 16 + GREY // 16


class Form(NamedTuple):
    """A row: which kind, what it is called, the file's bytes, and the grey levels or RGB that it shows, or the words
    that refuse it. told: words of the note that comes with it. within: levels that a lossy form may be off."""

    kind: str
    name: str
    data: Callable[[], bytes]
    right: np.ndarray | str
    told: str = ""
    within: int = 0


def pillow(kind: str, image: np.ndarray | Image.Image, **options: object) -> Callable[[], bytes]:
    def write() -> bytes:
        buffer = io.BytesIO()
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
        return buffer.getvalue()

    return write


def tif(values: np.ndarray, **options: object) -> Callable[[], bytes]:
    def write() -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, **options)
        return buffer.getvalue()

    return write


def packed(fill_order: int) -> Callable[[], bytes]:
    """12 bits without gaps, as cameras write Mono12Packed into TIFF."""
    first, second = TWELVE.ravel()[0::2], TWELVE.ravel()[1::2]
    triples = np.dstack([first >> 4, (first & 15) << 4 | second >> 8, second & 255]).astype(np.uint8).ravel()
    if fill_order == 2:
        triples = np.packbits(np.unpackbits(triples).reshape(-1, 8)[:, ::-1])
    tags = {256: 40, 257: 24, 258: 12, 259: 1, 262: 1, 266: fill_order, 273: 8, 277: 1, 278: 24, 279: len(triples)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = struct.pack("<2sHI", b"II", 42, 8 + len(triples))
    return lambda: head + triples.tobytes() + struct.pack("<H", len(tags)) + table + b"\0" * 4


def png_with_bits(bits: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    lines = b"".join(b"\0" + (row.astype(np.uint32) << 16 - bits).astype(">u2").tobytes() for row in TWELVE)
    head = struct.pack(">IIBBBBB", 40, 24, 16, 0, 0, 0, 0)
    body = chunk(b"sBIT", bytes([bits])) + chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def dicom(pixels: np.ndarray, compress: bool = False, **tags: object) -> Callable[[], bytes]:
    def write() -> bytes:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = SecondaryCaptureImageStorage, ExplicitVRLittleEndian
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["form"])
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        bits = pixels.dtype.itemsize * 8
        told = {
            "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 24, "Columns": 40,
            "BitsAllocated": bits, "BitsStored": bits, "PixelRepresentation": 0, "PixelData": pixels.tobytes(), **tags,
        }  # fmt: skip
        for name, value in told.items():
            setattr(data, name, value)
        data.HighBit = data.BitsStored - 1
        if compress:
            data.compress(RLELossless)
        buffer = io.BytesIO()
        data.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return write


def nifti(values: np.ndarray) -> Callable[[], bytes]:
    return lambda: nibabel.Nifti1Image(values, np.eye(4)).to_bytes()


def animation(kind: str, **options: object) -> Callable[[], bytes]:
    frames = [Image.fromarray(np.roll(RGB, 5 * number, 1)) for number in range(3)]
    return pillow(kind, frames[0], save_all=True, append_images=frames[1:], **options)


def palette() -> Image.Image:
    image = Image.frombytes("P", (40, 24), (GREY // 8).tobytes())
    image.putpalette([channel for level in range(32) for channel in (8 * level, 255 - 8 * level, 4 * level)])
    return image


def over_white(colours: np.ndarray, alpha: int) -> np.ndarray:
    return np.round((colours.astype(float) * alpha + 255.0 * (255 - alpha)) / 255)


HALF = np.full_like(GREY, 128)
INDICES = GREY // 8
COLOURED = np.dstack([8 * INDICES, 255 - 8 * INDICES, 4 * INDICES])
UNIT = (GREY / 255).astype(np.float32)
BELOW_0 = GREY.astype(np.int16) * 128 - 9000
MEDICAL = {"BitsStored": 12}
FORMS = (
    Form("JPEG", "grey", pillow("JPEG", GREY, quality=95), GREY, within=6),
    Form("JPEG", "YCbCr, progressive", pillow("JPEG", RGB, quality=95, progressive=True), RGB, within=12),
    Form("JPEG", "CMYK, inverted as Adobe writes it", pillow("JPEG", Image.fromarray(RGB).convert("CMYK"), quality=95), RGB, within=12),
    Form("PNG", "1 bit", pillow("PNG", GREY > 120), (GREY > 120) * 255),
    Form("PNG", "8 bits, RGB", pillow("PNG", RGB), RGB),
    Form("PNG", "16 bits, grey", pillow("PNG", DEEP), GREY),
    Form("PNG", "16 bits, `sBIT` 12", lambda: png_with_bits(12), np.round(TWELVE / 4095 * 255)),
    Form("PNG", "grey and alpha", pillow("PNG", np.dstack([GREY, HALF])), over_white(GREY, 128), within=1),
    Form("PNG", "palette", pillow("PNG", palette()), COLOURED),
    Form("PNG", "one grey transparent (tRNS)", pillow("PNG", GREY, transparency=int(GREY[0, 0])), np.where(GREY[0, 0] == GREY, 255, GREY)),
    Form("TIFF", "16 bits in tiles, deflate, predictor", tif(DEEP, tile=(16, 16), compression="zlib", predictor=True), GREY),
    Form("TIFF", "BigTIFF, 16-bit RGB", tif(RGB.astype(np.uint16) * 257, bigtiff=True, photometric="rgb"), RGB),
    Form("TIFF", "planes of 16 bits", tif(RGB.transpose(2, 0, 1).astype(np.uint16) * 257, photometric="rgb", planarconfig="separate"), RGB),
    Form("TIFF", "12 bits packed", packed(1), np.round(TWELVE / 4095 * 255)),
    Form("TIFF", "12 bits packed, bits in reverse (FillOrder 2)", packed(2), np.round(TWELVE / 4095 * 255)),
    Form("TIFF", "white is zero, 16 bits", tif(65535 - DEEP, photometric="miniswhite"), GREY),
    Form("TIFF", "SMinSampleValue, SMaxSampleValue of floats", tif(UNIT * 60 - 20, extratags=[(340, "f", 1, -20.0, True), (341, "f", 1, 40.0, True)]), GREY),
    Form("TIFF", "float of 0 to 1", tif(UNIT), GREY, "1 taken as white"),
    Form("TIFF", "half float of 0 to 1", tif(UNIT.astype(np.float16)), GREY, "1 taken as white", 1),
    Form("TIFF", "float of 0 to 255", tif(GREY.astype(np.float32)), GREY, "255 taken as white"),
    Form("TIFF", "12-bit counts in 16 bits, nothing stated", tif(TWELVE), np.round(TWELVE / 65535 * 255), "states no depth"),
    Form("TIFF", "signed below zero, nothing stated", tif(BELOW_0), "state no scale"),
    Form("TIFF", "grey and alpha, 16 bits", tif(np.dstack([DEEP, HALF.astype(np.uint16) * 257]), photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig"), over_white(GREY, 128), within=1),
    Form("TIFF", "associated alpha, 16 bits", tif(np.dstack([RGB.astype(np.uint16) * 129, HALF.astype(np.uint16) * 257]), photometric="rgb", extrasamples=["assocalpha"]), over_white(RGB, 128), within=1),
    Form("TIFF", "CMYK", pillow("TIFF", Image.fromarray(RGB).convert("CMYK")), RGB, within=1),
    Form("TIFF", "CIE Lab of 8 bits", pillow("TIFF", Image.fromarray(RGB).convert("LAB")), np.asarray(Image.fromarray(RGB).convert("LAB").convert("RGB"))),
    Form("TIFF", "CIE Lab of 16 bits", tif(RGB.astype(np.uint16), photometric=8), "Lab TIFF of more than 8 bits"),
    Form("TIFF", "colours with a further band", tif(np.dstack([RGB, GREY]), photometric="rgb", extrasamples=["unspecified"]), RGB, "left out"),
    Form("TIFF", "5 bands without colours", tif(np.dstack([GREY] * 5), photometric="minisblack", planarconfig="contig"), "5 bands that are no colours"),
    Form("TIFF", "Bayer mosaic", tif(DEEP, photometric="cfa"), "raw mosaic of a colour sensor"),
    Form("TIFF", "complex numbers", tif(UNIT.astype(np.complex64)), "complex numbers"),
    Form("TIFF", "3 pages", tif(np.stack([GREY] * 3), photometric="minisblack"), "it holds 3 pictures"),
    Form("TIFF", "a page and its reduced copy", lambda: reduced(), RGB),
    Form("GIF", "3 frames", animation("GIF"), "it holds 3 pictures"),
    Form("WebP", "lossless", pillow("WEBP", RGB, lossless=True), RGB),
    Form("WebP", "3 frames", animation("WEBP", lossless=True), "it holds 3 pictures"),
    Form("APNG", "3 frames", animation("PNG"), "it holds 3 pictures"),
    Form("BMP", "24 bits", pillow("BMP", RGB), RGB),
    Form("PNM", "PGM with a maximum of 1000", lambda: b"P5 40 24 1000\n" + (GREY.astype(np.uint16) * 3).astype(">u2").tobytes(), np.floor(GREY * 3.0 / 1000 * 255 + 0.5)),
    Form("PNM", "written as text", lambda: b"P2 1 1 255 7\n", "PNM image written as text"),
    Form("JPEG 2000", "lossless", pillow("JPEG2000", RGB), RGB),
    Form("AVIF", "8 bits", pillow("AVIF", RGB, quality=95), RGB, within=16),
    Form("DICOM", "12 bits stored of 16", dicom(TWELVE, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "rubbish above the stored bits", dicom(TWELVE | 0xA000, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "MONOCHROME1", dicom(GREY, PhotometricInterpretation="MONOCHROME1"), 255 - GREY),
    Form("DICOM", "RLE", dicom(TWELVE, compress=True, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "an empty window", dicom(GREY, WindowCenter=None, WindowWidth=None), GREY),
    Form("DICOM", "fewer frames than its tags claim", dicom(GREY, NumberOfFrames=4), "tags claim"),
    Form("NIfTI", "a volume of 5 slices", nifti(np.stack([GREY.T] * 5, 2)), "it holds 5 pictures"),
    Form("NIfTI", "one slice of bytes", nifti(GREY[:, :, None]), GREY.T[::-1, ::-1]),
    Form("others", "portable float map", lambda: b"Pf\n1 1\n-1.0\n" + bytes(4), "portable float map"),
    Form("others", "Radiance HDR", lambda: cv2.imencode(".hdr", RGB.astype(np.float32))[1].tobytes(), "Radiance HDR"),
    Form("others", "OpenEXR", lambda: b"v/1\x01" + bytes(40), "OpenEXR"),
    Form("others", "JPEG XL", lambda: b"\xff\x0a" + bytes(40), "JPEG XL"),
    Form("others", "Photoshop", lambda: b"8BPS\0\1" + bytes(40), "Photoshop document"),
    Form("others", "PDF", lambda: b"%PDF-1.7\n", "PDF document"),
    Form("others", "NumPy", lambda: b"\x93NUMPY\1\0", "NumPy array"),
    Form("others", "ICO", pillow("ICO", RGB), "an icon"),
)  # fmt: skip


def reduced() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(RGB[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(RGB, photometric="rgb")
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMS, ids=[f"{form.kind}: {form.name}" for form in FORMS])
def test_every_documented_form_is_read_right_or_refused_in_these_words(form: Form, tmp_path: Path) -> None:
    data = form.data()
    (tmp_path / "a.bin").write_bytes(data)
    for read in (lambda: read_image_bytes(data), lambda: read_image(tmp_path / "a.bin")):
        if isinstance(form.right, str):
            with pytest.raises(ImageReadError, match=form.right) as caught:
                read()
            assert "\n" not in str(caught.value)
            continue
        image = read()
        right = form.right if form.right.ndim == 3 else np.dstack([form.right] * 3)
        assert np.abs(np.asarray(image).astype(int) - right.astype(int)).max() <= form.within
        assert form.told in " ".join(notes_of(image))
        assert bool(form.told) == bool(notes_of(image))


def table() -> str:
    lines = ["| kind | form | what becomes of it |", "|---|---|---|"]
    for form in FORMS:
        outcome = f'refused: "{form.right}"' if isinstance(form.right, str) else "read"
        outcome += f', and told: "{form.told}"' if form.told else ""
        lines.append(f"| {form.kind} | {form.name} | {outcome} |")
    return "\n".join(lines)


def page() -> str:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    return f"{before}{START}\n\n{table()}\n\n{END}{rest.partition(END)[2]}"


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/io/test_documented.py"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
