"""Output names: readable, never two inputs on one name, the same again when a run is continued."""

# os.path works on names as they are, undecodable bytes included, and never rewrites what was typed.
# ruff: noqa: PTH100, PTH118, PTH119, PTH120, PTH122

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b

_LONGEST_PART = 200  # bytes; file systems allow 255, suffixes and temporary names need the rest


def path_key(path: str, *, cwd: str | None = None) -> bytes:
    """16 bytes that stand for a file's name in its real folder: `a/../x.png` and a folder's link give one key.

    A link to a file is a name of its own: caches keep many names for one content, and each is asked about.
    """
    full = path if cwd is None else os.path.join(cwd, path)
    folder, name = os.path.split(full)
    plain = name not in ("", ".", "..")
    real = os.path.join(os.path.realpath(folder), name) if plain else os.path.realpath(full)
    return blake2b(os.fsencode(real), digest_size=16).digest()


def frame_key(key: bytes, frame: int) -> bytes:
    """The key of one picture of the file whose key is given; no file's own."""
    return blake2b(b"%s#%d" % (key, frame), digest_size=16).digest()


def file_of(path: str, frame: int | None) -> str:
    """The file of a row's path: a file whose own name looks like a frame's has no `frame` in its row.

    >>> file_of("scan.tif#frame=3", 3), file_of("odd#frame=3", None)
    ('scan.tif', 'odd#frame=3')
    """
    return path if frame is None else path.removesuffix(f"#frame={frame}")


class NameRegistry:
    """Gives every input its own output name and remembers whose it is.

    The first choice is the path below the input folder without its suffix. Where another input holds that name
    (x.png beside x.jpg, x.png from two folders), the parent folder, the suffix and at last a hash of the real path
    are added. Names that differ only in case count as equal, since some file systems take them so.
    """

    def __init__(self) -> None:
        self._name_of: dict[bytes, str] = {}
        self._owner: dict[bytes, bytes] = {}

    def restore(self, name: str, key: bytes) -> None:
        """Take over a name that an earlier run handed out."""
        self._name_of[key] = name
        self._owner[_fold(name)] = key

    def claim(self, relative: str, *, path: str, key: bytes) -> str:
        """relative: path below its input folder, with suffix. Returns the name (no suffix, `/` between folders)."""
        if key not in self._name_of:
            free = (name for name in _candidates(relative, path, key) if self._owner.get(_fold(name), key) == key)
            self.restore(next(free), key)
        return self._name_of[key]


def _candidates(relative: str, path: str, key: bytes) -> Iterator[str]:
    parts = [part for part in relative.replace(os.sep, "/").split("/") if part not in {"", ".", ".."}] or ["image"]
    stem, suffix = os.path.splitext(parts[-1])
    folder = [_short(part) for part in parts[:-1]]
    parent = [_short(part) for part in [os.path.basename(os.path.dirname(os.path.abspath(path)))] if part]
    plain, typed = _short(stem), _short(stem + suffix.replace(".", "_"))
    digest = key.hex()
    yield "/".join([*folder, plain])
    if not folder:
        yield "/".join([*parent, plain])
    yield "/".join([*folder, typed])
    yield "/".join([*folder, f"{plain}-{digest[:8]}"])
    yield "/".join([*folder, f"{plain}-{digest}"])


def _short(part: str) -> str:
    raw = os.fsencode(part)
    if len(raw) <= _LONGEST_PART:
        return part
    head = raw[: _LONGEST_PART - 9].decode("utf-8", "ignore") or "long"
    return f"{head}-{blake2b(raw, digest_size=4).hexdigest()}"


def _fold(name: str) -> bytes:
    folded = unicodedata.normalize("NFC", name).casefold().encode("utf-8", "surrogateescape")
    return blake2b(folded, digest_size=16).digest()
