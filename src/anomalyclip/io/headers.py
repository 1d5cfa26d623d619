"""What a file is, by its first bytes, and which kinds are refused by name."""

from __future__ import annotations

from typing import BinaryIO

from anomalyclip.io.dicom_structure import looks_like_dicom
from anomalyclip.io.nifti_magic import looks_like_nifti
from anomalyclip.io.refusal import Refusal

_MAGIC = (
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
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftyphevc", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (128, b"DICM", "DICOM"),
)

# Formats that people do try, and that deserve to be named in the answer. They are never opened.
_REFUSED = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"8BPS", "a Photoshop document"),
    (4, b"ftyp", "a video"),
    (0, b"P1", "a PNM image written as text"),
    (0, b"P2", "a PNM image written as text"),
    (0, b"P3", "a PNM image written as text"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (0, b"v/1\x01", "an OpenEXR image"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"SIMPLE  =", "a FITS file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"PF\n", "a portable float map (PFM)"),
    (0, b"Pf\n", "a portable float map (PFM)"),
    (0, b"P7\n", "a PAM image"),
    (0, b"#?RGBE", "a Radiance HDR image"),
    (0, b"#?RADIANCE", "a Radiance HDR image"),
    (0, b"DDS ", "a DirectDraw surface (DDS)"),
    (0, b"qoif", "a QOI image"),
    (0, b"\x00\x00\x01\x00", "an icon (ICO)"),
    (0, b"\x0a\x05\x01\x08", "a PCX image"),
    (0, b"\x01\xda", "an SGI image"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"II\xbc\x01", "a JPEG XR image"),
    (0, b"\x8aMNG", "an MNG animation"),
    (0, b"AT&TFORM", "a DjVu document"),
    (0, b"FLIF", "a FLIF image"),
    (0, b"NRRD0", "an NRRD volume"),
    (0, b"ObjectType", "a MetaImage header"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (8, b"AVI ", "a video"),
)

EXPECTED = "JPEG, PNG, TIFF, BMP, WebP, GIF, PNM, JPEG 2000, AVIF, HEIC, DICOM or NIfTI"
EXPORT_TO = "PNG, TIFF or JPEG"


def sniff(file: BinaryIO) -> str:
    """The format's name by the file's first bytes, whatever its suffix says. Raises `Refusal`; rewinds the file."""
    file.seek(0)
    head = file.read(132)
    file.seek(0)
    if not head:
        raise Refusal("the file is empty (0 bytes)", "copy or export the file again")
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic and (name != "WEBP" or head[:4] == b"RIFF"):
            return name
    if looks_like_dicom(head):
        return "DICOM"
    if looks_like_nifti(file, head):
        return "NIFTI"
    for offset, magic, name in _REFUSED:
        if head[offset:].startswith(magic):
            raise Refusal(f"it is {name}, not an image that can be read", f"export it as {EXPORT_TO}")
    raise Refusal(f"it is not an image (it starts with bytes {head[:8].hex(' ')})", f"give a file in {EXPECTED}")
