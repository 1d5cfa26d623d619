"""Kinds of files that people do try, and that deserve to be named in the answer. They are never opened."""

from __future__ import annotations

from typing import NamedTuple

EXPORT = "export it as PNG, TIFF or JPEG"


class RefusedKind(NamedTuple):
    """offset, magic: the bytes that tell it. name: with its article. picture: whether it shows something."""

    offset: int
    magic: bytes
    name: str
    picture: bool = True
    remedy: str = EXPORT

    @property
    def short(self) -> str:
        """The name without article and noun, as counts list it.

        >>> RefusedKind(0, b"qoif", "a QOI image").short
        'QOI'
        """
        name = self.name.partition(" ")[2]
        return name.partition("(")[2].rstrip(")") or name.removesuffix(" image")

    @property
    def own_remedy(self) -> str | None:
        """What to do where no picture was wanted; None where the remedy is only how to get one."""
        return None if self.picture or self.remedy in (EXPORT, _FILM) else self.remedy


_FILM = "anomalyclip watch FILE scores its frames; or save frames as PNG or JPEG"
_ONE_FILE = "save it as one .nii or .nii.gz file"
UNPACK = "unpack it first"
_DOWNLOAD = "see what the download answered, and fetch the file itself"
_PCX = tuple(
    RefusedKind(0, bytes((10, version, 1, bits)), "a PCX image") for version in (0, 2, 3, 4, 5) for bits in (1, 2, 4, 8)
)

