"""What an entry of a folder is to a scan for pictures: told by its suffix, and by its content where that says nothing.

A suffix of a picture is taken at its word (the reader decides by content and refuses in the file's own row), one of
another kind of file likewise. All others (none at all, `.IMA`, `.1`, a picture kind that is usually not readable) are
opened and their first bytes looked at, so that only such files cost anything in a folder of millions.
"""

# os.path and scandir keep undecodable names and stay cheap in folders of a million files.
# ruff: noqa: PTH122

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from anomalyclip.io import headers
from anomalyclip.io.limits import SUFFIXES
from anomalyclip.io.refusal import Refusal
from anomalyclip.io.refused_kinds import UNPACK, refused_kind


class Kind(Enum):
    """FOLDER; PICTURE: to be attempted, also where it cannot be looked at; UNREAD: a picture of a kind that cannot be
    read here; VIDEO; ARRAYS: numbers that may be pictures (NumPy, MATLAB, HDF5); ARCHIVE; OTHER: no picture."""

    FOLDER = "folder"
    PICTURE = "picture"
    UNREAD = "unread picture"
    VIDEO = "video"
    ARRAYS = "arrays"
    ARCHIVE = "archive"
    OTHER = "other file"


@dataclass(frozen=True)
class Entry:
    """One entry of a folder. kind: what it is; told: its suffix, or the name of its format where it has none."""

    name: str
    path: str
    kind: Kind
    told: str = ""


def _suffixes(text: str) -> frozenset[str]:
    return frozenset(f".{word}" for word in text.split())


_OTHER = _suffixes(
    "txt md rst log csv tsv json jsonl xml yaml yml toml ini cfg conf html htm css js ts py pyc ipynb sh bat ps1 c h "
    "cpp java m r sql db sqlite lock pid sock pkl pickle parquet "
    "arrow feather pt pth ckpt onnx safetensors xlsx xls ods doc docx odt ppt pptx rtf exe dll so iso wav mp3 flac ogg "
    "m4a ttf otf woff woff2 tmp part crdownload download partial swp md5 sha1 sha256 url lnk webloc xmp aae thm"
)
_VIDEOS = _suffixes("mp4 m4v avi mov mkv webm mpg mpeg wmv flv mts m2ts 3gp ogv mjpeg mjpg")
_ARCHIVES = _suffixes("zip gz bz2 xz zst 7z rar tar tgz")
_ARRAYS = _suffixes("npy npz mat h5 hdf5 hdf nc")
_TOLD = {Kind.VIDEO: _VIDEOS, Kind.ARRAYS: _ARRAYS, Kind.ARCHIVE: _ARCHIVES}
#: Kinds whose content looks like TIFF, with a preview as its first page: their names decide.
_BY_NAME = _suffixes("dng cr2 cr3 nef nrw arw srf sr2 raf orf rw2 pef srw x3f raw 3fr iiq svs ndpi scn bif")
#: Pictures that a user may take to be covered; whether one is readable after all, its content says.
_PICTURES = _suffixes(
    "heic heif hif avif avifs jp2 j2k jpf jpx jpm j2c jpc jxl jxr wdp hdp psd psb xcf svg svgz eps ai pdf djvu tga pcx "
    "ppm pgm pbm pnm pam pfm exr hdr fits fit fts ico icns emf wmf nii mha mhd nrrd czi lif nd2 oib vsi mrxs qoi dds "
    "sgi ras cin dpx kra ora"
)
_NAMES = frozenset({"dicomdir", "thumbs.db", "desktop.ini", "license", "licence", "readme", "makefile", "dockerfile"})
_LITTER_STARTS = (".", "__MACOSX", "__pycache__")
_LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "#recycle", "$recycle.bin", "system volume information"}
)
_PACKED_VOLUME = ".nii.gz"
HEAD = 264  # bytes that tell; the mark of a tar archive ends there


Memo = dict[str, tuple[int, int, Entry]]
"""What opened files were, with their size and time: for those who scan a folder again and again."""


