"""Every form of picture in one list: the table in docs/reading.md is made of it, and each row is written and read here.

`python -m tests.io.test_documented` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_windowing
from tests.io.writers import (
    DEEP,
    GREY,
    RGB,
    TWELVE,
    animation,
    bits_packed,
    bmp,
    branded,
    coded,
    cropped_avif,
    dicom,
    functional_group,
    heif,
    imagemagick_exif,
    in_levels,
    in_passes,
    masked,
    nifti,
    of_channels,
    packed,
    palette,
    pillow,
    png,
    png_with_bits,
    profile,
    reduced,
    tif,
    unfiltered,
)
from tests.tables import page_with

from anomalyclip.errors import ImageReadError
from anomalyclip.io import notes_of, read_image, read_image_bytes

PAGE = Path(__file__).parents[2] / "docs" / "reading.md"
START, END = "<!-- forms: made by tests/io/test_documented.py -->", "<!-- end of forms -->"


class Form(NamedTuple):
    """A row: which kind, what it is called, the file's bytes, and the grey levels or RGB that it shows, or the words
    that refuse it. told: words of the note that comes with it. within: levels that a lossy form may be off."""

    kind: str
    name: str
    data: Callable[[], bytes]
    right: np.ndarray | str
    told: str = ""
    within: int = 0


def over_white(colours: np.ndarray, alpha: int) -> np.ndarray:
    return np.round((colours.astype(float) * alpha + 255.0 * (255 - alpha)) / 255)


def of_lab(image: Image.Image) -> np.ndarray:
    """Lab to sRGB by LittleCMS, reckoned pixel by pixel: its tables are many levels off."""
    profiles = [ImageCms.createProfile(name) for name in ("LAB", "sRGB")]
    exact = ImageCms.buildTransform(*profiles, "LAB", "RGB", flags=ImageCms.Flags.NOOPTIMIZE)
    return np.asarray(ImageCms.applyTransform(image, exact))


def windowed(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """By pydicom's own step."""
    told = Dataset()
    told.WindowCenter, told.WindowWidth, told.BitsStored, told.PixelRepresentation = centre, width, 16, 1
    told.PhotometricInterpretation = "MONOCHROME2"
    shown = apply_windowing(values, told)
    return np.floor((shown - shown.min()) / (shown.max() - shown.min()) * 255 + 0.5)


