"""Writers of the forms that `test_documented` reads: other programs' where there are some, else by the formats' own
specifications."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage, generate_uid

ROWS, COLUMNS = np.mgrid[:24, :40]
GREY = (40 + 3 * ROWS + 2 * COLUMNS).astype(np.uint8)
RGB = np.dstack([GREY, 255 - GREY, GREY // 2])
DEEP = GREY.astype(np.uint16) * 257
TWELVE = GREY.astype(np.uint16) * 16 + GREY // 16


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


def png(bits: int, colour: int, lines: bytes, *chunks: tuple[bytes, bytes], interlaced: bool = False) -> bytes:
    """A PNG of 40 x 24 out of its scan lines, each with its filter's byte, and of further chunks."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 40, 24, bits, colour, 0, 0, interlaced)
    parts = ((b"IHDR", head), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def unfiltered(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in values)


def in_passes(values: np.ndarray) -> bytes:
    """Adam7's seven passes."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    return b"".join(unfiltered(values[top::down, left::right]) for top, left, down, right in passes)


def bits_packed(values: np.ndarray, bits: int) -> np.ndarray:
    """(rows, bytes) of values of a few bits each, the first one highest."""
    single = values[..., None].astype(np.uint8) >> np.arange(bits - 1, -1, -1, dtype=np.uint8) & 1
    return np.packbits(single.reshape(len(values), -1), axis=1)


def bmp(
    bits: int,
    rows: np.ndarray,
    *,
    masks: tuple[int, ...] = (),
    size: int = 40,
    palette: bytes = b"",
    down: bool = False,
) -> bytes:
    """A BMP of 40 x 24; rows: (24, bytes of a row, whole words), from the top; down: stored from the top, too."""
    body = (rows if down else rows[::-1]).tobytes()
    compression = 3 if masks else 0
    info = struct.pack(
        "<IiiHHIIiiII", size, 40, -24 if down else 24, 1, bits, compression, len(body), 0, 0, len(palette) // 4, 0
    )
    info += struct.pack(f"<{len(masks)}I", *masks) if masks else b""
    info = info.ljust(size, b"\0")
    start = 14 + len(info) + len(palette)
    return struct.pack("<2sIII", b"BM", start + len(body), 0, start) + info + palette + body


def masked(colours: np.ndarray, *bits: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """Colours of 8 bits as the words of a masked BMP, red lowest, and the masks."""
    words, masks, place = np.zeros(colours.shape[:2], np.uint32), [], 0
    for plane, number in zip(np.moveaxis(colours, -1, 0), bits, strict=True):
        words |= np.round(plane * float((1 << number) - 1) / 255).astype(np.uint32) << place
        masks.append(((1 << number) - 1) << place)
        place += number
    return words.astype("<u2" if place <= 16 else "<u4"), tuple(masks)


def in_levels(colours: np.ndarray, *bits: int) -> np.ndarray:
    """What is left of 8 bits per channel in fewer (or more) of them."""
    tops = np.array([(1 << number) - 1 for number in bits], float)
    return np.round(np.round(colours * tops / 255) * 255 / tops)


def imagemagick_exif(orientation: int) -> bytes:
    note = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0" + bytes((orientation, 0, 0, 0, 0, 0, 0))
    return b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n%s\n" % (len(note), note.hex().encode()))


def profile(tag: bytes, body: bytes) -> bytes:
    """An ICC profile of one tag."""
    head = bytes(36) + b"acsp" + bytes(88)
    return head + struct.pack(">I4sII", 1, tag, 144, len(body)) + body


def coded(kind: str, transfer: int) -> Callable[[], bytes]:
    """AVIF or HEIC whose `nclx` says how samples code light."""

    def write() -> bytes:
        if kind == "HEIC":
            pillow_heif = pytest.importorskip("pillow_heif")
            buffer = io.BytesIO()
            image = pillow_heif.from_pillow(Image.fromarray(RGB))
            image.save(buffer, color_primaries=9, transfer_characteristics=transfer, matrix_coefficients=9)
            return buffer.getvalue()
        data = pillow("AVIF", RGB)()
        place = data.index(b"nclx") + 6
        return data[:place] + struct.pack(">H", transfer) + data[place + 2 :]

    return write


def branded(brand: bytes) -> Callable[[], bytes]:
    """HEIC of another major brand than `heic`, as other cameras write it."""

    def write() -> bytes:
        pillow_heif = pytest.importorskip("pillow_heif")
        buffer = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(RGB)).save(buffer, quality=95)
        data = buffer.getvalue()
        return data[:8] + brand + data[12:]

    return write


def cropped_avif() -> bytes:
    """Its one spare property, the pixels' aspect, becomes a crop of nothing: of equal length, so no offset moves."""
    data = pillow("AVIF", RGB)()
    start = data.index(b"pixi") - 4
    return data[: start + 4] + b"clap" + data[start + 8 :]


def of_channels(*channels: tuple[int, int, int]) -> Callable[[], bytes]:
    """JPEG 2000 with a channel definition box."""

    def write() -> bytes:
        data = pillow("JPEG2000", RGB)()
        start = data.index(b"jp2h") - 4
        (length,) = struct.unpack_from(">I", data, start)
        body = struct.pack(">H", len(channels)) + b"".join(struct.pack(">3H", *one) for one in channels)
        box = struct.pack(">I4s", 8 + len(body), b"cdef") + body
        head = struct.pack(">I", length + len(box)) + data[start + 4 : start + length]
        return data[:start] + head + box + data[start + length :]

    return write


def heif() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    both = pillow_heif.from_pillow(Image.fromarray(RGB))
    both.add_from_pillow(Image.fromarray(255 - RGB))
    both.save(buffer, save_all=True)
    return buffer.getvalue()


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


def functional_group(**tags: float) -> list[Dataset]:
    """A sequence of one functional group that holds a window, a rescale, or both."""
    group = Dataset()
    for sequence, names in (
        ("FrameVOILUTSequence", ("WindowCenter", "WindowWidth")),
        ("PixelValueTransformationSequence", ("RescaleSlope", "RescaleIntercept")),
    ):
        inner = Dataset()
        for name in names:
            if name in tags:
                setattr(inner, name, tags[name])
        if len(inner):
            setattr(group, sequence, [inner])
    return [group]


def nifti(values: np.ndarray) -> Callable[[], bytes]:
    return lambda: nibabel.Nifti1Image(values, np.eye(4)).to_bytes()


def animation(kind: str, **options: object) -> Callable[[], bytes]:
    frames = [Image.fromarray(np.roll(RGB, 5 * number, 1)) for number in range(3)]
    return pillow(kind, frames[0], save_all=True, append_images=frames[1:], **options)


def palette() -> Image.Image:
    image = Image.frombytes("P", (40, 24), (GREY // 8).tobytes())
    image.putpalette([channel for level in range(32) for channel in (8 * level, 255 - 8 * level, 4 * level)])
    return image


def reduced() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        file.write(RGB[::4, ::4], photometric="rgb", subfiletype=1)
        file.write(RGB, photometric="rgb")
    return buffer.getvalue()
