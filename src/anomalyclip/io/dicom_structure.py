"""The structure of a DICOM file: its attributes, and where its pixel data lies, none of which is read or decoded.

The elements are counted before pydicom makes objects of them, deflated files are inflated up to a bound, a missing
preamble or meta header is taken as archives of before 1993 wrote it (implicit VR, little endian, unless it looks else).
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from anomalyclip.io.memo import Memo
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

INSTALL = 'install it with: pip install "anomalyclip[medical]"'
MOST_ELEMENTS = 600_000  # an enhanced object of 4,096 frames has a good half of it
_DEEPEST = 16
_MOST_INFLATED = 1 << 27
_LARGEST_VALUE = 1 << 26  # values beyond are left in the file: no table or functional group is that large
_DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95")
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
# Sequences that are read later, so their inner parts count: functional groups, tables.
_SEQUENCES = {0x52009229, 0x52009230, 0x00283000, 0x00283010, 0x00289145, 0x00289132, 0x00289110}


@dataclass(frozen=True)
class DicomFile:
    """A parsed file. data: pydicom's Dataset without pixel data. syntax: UID of the transfer syntax.

    keyword: PixelData, FloatPixelData or DoubleFloatPixelData. offset: of the pixel data's value. length: its bytes,
    None for encapsulated frames. inflated: what the offset counts in, where the file itself is deflated.
    """

    data: Any
    syntax: str
    little: bool
    keyword: str
    offset: int
    length: int | None
    end: int
    inflated: bytes | None

    def source(self, file: BinaryIO) -> BinaryIO:
        """Where the pixel data is read from."""
        return file if self.inflated is None else io.BytesIO(self.inflated)


_known: Memo[DicomFile] = Memo(2)


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes are those of a data set without its preamble: group 2 or 8, then a plausible length."""
    if len(head) < 16:
        return False
    for order in "<>":
        group, element, length = struct.unpack_from(f"{order}HHI", head)
        if group not in (2, 8) or element > 0x0100:
            continue
        explicit = head[4:6] in (b"UL", b"CS", b"UI", b"DA", b"TM", b"SH", b"LO", b"OB", b"SQ", b"PN", b"ST")
        if explicit or (element in (0, 1, 5, 8, 16, 0x16) and length <= 256):
            return True
    return False


def parse(file: BinaryIO) -> DicomFile:
    """The structure of a file; kept for the next frame of it. Rewinds the file. Raises `Refusal`."""
    try:
        import pydicom
    except ImportError:
        raise Refusal("it is a DICOM file and the package pydicom is missing", INSTALL) from None
    assert pydicom is not None
    try:
        return _known.of(file, lambda: _parse(file))
    finally:
        file.seek(0)


def _parse(file: BinaryIO) -> DicomFile:
    import pydicom

    syntax, body = _transfer_syntax(file)
    inflated = None
    source: BinaryIO = file
    if syntax in _DEFLATED:
        inflated = _inflate(file, body)
        source, body = io.BytesIO(inflated), 0
    implicit, little = _coding(source, body, syntax)
    _check_elements(source, body, implicit, little)
    source.seek(body)
    data = pydicom.filereader.read_dataset(
        source,
        implicit,
        little,
        stop_when=lambda tag, _vr, _length: int(tag) in _PIXELS,
        defer_size=_LARGEST_VALUE,
    )
    start = source.tell()
    head = source.read(12)
    if len(head) < 8 and "Rows" in data:
        raise truncated("its tags describe a picture, and it ends before its pixels")
    if len(head) < 8:
        raise Refusal("it is a DICOM file without pixels (a report or a structure?)", "give an image object")
    order = "<" if little else ">"
    group, element = struct.unpack_from(f"{order}HH", head)
    keyword = _PIXELS[group << 16 | element]
    long = not implicit and head[4:6] in _LONG
    if long and len(head) < 12:
        raise truncated()
    (length,) = struct.unpack_from(f"{order}I", head, 8 if long else 4)
    end = source.seek(0, 2)
    encapsulated = length == _UNDEFINED
    return DicomFile(
        data,
        syntax or _native(implicit, little),
        little,
        keyword,
        start + (12 if long else 8),
        None if encapsulated else length,
        end,
        inflated,
    )


def _native(implicit: bool, little: bool) -> str:
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    return str(ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian)


def _transfer_syntax(file: BinaryIO) -> tuple[str, int]:
    """The UID ("" without a meta header), and where the data set begins."""
    file.seek(128)
    start = 132 if file.read(4) == b"DICM" else 0
    file.seek(start)
    syntax, position = "", start
    while len(head := file.read(8)) == 8 and head[:2] == b"\x02\0":
        element, vr, length = struct.unpack("<2xH2sH", head)
        skip = 8
        if vr in _LONG:
            (length,) = struct.unpack("<I", file.read(4))
            skip = 12
        elif not vr.isalpha():  # implicit, against the rule
            (length,) = struct.unpack_from("<I", head, 4)
        if length > 1 << 20:
            raise Refusal(f"its meta header declares a value of {length:,} bytes", EXPORT_AGAIN)
        value = file.read(length)
        if element == 0x0010:
            syntax = value.rstrip(b"\0 ").decode("ascii", "replace")
        position += skip + length
        file.seek(position)
    return syntax, position