def is_litter(name: str) -> bool:
    """Whether an entry is none of the user's: hidden, or what systems and network drives put beside files.

    >>> [is_litter(name) for name in (".DS_Store", "@eaDir", "Thumbs.db", "a.png")]
    [True, True, True, False]
    """
    return name.startswith(_LITTER_STARTS) or name.casefold() in _LITTER


def scan(folder: str, memo: Memo | None = None) -> list[Entry]:
    """The entries of a folder, sorted by name, hidden ones left out. Raises OSError where it cannot be listed.

    An entry that cannot be looked at (a link to itself or to a forbidden place, a name too long, a pipe, a socket) is a
    PICTURE, unless its suffix says otherwise: attempting it tells the reason in a row of its own.
    """
    with os.scandir(folder) as found:
        entries = sorted((entry for entry in found if not is_litter(entry.name)), key=lambda entry: entry.name)
    return [look(entry, memo) for entry in entries]


def told_by_name(name: str) -> Entry | None:
    """What the name alone says; None where the first bytes must be looked at (`told_by_content`)."""
    suffix = os.path.splitext(name)[1].lower()
    if name.lower().endswith(_PACKED_VOLUME):
        return Entry(name, name, Kind.PICTURE, _PACKED_VOLUME)
    if suffix in SUFFIXES:
        return Entry(name, name, Kind.PICTURE, suffix)
    if suffix in _OTHER or name.casefold() in _NAMES or _is_part_of_another(name):
        return Entry(name, name, Kind.OTHER, suffix)
    for kind, suffixes in _TOLD.items():
        if suffix in suffixes:
            return Entry(name, name, kind, suffix)
    return Entry(name, name, Kind.UNREAD, suffix) if suffix in _BY_NAME else None


def _is_part_of_another(name: str) -> bool:
    """Whether a file holds what GDAL keeps outside a picture of that name: reduced copies, or where it has a value.

    >>> [_is_part_of_another(name) for name in ("a.tif.ovr", "a.tif.msk", "a.msk")]
    [True, True, False]
    """
    stem, suffix = os.path.splitext(name.lower())
    return suffix in (".ovr", ".msk") and os.path.splitext(stem)[1] in SUFFIXES


def told_by_content(name: str, head: bytes) -> Entry:
    """What the first bytes say of a file whose name says nothing."""
    suffix = os.path.splitext(name)[1].lower()
    try:
        headers.sniff(io.BytesIO(head))
    except Refusal:
        kind = refused_kind(head)
        unread = suffix in _PICTURES or (kind is not None and kind.picture)
        told = suffix if kind is None or suffix in _PICTURES else kind.short
        if unread:
            return Entry(name, name, Kind.UNREAD, told)
        return Entry(name, name, Kind.ARCHIVE if kind is not None and kind.remedy == UNPACK else Kind.OTHER, told)
    return Entry(name, name, Kind.PICTURE, suffix)


def look(entry: os.DirEntry[str], memo: Memo | None = None) -> Entry:
    """One entry, as `scan` tells it."""
    try:
        if entry.is_dir():
            return Entry(entry.name, entry.path, Kind.FOLDER)
        if entry.is_file():
            return _of_file(entry.name, entry.path, memo)
    except OSError:  # a link to itself or to where we may not look
        pass
    told = told_by_name(entry.name)
    return Entry(entry.name, entry.path, told.kind if told else Kind.PICTURE, told.told if told else "")


def _of_file(name: str, path: str, memo: Memo | None = None) -> Entry:
    told = told_by_name(name)
    if told is not None:
        return Entry(name, path, told.kind, told.told)
    try:
        status = os.stat(path)  # noqa: PTH116
        version = status.st_size, status.st_mtime_ns
        if memo is not None and (known := memo.get(path)) is not None and known[:2] == version:
            return known[2]
        told = told_by_content(name, _head(path))
    except OSError:
        return Entry(name, path, Kind.PICTURE)
    entry = Entry(name, path, told.kind, told.told)
    if memo is not None:
        memo[path] = (*version, entry)
    return entry


