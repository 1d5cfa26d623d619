"""From what a list calls a file to the file, which never lies outside the data set's folder."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path, PurePosixPath, PureWindowsPath

from anomalyclip.data.folder_names import MASK_FOLDERS
from anomalyclip.data.listings import folded, listing
from anomalyclip.errors import InputError
from anomalyclip.io.limits import SUFFIXES
from anomalyclip.io.names import printable

_MOST_INDEXED = 500_000  # files that are looked through for a bare name


def inside(root: Path, text: str, where: str) -> Path:
    """`root`/`text`, or InputError if that leaves the root (by .. or as an absolute path). `where` starts the message.

    Backslashes of Windows count as slashes where no file of that very name exists.
    """
    refused = f"{where}: the path {printable(text[:200])!r}"
    if "\0" in text:
        raise InputError(f"{refused} holds a NUL character; write the list anew")
    path = Path(os.path.normpath(text))
    if "\\" in text and not (root / path).exists():
        path = Path(os.path.normpath(text.replace("\\", "/")))
    if path.is_absolute() and path.is_relative_to(root):
        path = path.relative_to(root)
    foreign = path.anchor or (PureWindowsPath(text).is_absolute() and not (root / path).exists())
    if foreign or path.parts[:1] in ((), ("..",)):
        raise InputError(
            f"{refused} leads outside {printable(root)}; paths must be relative to that folder. Write a new list with: "
            "anomalyclip data meta DIR"
        )
    return root / path


class Places:
    """Finds listed files below `root`, with one listing per folder instead of one question per file.

    base: the list's own folder, from which its paths may count as well. split: words for it; where several files bear a
    name, those in a folder named after one are meant.
    """

    def __init__(self, root: Path, base: Path | None = None, split: Collection[str] = ()) -> None:
        self.root = root
        self._split = split
        self._bases = (root,) if base is None or base == root else (root, base)
        self._known: dict[Path, dict[str, list[str]]] = {}
        self._index: dict[str, list[Path]] | None = None
        self._real: dict[Path, Path] = {}
        self._found: dict[tuple[str, bool, Path | None], Path | None] = {}

    def exact(self, text: str, where: str) -> Path | None:
        """The file of that very path; None where there is none. InputError where it, or a link, leads outside."""
        path = inside(self.root, text, where)
        return self._kept(path, where) if path.name in self._names(path.parent).get(folded(path.name), ()) else None

    def find(self, text: str, where: str, *, mask: bool = False, near: Path | None = None) -> Path | None:
        """The file that a list means: by its path, in any letter case and Unicode form, from the root or the list; else
        the only one of that name, with or without suffix, below the root. None where there is none, or several.

        mask: look for a mask, which may be called like its image. near: the folder of the file that speaks of it,
        looked into first. Raises InputError for a path that leads outside.
        """
        asked = (text, mask, near)
        if asked not in self._found:  # lists name a file many times: its masks', its defects', its twins' rows
            self._found[asked] = self._look(text, where, mask, near)
        return self._found[asked]

    def _look(self, text: str, where: str, mask: bool, near: Path | None) -> Path | None:
        path = inside(self.root, text, where)
        relative = path.relative_to(self.root)
        for base in (*((near,) if near is not None else ()), *self._bases):
            if (found := self._below(base, relative.parts)) is not None:
                return self._kept(found, where)
        named = self._named(relative.name)
        ends = [folded(part) for part in relative.parts]
        for option in named:  # lists begin with the name that their archive had: CheXpert-v1.0-small/valid/...
            own = [folded(part) for part in option.relative_to(self.root).parts]
            if 1 < len(own) < len(ends) and own == ends[-len(own) :]:
                return self._kept(option, where)
        options = [p for p in named if _is_mask_place(p.relative_to(self.root)) == mask]
        if len(relative.parts) > 1:  # as much of the path as there is
            options = [p for p in options if folded(p.parent.name) == folded(relative.parent.name)] or options
        if len(options) > 1 and self._split:
            options = [p for p in options if is_named_after(p.parent, self.root, self._split)]
        return self._kept(options[0], where) if len(options) == 1 else None

    def _kept(self, path: Path, where: str) -> Path:
        """The file, unless a link leads from it or its folder out of the root: a list is no leave to read elsewhere."""
        real = path.resolve() if path.is_symlink() else self._resolved(path.parent) / path.name
        if not real.is_relative_to(self._resolved(self.root)):
            raise InputError(
                f"{where}: {printable(path)} is or lies behind a link that leads outside {printable(self.root)}; put "
                "the file itself there, or open the folder above both"
            )
        return path

    def _resolved(self, folder: Path) -> Path:
        if folder not in self._real:
            self._real[folder] = folder.resolve()
        return self._real[folder]

    def holds(self, text: str) -> bool:
        """Whether a cell names a file that is there."""
        try:
            return bool(text.strip()) and self.find(text.strip(), "") is not None
        except InputError:
            return False

    def alike(self, text: str) -> list[Path]:
        """The pictures below the root that bear the name in a path, of which `find` takes one alone."""
        return sorted(set(self._named(PurePosixPath(text.replace("\\", "/")).name)))

    def images(self) -> list[Path]:
        """All pictures below the root that are no masks by their place."""
        return self._pictures(masks=False)

    def masks(self) -> list[Path]:
        """All pictures below the root that are masks by their place."""
        return self._pictures(masks=True)

    def _pictures(self, *, masks: bool) -> list[Path]:
        named = {path for paths in self._all().values() for path in paths if path.suffix.lower() in SUFFIXES}
        return sorted(path for path in named if _is_mask_place(path.relative_to(self.root)) == masks)

    def _below(self, folder: Path, parts: tuple[str, ...]) -> Path | None:
        for part in parts:
            names = self._names(folder).get(folded(part), [])
            if not names:
                return None
            folder = folder / (part if part in names else names[0])
        return folder if not folder.is_dir() else None

    def _names(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._known:
            try:
                self._known[folder] = listing(folder).names
            except OSError:
                self._known[folder] = {}
        return self._known[folder]

    def _named(self, name: str) -> list[Path]:
        known = self._all()
        return known.get(folded(name), []) or ([] if _suffix(name) else known.get(f"{folded(name)}.", []))

    def _all(self) -> dict[str, list[Path]]:
        """Every picture below the root by its folded name, and by its stem and a dot."""
        if self._index is None:
            self._index = defaultdict(list)
            waiting, count = [self.root], 0
            while waiting and count < _MOST_INDEXED:
                here = listing(waiting.pop())
                count += len(here)
                waiting += [path for path in here.folders if not path.is_symlink()]
                for path in here.files(SUFFIXES):
                    self._index[folded(path.name)].append(path)
                    self._index[f"{folded(path.stem)}."].append(path)
        return self._index


def is_named_after(path: Path, root: Path, words: Collection[str]) -> bool:
    """Whether a file below a root, or a folder that it lies in, has one of the words in its name.

    >>> is_named_after(Path("annotations/instances_Val2017.json"), Path(), {"val"})
    True
    """
    relative = path.relative_to(root)
    return any(
        word in words for part in (*relative.parts[:-1], relative.stem) for word in re.split(r"[^a-z]+", folded(part))
    )


def _suffix(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _is_mask_place(relative: Path) -> bool:
    return any(folded(part) in MASK_FOLDERS for part in relative.parts[:-1])
