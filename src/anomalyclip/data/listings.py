"""What a data set's folders hold: each is listed once for as long as one opening lasts (`listed_once`)."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path

from anomalyclip.data.derived import derived_among
from anomalyclip.io.charts import charts_among
from anomalyclip.io.scanning import Entry, Kind, is_litter, look

#: Forms of arrays that hold masks in some sets, and are no pictures.
ARRAYS = (".npy", ".npz", ".mat", ".h5", ".hdf5", ".pkl")


class Listing:
    """A folder's entries, sorted by name; what they are is found out when first asked for.

    Empty for what is no folder. Raises OSError where the folder cannot be listed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            with os.scandir(folder) as found:
                self._all = sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            self._all = []

    def __len__(self) -> int:
        return len(self._shown)

    def files(self, suffixes: Collection[str]) -> list[Path]:
        """What is no folder and has one of these suffixes, in lower case."""
        inner = {path.name for path in self.folders}
        named = [one.name for one in self._shown if os.path.splitext(one.name)[1].lower() in suffixes]  # noqa: PTH122
        return [self._folder / name for name in named if name not in inner]

    @cached_property
    def names(self) -> dict[str, list[str]]:
        """Every name, hidden ones too, by its `folded` form."""
        found: dict[str, list[str]] = {}
        for entry in self._all:
            found.setdefault(folded(entry.name), []).append(entry.name)
        return found

    @cached_property
    def entries(self) -> list[Entry]:
        """Without hidden files and the litter of file managers, told as `anomalyclip.io.scanning` does."""
        return [look(entry) for entry in self._shown]

    @cached_property
    def folders(self) -> list[Path]:
        """Subfolders, also behind links; none that cannot be looked at."""
        return [self._folder / entry.name for entry in self._shown if _is_folder(entry)]

    @cached_property
    def pictures(self) -> list[Path]:
        """Files to be read as images, without the charts of `calibrate` and what is `derived`."""
        charts = charts_among({entry.name for entry in self._shown})
        left = charts.union(path.name for path in self.derived)
        return [path for path in self._images if path.name not in left]

    @cached_property
    def derived(self) -> list[Path]:
        """Pictures made of others of the folder, by their names."""
        made = derived_among(path.name for path in self._images)
        return [path for path in self._images if path.name in made]

    @cached_property
    def _images(self) -> list[Path]:
        return [Path(one.path) for one in self.entries if one.kind is Kind.PICTURE]

    @cached_property
    def _shown(self) -> list[os.DirEntry[str]]:
        return [entry for entry in self._all if not is_litter(entry.name)]


_LISTED: ContextVar[dict[Path, Listing] | None] = ContextVar("listed", default=None)


@contextmanager
def listed_once() -> Iterator[None]:
    """Keep what `listing` finds until the block ends: layouts ask for the same folders dozens of times.

    For the calling thread alone; a later block looks anew.
    """
    before = _LISTED.set({})
    try:
        yield
    finally:
        _LISTED.reset(before)


def listing(folder: Path) -> Listing:
    """A folder's, kept within `listed_once`. Raises OSError where the folder cannot be listed."""
    kept = _LISTED.get()
    if kept is None:
        return Listing(folder)
    if folder not in kept:
        kept[folder] = Listing(folder)
    return kept[folder]


def folded(name: str) -> str:
    """How names of files compare: composed (NFC, as most systems write them; some archives decompose) and caseless.

    >>> folded("Grün.PNG") == folded("gru" + chr(0x308) + "n.png")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def pictures(folder: Path) -> list[Path]:
    """Image files directly in a folder, told as `anomalyclip.io.scanning` does, sorted by name; [] for no folder.

    What `calibrate` drew there is none. What cannot be looked at (a link to itself, a pipe) and may be a picture is
    one: reading it tells why.
    """
    return list(listing(folder).pictures)


def pictures_below(folder: Path, aside: Callable[[str], bool] = lambda name: False) -> list[Path]:
    """Image files at any depth; links to folders are not followed, nor folders whose name is to be left `aside`."""
    return sorted(path for here in [folder, *folders_below(folder, aside)] for path in listing(here).pictures)


def folders_below(folder: Path, aside: Callable[[str], bool] = lambda name: False) -> list[Path]:
    """Subfolders at any depth, as :func:`pictures_below` goes through them."""
    found, waiting = [], [folder]
    while waiting:
        below = [path for path in folders(waiting.pop()) if not path.is_symlink() and not aside(path.name)]
        found += below
        waiting += below
    return found


def holds_pictures(folder: Path) -> bool:
    """Whether images lie in a folder or one level deeper."""
    return any(listing(here).pictures for here in (folder, *folders(folder)))


def strays(folder: Path) -> list[Path]:
    """Files directly in a folder that are no images."""
    return [Path(one.path) for one in listing(folder).entries if one.kind not in (Kind.PICTURE, Kind.FOLDER)]


def folders(folder: Path) -> list[Path]:
    """Subfolders, sorted by name."""
    return list(listing(folder).folders)


def child(folder: Path, *names: str) -> Path:
    """A path below a folder, found whatever the letter case on disk; as given where nothing matches."""
    for name in names:
        exact = folder / name
        if not exact.exists():
            alike = (one for one in listing(folder).names.get(folded(name), ()) if not is_litter(one))
            exact = folder / next(alike, name)
        folder = exact
    return folder


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to where we may not look
        return False