def _head(path: str) -> bytes:
    # Without blocking: the regular file may have become a pipe since it was listed.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        return os.read(handle, HEAD)
    finally:
        os.close(handle)


@dataclass
class PassedOver:
    """What scans left out, by kind: counts by suffix of unread pictures, videos, files of arrays and archives, of other
    files, of subfolders."""

    pictures: Counter[str] = field(default_factory=Counter)
    videos: Counter[str] = field(default_factory=Counter)
    arrays: Counter[str] = field(default_factory=Counter)
    archives: Counter[str] = field(default_factory=Counter)
    others: int = 0
    folders: int = 0

    def add(self, entry: Entry) -> None:
        """Count an entry that is not used."""
        if entry.kind is Kind.UNREAD:
            self.pictures[entry.told] += 1
        elif entry.kind is Kind.VIDEO:
            self.videos[entry.told] += 1
        elif entry.kind is Kind.ARRAYS:
            self.arrays[entry.told] += 1
        elif entry.kind is Kind.ARCHIVE:
            self.archives[entry.told] += 1
        elif entry.kind is Kind.FOLDER:
            self.folders += 1
        else:
            self.others += 1

    def merge(self, other: PassedOver) -> None:
        """Add another scan's counts."""
        self.pictures.update(other.pictures)
        self.videos.update(other.videos)
        self.arrays.update(other.arrays)
        self.archives.update(other.archives)
        self.others += other.others
        self.folders += other.folders

    def lines(self) -> Iterator[str]:
        """What people are told, a line each; nothing about files that are no pictures.

        >>> list(PassedOver(Counter({".heic": 2, ".jp2": 1})).lines())
        ['3 pictures of kinds that cannot be read here were passed over (.heic .jp2): convert them to PNG or JPEG']
        """
        if count := self.pictures.total():
            remedy = "convert it to PNG or JPEG" if count == 1 else "convert them to PNG or JPEG"
            what = f"{_counted(count, 'picture')} of kinds that cannot be read here"
            yield f"{what} {_were(count)} ({_kinds(self.pictures)}): {remedy}"
        if count := self.videos.total():
            what = f"{_counted(count, 'video')} {_were(count)} ({_kinds(self.videos)})"
            yield f"{what}: anomalyclip watch FILE scores a video's frames"
        if count := self.arrays.total():
            what = f"{_counted(count, 'file')} of arrays {_were(count)} ({_kinds(self.arrays)})"
            yield f"{what}: save pictures among them as PNG or TIFF"
        if count := self.archives.total():
            what = f"{_counted(count, 'archive')} {_were(count)} ({_kinds(self.archives)})"
            yield f"{what}: unpack {'it' if count == 1 else 'them'} to have pictures from there"
        if self.folders:
            yield f"{_counted(self.folders, 'subfolder')} {_were(self.folders)}: --recursive looks into them"

    def record(self) -> dict[str, Any]:
        """The counts for run.json; empty where nothing was left out."""
        told: dict[str, Any] = {"pictures": dict(sorted(self.pictures.items()))} if self.pictures else {}
        told |= {"videos": dict(sorted(self.videos.items()))} if self.videos else {}
        told |= {"arrays": dict(sorted(self.arrays.items()))} if self.arrays else {}
        told |= {"archives": dict(sorted(self.archives.items()))} if self.archives else {}
        told |= {"subfolders": self.folders} if self.folders else {}
        return told | ({"other_files": self.others} if self.others else {})

    @classmethod
    def recorded(cls, told: Mapping[str, Any]) -> PassedOver:
        """From what `record` gave."""
        counts = {name: Counter(told.get(name, {})) for name in ("pictures", "videos", "arrays", "archives")}
        return cls(**counts, others=told.get("other_files", 0), folders=told.get("subfolders", 0))


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _were(count: int) -> str:
    return "was passed over" if count == 1 else "were passed over"


def _kinds(counts: Counter[str]) -> str:
    return " ".join(sorted(counts))