def _inflate(file: BinaryIO, body: int) -> bytes:
    file.seek(body)
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    out = stream.decompress(file.read(), _MOST_INFLATED)
    if stream.unconsumed_tail:
        raise Refusal(
            f"it is a deflated DICOM file of more than {_MOST_INFLATED >> 20} MiB",
            "save it uncompressed (dcmconv --write-xfer-little)",
        )
    return out


def _coding(source: BinaryIO, body: int, syntax: str) -> tuple[bool, bool]:
    """(implicit VR, little endian): by the transfer syntax, but the bytes have the last word on the VR."""
    source.seek(body)
    head = source.read(8)
    little = syntax != "1.2.840.10008.1.2.2"
    if not syntax and len(head) == 8:
        little = struct.unpack("<H", head[:2])[0] in (2, 8) or struct.unpack(">H", head[:2])[0] not in (2, 8)
    return not (head[4:6].isalpha() and head[4:6].isupper()), little


def _check_elements(source: BinaryIO, start: int, implicit: bool, little: bool) -> None:
    """Go through the elements that will become objects, up to the pixel data; refuse too many and too deep ones."""
    order = "<" if little else ">"
    source.seek(start)
    # Each open sequence or item: where it ends (None: at its delimiter), and whether it holds elements or raw items.
    open_parts: list[tuple[int | None, bool]] = []
    for _ in range(MOST_ELEMENTS):
        position = source.tell()
        while open_parts and open_parts[-1][0] is not None and position >= (open_parts[-1][0] or 0):
            open_parts.pop()
        head = source.read(8)
        if len(head) < 8:
            return
        group, element = struct.unpack_from(f"{order}HH", head)
        tag = group << 16 | element
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
            (length,) = struct.unpack_from(f"{order}I", head, 4)
            _step(source, tag, length, open_parts)
        else:
            if tag in _PIXELS and not open_parts:
                return
            vr, length = _length(source, head, order, implicit)
            if length == _UNDEFINED or tag in _SEQUENCES:
                elements = vr not in (b"OB", b"OW")
                open_parts.append((None if length == _UNDEFINED else source.tell() + length, elements))
            else:
                source.seek(length, 1)
        if len(open_parts) > 2 * _DEEPEST:
            raise Refusal(f"its sequences are nested more than {_DEEPEST} deep", EXPORT_AGAIN)
    raise Refusal(f"it has more than {MOST_ELEMENTS:,} attributes", "export it as a classic image object")


def _step(source: BinaryIO, tag: int, length: int, open_parts: list[tuple[int | None, bool]]) -> None:
    if tag == _ITEM:
        if open_parts and not open_parts[-1][1]:  # a fragment of bytes
            source.seek(0 if length == _UNDEFINED else length, 1)
        else:
            open_parts.append((None if length == _UNDEFINED else source.tell() + length, True))
    elif open_parts:
        open_parts.pop()


def _length(source: BinaryIO, head: bytes, order: str, implicit: bool) -> tuple[bytes, int]:
    vr = head[4:6]
    if implicit or not (vr.isalpha() and vr.isupper()):
        return b"", int(struct.unpack_from(f"{order}I", head, 4)[0])
    if vr in _LONG:
        more = source.read(4)
        if len(more) < 4:
            raise truncated()
        return vr, int(struct.unpack(f"{order}I", more)[0])
    return vr, int(struct.unpack_from(f"{order}H", head, 6)[0])


def value(data: Any, keyword: str, default: Any = None) -> Any:
    """An attribute's value; `default` where it is absent or present and empty, which DICOM takes for the same."""
    element = data.get(keyword)
    if element is None or (isinstance(element, (str, bytes)) and not element.strip()):
        return default
    if not isinstance(element, (str, bytes)) and hasattr(element, "__len__") and not len(element):
        return default
    return element


def whole(data: Any, keyword: str, default: int | None = None) -> int:
    """A whole number; the first of several. Raises `Refusal` where it is none, or is needed and missing."""
    found = value(data, keyword, default)
    if found is None:
        raise Refusal(f"its attribute {keyword} is missing", EXPORT_AGAIN)
    try:
        return int(found if isinstance(found, (int, float, str)) else found[0])
    except (TypeError, ValueError, IndexError):
        raise Refusal(f"its attribute {keyword} is no number", EXPORT_AGAIN) from None
