"""What a file is, by its first bytes; kinds that are not read are named (`refused_kinds`)."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from anomalyclip.io.boxes import AV1_BRANDS
from anomalyclip.io.dicom_structure import looks_like_dicom
from anomalyclip.io.nifti_magic import looks_like_nifti
from anomalyclip.io.refusal import Refusal
from anomalyclip.io.refused_kinds import refused_kind

_MAGIC = (
    (128, b"DICM", "DICOM"),  # first: its preamble may be a TIFF header (PS3.10, 7.1), and often is a remnant of one
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"BM", "BMP"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"II\x2a\x00", "TIFF"),
    (0, b"MM\x00\x2a", "TIFF"),
    (0, b"II\x2b\x00", "TIFF"),
    (0, b"MM\x00\x2b", "TIFF"),
    (8, b"WEBP", "WEBP"),
    (0, b"P4", "PNM"),
    (0, b"P5", "PNM"),
    (0, b"P6", "PNM"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG2000"),
)
# Brands of ISO files that are pictures, by what makes the pixels (ISO 23008-12, annexes B to H; MIAF; AVIF).
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"miaf", b"avci", b"jpeg")
)

_RAW_TIFF = b"CR\x02\x00"  # at byte 8: Canon's photos, whose pages are previews and sensor data without a mark

_HEAD = 264  # bytes: the mark of a tar archive ends there
_TAIL = 18  # bytes of Targa's footer

EXPECTED = "JPEG, PNG, TIFF, BMP, WebP, GIF, PNM, JPEG 2000, AVIF, HEIC, DICOM or NIfTI"


def sniff(file: BinaryIO) -> str:
    """The format's name by the file's first bytes, whatever its suffix says. Raises `Refusal`; rewinds the file."""
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    if not head:
        raise Refusal("the file is empty (0 bytes)", "copy or export the file again")
    for offset, magic, name in _MAGIC:
        if name == "TIFF" and head[8:12] == _RAW_TIFF:
            break
        if head[offset : offset + len(magic)] == magic and (name != "WEBP" or head[:4] == b"RIFF"):
            return name
    if (boxed := _of_brands(head)) is not None:
        return boxed
    if looks_like_dicom(head):
        return "DICOM"
    if looks_like_nifti(file, head):
        return "NIFTI"
    refused = refused_kind(head, _tail(file))
    if refused is not None:
        raise Refusal(f"it is {refused.name}, not an image that can be read", refused.remedy)
    raise Refusal(f"it is not an image (it starts with bytes {head[:8].hex(' ')})", f"give a file in {EXPECTED}")


def what_it_is(path: Path) -> str | None:
    """What a file is that was given in another's place, for a message: "it is a ZIP archive (unpack it first)".

    None for a folder, for what cannot be read, and where the first bytes do not tell.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return what_is_in(file)
    except (OSError, ValueError):
        return None


def what_is_in(file: BinaryIO) -> str | None:
    """As `what_it_is`, of an open file."""
    kind = refused_kind(file.read(_HEAD), _tail(file))
    try:
        if kind is None:
            return f"it is a picture ({sniff(file)})"
    except (ValueError, Refusal):
        return None
    return f"it is {kind.name}" + (f" ({kind.own_remedy})" if kind.own_remedy else "")


def _of_brands(head: bytes) -> str | None:
    """AVIF or HEIC by a file's own brand, or by those that it is compatible with where its own is a general one."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, end, 4))]
    if brands[0] not in AV1_BRANDS | _HEIF_BRANDS:
        return None
    return "AVIF" if AV1_BRANDS.intersection(brands) else "HEIC"


def _tail(file: BinaryIO) -> bytes:
    end = file.seek(0, 2)
    file.seek(max(end - _TAIL, 0))
    tail = file.read(_TAIL)
    file.seek(0)
    return tail
