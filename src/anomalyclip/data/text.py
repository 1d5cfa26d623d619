"""The text of a list that a spreadsheet, an editor or a labelling tool wrote: bounded, in whatever encoding."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from anomalyclip.errors import InputError
from anomalyclip.io.headers import what_is_in
from anomalyclip.io.json_objects import loads_once
from anomalyclip.io.names import printable
from anomalyclip.io.regular import open_regular

MAX_BYTES = 256 << 20
MOST_CONTAINERS, MOST_VALUES = 4_000_000, 32_000_000  # of JSON: 2 GB of memory at most
_MARKS = (  # the longer ones first: UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEEN = 4096  # bytes that tell UTF-16 without a mark
#: Encodings of before Unicode, which no mark tells: the one in which most words are known counts, the first of equals.
_LEGACY = {
    "cp1252": "Windows-1252",
    "gb18030": "GBK",
    "cp932": "Shift-JIS",
    "cp949": "EUC-KR",
    "big5": "Big5",
    "cp1251": "Windows-1251",
    "cp1250": "Windows-1250",
    "koi8-r": "KOI8-R",
    "cp850": "DOS (code page 850)",
    "cp866": "DOS (code page 866)",
    "mac-roman": "Mac Roman",
}
#: Documents that people save under the name of a text, by what stands uncompressed in them; the first that fits.
_DOCUMENTS = (
    (b"PK\3\4", b"xl/workbook", "an Excel workbook"),
    (b"PK\3\4", b"opendocument.spreadsheet", "an OpenDocument spreadsheet"),
    (b"PK\3\4", b"Index/Document.iwa", "a Numbers spreadsheet"),
    (b"PK\3\4", b"word/document", "a Word document"),
    (b"\xd0\xcf\x11\xe0", "Workbook".encode("utf-16-le"), "an Excel workbook (.xls)"),
    (b"%PDF", b"", "a PDF document"),
    (b"{\\rtf", b"", "a text document (RTF)"),
)
_PAGES = ("<!doctype html", "<html", "<head", "<table")  # the last is what some programs export as "Excel"
_CELL = re.compile(r'[^,;\t|"\r\n]+')
_MOST_CELLS = 400  # that are looked up to tell the encoding


def read_bytes(path: Path) -> bytes:
    """The content of a list. Raises InputError where it cannot be read or is too large for one."""
    try:
        with open_regular(path) as file:  # no pipe, no device, and no more than is let in of one that grows
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"{printable(path)} is larger than {MAX_BYTES >> 20} MB; this is no list of images")
        return data
    except OSError as error:
        raise InputError(f"cannot read {printable(path)}: {error.strerror or error}; check the path") from error


def decode(data: bytes, known: Callable[[str], bool] | None = None) -> tuple[str, str]:
    """(text, encoding): by the byte order mark, else UTF-8, else UTF-16 by its zeros, else the legacy encoding in which
    most cells are `known` (words of lists, files that are there), Windows-1252 where none is.

    Raises InputError: of no encoding that can be told, or no text of a list.

    >>> decode("grün".encode("cp1252"))
    ('grün', 'Windows-1252')
    """
    text, encoding = _decoded(data, known or (lambda _: False))
    if text[:_SEEN].lstrip("\ufeff \t\r\n").lower().startswith(_PAGES):
        raise InputError("it is a web page (HTML), no list; download the file itself, or save its table as CSV (UTF-8)")
    return text, encoding


def _decoded(data: bytes, known: Callable[[str], bool]) -> tuple[str, str]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), encoding.removesuffix("-sig").upper()
            except UnicodeDecodeError as error:
                raise InputError(f"not valid {encoding} text (byte {error.start}); save it as UTF-8") from error
    head = data[:_SEEN]
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = head[start::2]
        if half and half.count(0) > 0.4 * len(half) and head[1 - start :: 2].count(0) == 0:
            return data.decode(encoding, "replace"), "UTF-16"
    _refuse_document(data)
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return _legacy(data, known)


def _refuse_document(data: bytes) -> None:
    """Raises InputError for what is no text, where its bytes tell what it is."""
    for magic, inside, name in _DOCUMENTS:
        if data.startswith(magic) and inside in data:
            raise InputError(f"it is {name}, no text; save its labels as CSV (UTF-8)")
    if b"\0" in data[:_SEEN] and (told := what_is_in(io.BytesIO(data))) is not None:
        raise InputError(f"{told}, no text; give the list as CSV (UTF-8)")


def _legacy(data: bytes, known: Callable[[str], bool]) -> tuple[str, str]:
    best, most = None, -1
    for encoding, name in _LEGACY.items():
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        cells = (cell.strip() for cell in _CELL.findall(text) if not cell.isascii())
        if (found := sum(map(known, islice(cells, _MOST_CELLS)))) > most:
            best, most = (text, name), found
    if best is None or (most <= 0 and best[1] != _LEGACY["cp1252"]):
        names = ", ".join([*_LEGACY.values()][:4])
        raise InputError(f"its text is not UTF-8, and no word in it tells which of {names} or others; save it as UTF-8")
    return best


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises InputError where it is no text, or of more parts than a list of images has (three
    bytes become an object of sixty) or where an object has a key twice, which no writer of JSON makes: the second would
    hide the first; ValueError and RecursionError as `json.loads` does."""
    text = read_text(path)
    for signs, most, what in (("{[", MOST_CONTAINERS, "objects and lists"), (",", MOST_VALUES, "values")):
        if (found := sum(map(text.count, signs))) > most:
            raise InputError(f"{printable(path)} holds {found:,} {what}, the limit is {most:,}; write several files")
    try:
        return loads_once(text)
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from error


def read_text(path: Path) -> str:
    """A list's text. Raises InputError that names the file."""
    data = read_bytes(path)
    try:
        return decode(data)[0]
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from error
