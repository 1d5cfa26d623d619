"""Which of the known data sets lie under a folder."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.known import KNOWN, Known, place, recognise
from anomalyclip.data.listings import folders
from anomalyclip.data.opening import META
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

DEPTH = 3  # levels below the root
_MOST_FOLDERS = 5_000


@dataclass(frozen=True)
class Found:
    """The result of `find_datasets`.

    Attributes:
        paths: name -> folder, in the order of the paper.
        notes: what a reader should know: second copies that are not used, a search cut short.
    """

    paths: dict[str, Path]
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Known, ...]:
        """The known data sets that are not there."""
        return tuple(known for name, known in KNOWN.items() if name not in self.paths)


def find_datasets(root: str | Path, *, depth: int = DEPTH) -> Found:
    """Look at `root` and the folders down to `depth` levels below it; symbolic links are followed, once each.

    A folder is a data set if one of the published layouts lies in it and its name, or its set of classes, says which
    (see `anomalyclip.data.recognise`), or if it holds a ``meta.json`` and has a data set's name. Inside a data set
    nothing further is looked for. Of several copies the one with the data set's own name counts, then the shallowest,
    then the first by name.

    Raises InputError if `root` is no folder that can be read, or holds none of the data sets.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{printable(root)} is no folder; give the one that holds the data sets")
    copies: dict[str, list[Path]] = {}
    seen: set[Path] = set()
    waiting = deque([(root.absolute(), 0)])
    while waiting and len(seen) < _MOST_FOLDERS:
        folder, level = waiting.popleft()
        try:
            real = folder.resolve()
            if real in seen:
                continue
            seen.add(real)
            known = _known_at(folder)
            below = folders(folder) if known is None and level < depth else []
        except OSError:  # not ours to read; a data set there would be refused anyway
            continue
        if known is not None:
            copies.setdefault(known.name, []).append(folder)
        waiting.extend((path, level + 1) for path in below)
    if not copies:
        raise InputError(
            f"none of the {len(KNOWN)} data sets lies in {printable(root)} or {depth} levels below it; see "
            "`anomalyclip data list` for their names and sources, `anomalyclip data info NAME` for their layouts"
        )
    return _choose(copies, cut=bool(waiting))


def _known_at(folder: Path) -> Known | None:
    if (folder / META).is_file():
        named = [known for known in KNOWN.values() if known.answers_to(folder.name)]
        if named:
            return named[0]
    known = recognise(folder)
    fitting = place(known, folder) if known is not None else None
    if known is None or fitting is None:
        return None
    # A folder of many sets has one of them inside; only a set's own folder may have it one level further down.
    return known if fitting[1] == folder or known.answers_to(folder.name) else None


def _choose(copies: dict[str, list[Path]], *, cut: bool) -> Found:
    paths, notes = {}, []
    for name in KNOWN:
        places = copies.get(name, [])
        if places:  # sorted is stable: the shallowest stays first
            best, *others = sorted(places, key=lambda path: not KNOWN[name].answers_to(path.name))
            paths[name] = best
            notes += [f"{name} also lies in {printable(path)}, which is not used" for path in others]
    if cut:
        notes.append(f"the search stopped after {_MOST_FOLDERS:,} folders; give a folder closer to the data sets")
    return Found(paths, tuple(notes))