def without_adobe(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


HALF = np.full_like(GREY, 128)
INDICES = GREY // 8
COLOURED = np.dstack([8 * INDICES, 255 - 8 * INDICES, 4 * INDICES])
UNIT = (GREY / 255).astype(np.float32)
BELOW_0 = GREY.astype(np.int16) * 128 - 9000
MEDICAL = {"BitsStored": 12}
CT = {"WindowCenter": 40, "WindowWidth": 400, "RescaleSlope": 1, "RescaleIntercept": -1024}
QUARTERS = GREY >> 6
FOUR_GREYS = np.array([0, 85, 170, 255])[QUARTERS]
SEEN_THROUGH = DEEP.copy()
SEEN_THROUGH[0, :5] = DEEP[3, 3] + np.arange(5)
RGBA = np.dstack([RGB, HALF])
NARROW = np.clip(np.floor((RGB - 16.0) / 219 * 255 + 0.5), 0, 255)
TEN, TEN_MASKS = masked(RGB, 10, 10, 10)
FIVE_SIX, FIVE_SIX_MASKS = masked(RGB, 5, 6, 5)
EIGHT, EIGHT_MASKS = masked(RGBA, 8, 8, 8, 8)
BLUE_FIRST = np.ascontiguousarray(RGB[..., ::-1])
FORMS = (
    Form("JPEG", "grey", pillow("JPEG", GREY, quality=95), GREY, within=6),
    Form("JPEG", "YCbCr, progressive", pillow("JPEG", RGB, quality=95, progressive=True), RGB, within=12),
    Form("JPEG", "CMYK, inverted as Adobe writes it", pillow("JPEG", Image.fromarray(RGB).convert("CMYK"), quality=95), RGB, within=12),
    Form("JPEG", "CMYK without Adobe's note", lambda: without_adobe(pillow("JPEG", Image.fromarray(RGB).convert("CMYK"))()), "does not say whether its inks are turned round"),
    Form("JPEG", "linear light (profile)", pillow("JPEG", GREY, quality=95, icc_profile=profile(b"kTRC", b"curv" + bytes(8))), GREY, "linear light", 6),
    Form("JPEG", "HDR: HLG (profile)", pillow("JPEG", RGB, icc_profile=profile(b"cicp", b"cicp\0\0\0\0\x09\x12\0\1")), "its samples are HLG"),
    Form("PNG", "1 bit", pillow("PNG", GREY > 120), (GREY > 120) * 255),
    Form("PNG", "8 bits, RGB", pillow("PNG", RGB), RGB),
    Form("PNG", "16 bits, grey", pillow("PNG", DEEP), GREY),
    Form("PNG", "16 bits, `sBIT` 12", lambda: png_with_bits(12), np.round(TWELVE / 4095 * 255)),
    Form("PNG", "grey and alpha", pillow("PNG", np.dstack([GREY, HALF])), over_white(GREY, 128), within=1),
    Form("PNG", "palette", pillow("PNG", palette()), COLOURED),
    Form("PNG", "one grey transparent (tRNS)", pillow("PNG", GREY, transparency=int(GREY[0, 0])), np.where(GREY[0, 0] == GREY, 255, GREY)),
    Form("PNG", "2 bits, one grey transparent", lambda: png(2, 0, unfiltered(bits_packed(QUARTERS, 2)), (b"tRNS", b"\0\1")), np.where(QUARTERS == 1, 255, FOUR_GREYS)),
    Form("PNG", "2 bits, one grey transparent, further bits set (tRNS)", lambda: png(2, 0, unfiltered(bits_packed(QUARTERS, 2)), (b"tRNS", b"\xff\xfd")), np.where(QUARTERS == 1, 255, FOUR_GREYS)),
    Form("PNG", "RGB, one colour transparent, further bits set (tRNS)", lambda: png(8, 2, unfiltered(RGB), (b"tRNS", b"".join(b"\x80" + bytes([one]) for one in RGB[0, 0]))), np.where((RGB[0, 0] == RGB).all(axis=-1)[..., None], 255, RGB)),
    Form("PNG", "a palette that is not there", lambda: png(8, 3, unfiltered(GREY)), "its palette is missing"),
    Form("PNG", "16 bits, one grey transparent", lambda: png(16, 0, unfiltered(SEEN_THROUGH.astype(">u2")), (b"tRNS", struct.pack(">H", DEEP[3, 3]))), np.where(DEEP[3, 3] == SEEN_THROUGH, 255, np.round(SEEN_THROUGH / 257))),
    Form("PNG", "16 bits, RGB, interlaced", lambda: png(16, 2, in_passes((RGB.astype(np.uint16) * 257).astype(">u2")), interlaced=True), RGB),
    Form("PNG", "4 bits, palette, two colours transparent", lambda: png(4, 3, unfiltered(bits_packed(GREY >> 4, 4)), (b"PLTE", bytes(range(48))), (b"tRNS", bytes([0] * 9 + [255, 0]))), np.where(np.isin(GREY >> 4, (9, 11, 12, 13, 14, 15))[..., None], np.arange(48).reshape(16, 3)[GREY >> 4], 255)),
    Form("PNG", "narrow range (cICP)", lambda: png(8, 2, unfiltered(RGB), (b"cICP", b"\1\x0d\0\0")), NARROW),
    Form("PNG", "narrow range (cICP), 16 bits", lambda: png(16, 0, unfiltered(DEEP.astype(">u2")), (b"cICP", b"\1\x0d\0\0")), np.clip(np.floor((DEEP - 4096.0) / 56064 * 255 + 0.5), 0, 255)),
    Form("PNG", "HDR: PQ (cICP)", lambda: png(16, 0, unfiltered(DEEP.astype(">u2")), (b"cICP", b"\x09\x10\0\1")), "its samples are PQ \\(HDR\\), says its cICP"),
    Form("PNG", "HDR: PQ, by the name of its profile", lambda: png(8, 2, unfiltered(RGB), (b"iCCP", b"ITUR_2100_PQ_FULL\0\0" + zlib.compress(b"any"))), "its samples are PQ"),
    Form("PNG", "linear light (gAMA 1)", lambda: png(8, 2, unfiltered(RGB), (b"gAMA", struct.pack(">I", 100_000))), RGB, "linear light, says its gAMA"),
    Form("PNG", "gAMA 1 and sRGB, which goes before it", lambda: png(8, 2, unfiltered(RGB), (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100_000))), RGB),
    Form("PNG", "Apple's own form (CgBI)", lambda: (data := png(8, 2, unfiltered(RGB)))[:8] + b"\0\0\0\4CgBI\x50\0\x20\2\0\0\0\0" + data[8:], "CgBI"),
    Form("PNG", "turned by EXIF as ImageMagick writes it", lambda: png(8, 2, unfiltered(RGB), (b"zTXt", imagemagick_exif(6))), np.rot90(RGB, -1)),
    Form("TIFF", "16 bits in tiles, deflate, predictor", tif(DEEP, tile=(16, 16), compression="zlib", predictor=True), GREY),
    Form("TIFF", "BigTIFF, 16-bit RGB", tif(RGB.astype(np.uint16) * 257, bigtiff=True, photometric="rgb"), RGB),
    Form("TIFF", "planes of 16 bits", tif(RGB.transpose(2, 0, 1).astype(np.uint16) * 257, photometric="rgb", planarconfig="separate"), RGB),
    Form("TIFF", "12 bits packed", packed(1), np.round(TWELVE / 4095 * 255)),
    Form("TIFF", "12 bits packed, bits in reverse (FillOrder 2)", packed(2), np.round(TWELVE / 4095 * 255)),
    Form("TIFF", "white is zero, 16 bits", tif(65535 - DEEP, photometric="miniswhite"), GREY),
    Form("TIFF", "SMinSampleValue, SMaxSampleValue of floats", tif(UNIT * 60 - 20, extratags=[(340, "f", 1, -20.0, True), (341, "f", 1, 40.0, True)]), GREY),
    Form("TIFF", "ReferenceBlackWhite of RGB", tif(RGB, photometric="rgb", extratags=[(532, "2I", 6, (16, 1, 235, 1) * 3, True)]), NARROW),
    Form("TIFF", "ReferenceBlackWhite, another for each colour", tif(RGB, photometric="rgb", extratags=[(532, "2I", 6, (0, 1, 255, 1, 16, 1, 235, 1, 0, 1, 255, 1), True)]), "ReferenceBlackWhite differs"),
    Form("TIFF", "OME's SignificantBits", tif(TWELVE, ome=True, metadata={"axes": "YX", "SignificantBits": 12}), np.round(TWELVE / 4095 * 255)),
    Form("TIFF", "ImageJ's display range", tif(DEEP, imagej=True, metadata={"min": 100.0, "max": 40000.0}), GREY, "ImageJ showed it from 100 to 40000"),
    Form("TIFF", "linear light (profile)", tif(DEEP, iccprofile=profile(b"kTRC", b"para" + bytes(8) + b"\0\1\0\0")), GREY, "linear light"),
    Form("TIFF", "float of 0 to 1", tif(UNIT), GREY, "1 taken as white"),
    Form("TIFF", "half float of 0 to 1", tif(UNIT.astype(np.float16)), GREY, "1 taken as white", 1),
    Form("TIFF", "float of 0 to 255", tif(GREY.astype(np.float32)), GREY, "255 taken as white"),
    Form("TIFF", "12-bit counts in 16 bits, nothing stated", tif(TWELVE), np.round(TWELVE / 65535 * 255), "states no depth"),
    Form("TIFF", "signed below zero, nothing stated", tif(BELOW_0), "state no scale"),
    Form("TIFF", "grey and alpha, 16 bits", tif(np.dstack([DEEP, HALF.astype(np.uint16) * 257]), photometric="minisblack", extrasamples=["unassalpha"], planarconfig="contig"), over_white(GREY, 128), within=1),
    Form("TIFF", "associated alpha, 16 bits", tif(np.dstack([RGB.astype(np.uint16) * 129, HALF.astype(np.uint16) * 257]), photometric="rgb", extrasamples=["assocalpha"]), over_white(RGB, 128), within=1),
    Form("TIFF", "CMYK", pillow("TIFF", Image.fromarray(RGB).convert("CMYK")), RGB, within=1),
    Form("TIFF", "CIE Lab of 8 bits", pillow("TIFF", Image.fromarray(RGB).convert("LAB")), of_lab(Image.fromarray(RGB).convert("LAB")), within=1),
    Form("TIFF", "CIE Lab of 16 bits", tif(RGB.astype(np.uint16), photometric=8), "Lab TIFF of more than 8 bits"),
    Form("TIFF", "colours with a further band", tif(np.dstack([RGB, GREY]), photometric="rgb", extrasamples=["unspecified"]), RGB, "left out"),
    Form("TIFF", "5 bands without colours", tif(np.dstack([GREY] * 5), photometric="minisblack", planarconfig="contig"), "5 bands that are no colours"),
    Form("TIFF", "Bayer mosaic", tif(DEEP, photometric="cfa"), "raw mosaic of a colour sensor"),
    Form("TIFF", "a camera's raw photo (Nikon's compression)", lambda: tif(DEEP, photometric="cfa")().replace(struct.pack("<HHIH", 259, 3, 1, 1), struct.pack("<HHIH", 259, 3, 1, 34713)), "raw mosaic of a colour sensor"),
    Form("TIFF", "a camera's raw photo (Canon's CR2)", lambda: b"II*\0\x10\0\0\0CR\2\0" + tif(GREY)()[12:], "a raw photo \\(Canon\\)"),
    Form("TIFF", "complex numbers", tif(UNIT.astype(np.complex64)), "complex numbers"),
    Form("TIFF", "3 pages", tif(np.stack([GREY] * 3), photometric="minisblack"), "it holds 3 pictures"),
    Form("TIFF", "a page and its reduced copy", lambda: reduced(), RGB),
    Form("GIF", "3 frames", animation("GIF"), "it holds 3 pictures"),
    Form("WebP", "lossless", pillow("WEBP", RGB, lossless=True), RGB),
    Form("WebP", "HDR: PQ (profile)", pillow("WEBP", RGB, icc_profile=profile(b"cicp", b"cicp\0\0\0\0\x09\x10\0\1")), "its samples are PQ"),
    Form("WebP", "3 frames", animation("WEBP", lossless=True), "it holds 3 pictures"),
    Form("APNG", "3 frames", animation("PNG"), "it holds 3 pictures"),
    Form("AVIF", "animation", animation("AVIF"), "an AVIF animation of 3 pictures"),
    Form("BMP", "24 bits", pillow("BMP", RGB), RGB),
    Form("BMP", "24 bits from the top", lambda: bmp(24, BLUE_FIRST.reshape(24, -1), down=True), RGB),
    Form("BMP", "2 bits", lambda: bmp(2, np.pad(bits_packed(QUARTERS, 2), ((0, 0), (0, 2))), palette=bytes(range(0, 160, 10))), np.array([[20, 10, 0], [60, 50, 40], [100, 90, 80], [140, 130, 120]])[QUARTERS]),
    Form("BMP", "masks of 5, 6 and 5 bits", lambda: bmp(16, FIVE_SIX, masks=FIVE_SIX_MASKS, size=52), in_levels(RGB, 5, 6, 5)),
    Form("BMP", "masks of 10 bits each", lambda: bmp(32, TEN, masks=TEN_MASKS, size=56), in_levels(RGB, 10, 10, 10), within=1),
    Form("BMP", "red first, alpha (V5)", lambda: bmp(32, EIGHT, masks=EIGHT_MASKS, size=124), over_white(RGB, 128), within=1),
    Form("BMP", "an alpha that is 0 everywhere", lambda: bmp(32, EIGHT & 0xFFFFFF, masks=EIGHT_MASKS, size=124), RGB, "its alpha is 0 in every pixel"),
    Form("BMP", "masks that overlap", lambda: bmp(16, FIVE_SIX, masks=(31, 63, 31), size=52), "its BMP masks are impossible"),
    Form("PNM", "PGM with a maximum of 1000", lambda: b"P5 40 24 1000\n" + (GREY.astype(np.uint16) * 3).astype(">u2").tobytes(), np.floor(GREY * 3.0 / 1000 * 255 + 0.5)),
    Form("PNM", "PGM of 8 bits with values beyond its maximum", lambda: b"P5 40 24 100\n" + GREY.tobytes(), np.floor(np.minimum(GREY, 100) / 100 * 255 + 0.5), f"reach {GREY.max()}, beyond its PNM maximum of 100"),
    Form("PNM", "two pictures", lambda: b"P5 40 24 255\n" + GREY.tobytes() + b"P6 40 24 255\n" + RGB.tobytes(), "it holds 2 pictures"),
    Form("PNM", "written as text", lambda: b"P2 1 1 255 7\n", "PNM image written as text"),
    Form("JPEG 2000", "lossless", pillow("JPEG2000", RGB), RGB),
    Form("JPEG 2000", "blue first (channel definition)", of_channels((0, 0, 3), (1, 0, 2), (2, 0, 1)), "no colours in order"),
    Form("JPEG 2000", "CIE Lab", lambda: pillow("JPEG2000", RGB)().replace(struct.pack(">I", 16), struct.pack(">I", 14), 1), "enumerated space 14"),
    Form("AVIF", "brand mif1", lambda: (data := pillow("AVIF", RGB, quality=95)())[:8] + b"mif1" + data[12:], RGB, within=16),
    Form("AVIF", "HDR: HLG", coded("AVIF", 18), "its samples are HLG"),
    Form("AVIF", "to be cropped", cropped_avif, "to be cropped"),
    Form("AVIF", "8 bits", pillow("AVIF", RGB, quality=95), RGB, within=16),
    Form("HEIC", "two pictures", heif, "it holds 2 pictures, a form of HEIF that is not read"),
    *(Form("HEIC", f"brand {brand}", branded(brand.encode()), RGB, within=8) for brand in ("heix", "heim", "hevx", "mif2", "miaf")),
    Form("HEIC", "HDR: PQ", coded("HEIC", 16), "its samples are PQ"),
    Form("JPEG-LS", "any", lambda: b"\xff\xd8\xff\xf7\0\x0b\x08" + bytes(40), "JPEG-LS"),
    Form("DICOM", "12 bits stored of 16", dicom(TWELVE, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "rubbish above the stored bits", dicom(TWELVE | 0xA000, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "MONOCHROME1", dicom(GREY, PhotometricInterpretation="MONOCHROME1"), 255 - GREY),
    Form("DICOM", "MONOCHROME1, PresentationLUTShape INVERSE", dicom(GREY, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"), 255 - GREY),
    Form("DICOM", "MONOCHROME1, PresentationLUTShape IDENTITY", dicom(GREY, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY"), "contradicts its photometric interpretation MONOCHROME1"),
    Form("DICOM", "MONOCHROME2, PresentationLUTShape INVERSE", dicom(GREY, PresentationLUTShape="INVERSE"), "contradicts its photometric interpretation MONOCHROME2"),
    Form("DICOM", "a segmentation", dicom(GREY, SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"), "the marks of other pictures"),
    Form("DICOM", "window and rescale in shared functional groups", dicom(TWELVE, NumberOfFrames=1, SharedFunctionalGroupsSequence=functional_group(**CT), **MEDICAL), windowed(TWELVE - 1024.0, 40, 400)),
    Form("DICOM", "a frame's own window beside the shared one", dicom(TWELVE, NumberOfFrames=1, SharedFunctionalGroupsSequence=functional_group(**CT), PerFrameFunctionalGroupsSequence=functional_group(WindowCenter=1000, WindowWidth=800), **MEDICAL), windowed(TWELVE - 1024.0, 1000, 800)),
    Form("DICOM", "an empty group of the frame's own", dicom(TWELVE, NumberOfFrames=1, SharedFunctionalGroupsSequence=functional_group(**CT), PerFrameFunctionalGroupsSequence=functional_group(), **MEDICAL), windowed(TWELVE - 1024.0, 40, 400)),
    Form("DICOM", "RLE", dicom(TWELVE, compress=True, **MEDICAL), np.round(TWELVE / 4095 * 255)),
    Form("DICOM", "a preamble that is a TIFF's beginning", lambda: b"II*\0\x08\0\0\0" + dicom(GREY)()[8:], GREY),
    Form("DICOM", "one sample of an unknown interpretation", dicom(GREY, PhotometricInterpretation="MONOCHROME3"), "photometric interpretation is MONOCHROME3;"),
    Form("DICOM", "two rescale slopes", dicom(GREY, RescaleSlope=[1, 2], RescaleIntercept=0), "its RescaleSlope has 2 values"),
    Form("DICOM", "three samples of HSV", dicom(RGB, SamplesPerPixel=3, PhotometricInterpretation="HSV", PlanarConfiguration=0), "photometric interpretation is HSV of 3 samples"),
    Form("DICOM", "an empty window", dicom(GREY, WindowCenter=None, WindowWidth=None), GREY),
    Form("DICOM", "fewer frames than its tags claim", dicom(GREY, NumberOfFrames=4), "tags claim"),
    Form("NIfTI", "a volume of 5 slices", nifti(np.stack([GREY.T] * 5, 2)), "it holds 5 pictures"),
    Form("NIfTI", "one slice of bytes", nifti(GREY[:, :, None]), GREY.T[::-1, ::-1]),
    Form("NIfTI", "complex numbers", nifti(GREY[:, :, None].astype(np.complex64)), "complex numbers"),
    Form("Analyze", "a header", lambda: b"\x5c\1\0\0" + bytes(344), "header of an Analyze volume"),
    Form("others", "portable float map", lambda: b"Pf\n1 1\n-1.0\n" + bytes(4), "portable float map"),
    Form("others", "Radiance HDR", lambda: cv2.imencode(".hdr", RGB.astype(np.float32))[1].tobytes(), "Radiance HDR"),
    Form("others", "OpenEXR", lambda: b"v/1\x01" + bytes(40), "OpenEXR"),
    Form("others", "JPEG XL", lambda: b"\xff\x0a" + bytes(40), "JPEG XL"),
    Form("others", "Photoshop", lambda: b"8BPS\0\1" + bytes(40), "Photoshop document"),
    Form("others", "PDF", lambda: b"%PDF-1.7\n", "PDF document"),
    Form("others", "NumPy", lambda: b"\x93NUMPY\1\0", "NumPy array"),
    Form("others", "ICO", pillow("ICO", RGB), "an icon"),
    Form("others", "Targa", pillow("TGA", RGB), "Targa"),
    Form("others", "PCX", pillow("PCX", RGB), "PCX"),
    Form("others", "QOI", pillow("QOI", RGB), "QOI"),
    Form("others", "Sun raster", lambda: cv2.imencode(".ras", RGB)[1].tobytes(), "Sun raster"),
    Form("others", "a photo of Fujifilm, as the camera has it", lambda: b"FUJIFILMCCD-RAW " + bytes(80), "a raw photo"),
    Form("others", "a web page under a picture's name", lambda: b"<!DOCTYPE html>\n<title>404</title>", "a web page"),
    Form("others", "a pointer of Git LFS", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    Form("others", "a picture as base64", lambda: b"iVBORw0KGgoAAAANSUhEUg", "decode the text first"),
    Form("others", "reserved and never written", lambda: bytes(4096), "never written"),
    Form("others", "an SVG behind a byte order mark", lambda: b"\xef\xbb\xbf<svg/>", "an SVG drawing"),
    Form("others", "Leica (LIF)", lambda: b"\x70\0\0\0" + bytes(40), "a Leica image"),
    Form("others", "MRC", lambda: bytes(4) + b"\1" + bytes(203) + b"MAP " + bytes(60), "an MRC volume"),
    Form("others", "MATLAB 7.3", lambda: b"MATLAB 7.3 MAT-file", "a MATLAB file"),
    Form("others", "Parquet", lambda: b"PAR1" + bytes(40), "a Parquet table"),
    Form("others", "Office's or a microscope's compound file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a compound file"),
    Form("others", "macOS's notes about a file", lambda: b"\0\5\x16\7\0\2\0\0Mac OS X", "AppleDouble"),
    Form("others", "tar", lambda: b"a.png".ljust(257, b"\0") + b"ustar\0", "a tar archive"),
)  # fmt: skip


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
    return page_with(PAGE, START, table(), END)


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.io.test_documented"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