REFUSED = (
    RefusedKind(0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    RefusedKind(0, b"\xff\x0a", "a JPEG XL image"),
    RefusedKind(0, b"II\xbc\x01", "a JPEG XR image"),
    RefusedKind(0, b"v/1\x01", "an OpenEXR image"),
    RefusedKind(0, b"#?RGBE", "a Radiance HDR image"),
    RefusedKind(0, b"#?RADIANCE", "a Radiance HDR image"),
    RefusedKind(0, b"PF\n", "a portable float map (PFM)"),
    RefusedKind(0, b"Pf\n", "a portable float map (PFM)"),
    RefusedKind(0, b"P1", "a PNM image written as text"),
    RefusedKind(0, b"P2", "a PNM image written as text"),
    RefusedKind(0, b"P3", "a PNM image written as text"),
    RefusedKind(0, b"P7\n", "a PAM image"),
    RefusedKind(0, b"PF4\n", "a portable float map (PFM)"),
    RefusedKind(0, b"PH\n", "a portable float map (PHM)"),
    RefusedKind(0, b"Ph\n", "a portable float map (PHM)"),
    RefusedKind(0, b"NITF0", "a NITF image"),
    RefusedKind(0, b"NSIF0", "a NITF image"),
    RefusedKind(0, b"EHFA_HEADER_TAG", "an ERDAS IMAGINE image"),
    RefusedKind(0, b"PCIDSK", "a PCIDSK image"),
    RefusedKind(0, b"LBLSIZE=", "a VICAR image"),
    RefusedKind(0, b"id=ImageMagick", "an ImageMagick document (MIFF)"),
    RefusedKind(0, b"\x8bJNG", "a JNG image"),
    RefusedKind(0, b"CDF\x01", "a netCDF file"),
    RefusedKind(0, b"CDF\x02", "a netCDF file"),
    RefusedKind(0, b"8BPS", "a Photoshop document"),
    RefusedKind(0, b"gimp xcf", "a GIMP document"),
    RefusedKind(0, b"SIMPLE  =", "a FITS file"),
    RefusedKind(0, b"DDS ", "a DirectDraw surface (DDS)"),
    RefusedKind(0, b"qoif", "a QOI image"),
    RefusedKind(0, b"farbfeld", "a farbfeld image"),
    RefusedKind(0, b"\x00\x00\x01\x00", "an icon (ICO)"),
    RefusedKind(0, b"\x00\x00\x02\x00\x01\x00", "a cursor (CUR)"),
    RefusedKind(0, b"icns", "an icon (ICNS)"),
    *_PCX,
    RefusedKind(0, b"\xb1\x68\xde\x3a", "a DCX image"),
    RefusedKind(0, b"\x01\xda", "an SGI image"),
    RefusedKind(0, b"\x59\xa6\x6a\x95", "a Sun raster image"),
    RefusedKind(0, b"#define ", "an X11 bitmap (XBM)"),
    RefusedKind(0, b"/* XPM */", "an X11 pixmap (XPM)"),
    RefusedKind(0, b"FLIF", "a FLIF image"),
    RefusedKind(0, b"BLP2", "a BLP texture"),
    RefusedKind(0, b"SDPX", "a DPX image"),
    RefusedKind(0, b"XPDS", "a DPX image"),
    RefusedKind(0, b"\x80\x2a\x5f\xd7", "a Cineon image"),
    RefusedKind(0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)"),
    RefusedKind(40, b" EMF", "a Windows metafile (EMF)"),
    RefusedKind(0, b"%PDF", "a PDF document"),
    RefusedKind(0, b"%!PS", "a PostScript file"),
    RefusedKind(0, b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    RefusedKind(0, b"AT&TFORM", "a DjVu document"),
    RefusedKind(0, b"<svg", "an SVG drawing"),
    RefusedKind(0, b"FUJIFILMCCD-RAW", "a raw photo (Fujifilm)"),
    RefusedKind(0, b"IIU\x00", "a raw photo (Panasonic)"),
    RefusedKind(0, b"IIRO", "a raw photo (Olympus)"),
    RefusedKind(0, b"IIRS", "a raw photo (Olympus)"),
    RefusedKind(0, b"MMOR", "a raw photo (Olympus)"),
    RefusedKind(0, b"FOVb", "a raw photo (Sigma)"),
    RefusedKind(8, b"CR\x02\x00", "a raw photo (Canon)"),  # within a TIFF
    RefusedKind(4, b"ftypcrx ", "a raw photo (Canon)"),
    RefusedKind(0, b"NRRD0", "an NRRD volume"),
    RefusedKind(0, b"ObjectType", "a MetaImage header"),
    RefusedKind(0, b"NDims", "a MetaImage header"),
    RefusedKind(0, b"\x5c\x01\x00\x00", "the header of an Analyze volume", remedy=_ONE_FILE),
    RefusedKind(0, b"\x00\x00\x01\x5c", "the header of an Analyze volume", remedy=_ONE_FILE),
    RefusedKind(0, b"ZISRAWFILE", "a Zeiss image (CZI)"),
    RefusedKind(0, b"\xda\xce\xbe\x0a", "a Nikon image (ND2)"),
    RefusedKind(0, b"\x89HDF", "an HDF5 file"),
    RefusedKind(0, b"\x70\x00\x00\x00", "a Leica image (LIF)"),
    RefusedKind(208, b"MAP ", "an MRC volume"),
    RefusedKind(0, b"\xd0\xcf\x11\xe0", "a compound file (OLE: Office, or a microscope's)", picture=False),
    RefusedKind(0, b"PAR1", "a Parquet table", picture=False),
    RefusedKind(0, b"SQLite format 3", "a database (SQLite)", picture=False),
    RefusedKind(0, b"{\\rtf", "a text document (RTF)", picture=False),
    RefusedKind(
        0, b"\x00\x05\x16\x07", "macOS's notes about a file (AppleDouble)", picture=False, remedy="give the file itself"
    ),
    RefusedKind(0, b"MATLAB 5.0", "a MATLAB file", picture=False),
    RefusedKind(0, b"MATLAB 7", "a MATLAB file", picture=False),
    RefusedKind(0, b"\x93NUMPY", "a NumPy array", picture=False),
    RefusedKind(4, b"ftypmsf1", "an HEIF image sequence"),
    RefusedKind(4, b"ftyphevs", "an HEIF image sequence"),
    RefusedKind(4, b"ftyphevm", "an HEIF image sequence"),
    RefusedKind(4, b"ftyp", "a video", picture=False, remedy=_FILM),
    RefusedKind(0, b"\x1aE\xdf\xa3", "a video", picture=False, remedy=_FILM),
    RefusedKind(8, b"AVI ", "a video", picture=False, remedy=_FILM),
    RefusedKind(0, b"OggS", "a video", picture=False, remedy=_FILM),
    RefusedKind(0, b"\x00\x00\x01\xba", "a video", picture=False, remedy=_FILM),
    RefusedKind(0, b"\x8aMNG", "an MNG animation"),
    RefusedKind(0, b"PK\x03\x04", "a ZIP archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"\x1f\x8b", "a gzip archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"BZh", "a bzip2 archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"\xfd7zXZ\x00", "an xz archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", picture=False, remedy=UNPACK),
    RefusedKind(0, b"Rar!\x1a\x07", "a RAR archive", picture=False, remedy=UNPACK),
    RefusedKind(257, b"ustar", "a tar archive", picture=False, remedy=UNPACK),
    RefusedKind(
        0,
        b"version https://git-lfs",
        "a pointer of Git LFS",
        picture=False,
        remedy="fetch the file itself (git lfs pull)",
    ),
    RefusedKind(0, b"data:image/", "a picture written as text (base64)", picture=False, remedy="decode the text first"),
    RefusedKind(0, b"iVBORw0KGgo", "a picture written as text (base64)", picture=False, remedy="decode the text first"),
    RefusedKind(0, b"/9j/4", "a picture written as text (base64)", picture=False, remedy="decode the text first"),
    RefusedKind(0, b"<?xml", "an XML text (an SVG drawing, or an error page)", picture=False),
    RefusedKind(0, b'{"', "a JSON text", picture=False, remedy=_DOWNLOAD),
)
_TEXTS = (b"<svg", b"<?xml", b'{"')  # behind a byte order mark or blanks as well
_PAGES = (b"<!doctype html", b"<html")
_TARGA_FOOTER = b"TRUEVISION-XFILE.\x00"


def refused_kind(head: bytes, tail: bytes = b"") -> RefusedKind | None:
    """What a file is that is no readable picture, by its first bytes and its last 18; None where they do not tell."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for kind in REFUSED:
        if head[kind.offset :].startswith(kind.magic) or (kind.magic in _TEXTS and text.startswith(kind.magic)):
            return kind
    if text.lower().startswith(_PAGES):
        return RefusedKind(0, head[:1], "a web page (HTML)", picture=False, remedy=_DOWNLOAD)
    if tail.endswith(_TARGA_FOOTER):
        return RefusedKind(0, head[:1], "a Targa image (TGA)")
    if len(head) > 8 and not any(head) and not any(tail):
        again = "copy or export it again"
        return RefusedKind(0, head[:1], "a file of zeros, reserved and never written", picture=False, remedy=again)
    return None
