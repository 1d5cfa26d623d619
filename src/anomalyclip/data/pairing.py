"""Which mask belongs to which image: decided by names, never by the order of two listings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.io.limits import SUFFIXES

#: What mask names add to the image's stem, the commonest first; "" is the same stem with any suffix.
CONVENTIONS = ("_mask", "", "_label", "_gt", "_segmentation", "_anno")
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Pairing:
    """masks: image -> its mask, images without one are absent; leftover: masks of no image; notes: for people."""

    masks: dict[Path, Path]
    leftover: tuple[Path, ...]
    notes: tuple[str, ...]


def pair(images: Sequence[Path], masks: Sequence[Path]) -> Pairing:
    """Pair by stem, letter case aside. The convention that fits most of the images is tried first.

    >>> [mask.name for mask in pair([Path("a.b.JPG")], [Path("m/c.png"), Path("m/a.b_mask.png")]).masks.values()]
    ['a.b_mask.png']
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for mask in sorted(masks):
        by_stem[mask.stem.casefold()].append(mask)
    stems = {image: image.stem.casefold() for image in images}
    fits = {ending: sum(stem + ending in by_stem for stem in stems.values()) for ending in CONVENTIONS}
    endings = sorted(CONVENTIONS, key=lambda ending: -fits[ending])  # stable: ties keep the table's order
    found: dict[Path, Path] = {}
    notes: list[str] = []
    for image, stem in stems.items():
        options = next((by_stem[stem + ending] for ending in endings if stem + ending in by_stem), [])
        if options:
            found[image] = _best(image, options)
        if len(options) > 1:
            notes.append(f"{image.name} has {len(options)} masks of that name; {found[image].name} is used")
    used = list(found.values())
    if len(set(used)) < len(used):
        shared = next(mask for mask in used if used.count(mask) > 1)
        notes.append(f"several images share the mask {shared.name}; give each image a name of its own")
    taken = set(used)
    return Pairing(found, tuple(mask for mask in sorted(masks) if mask not in taken), tuple(notes))


def _best(image: Path, options: Sequence[Path]) -> Path:
    """Two masks whose stems differ in letter case only: the exact one, else the first by name."""
    exact = [mask for mask in options if mask.stem.startswith(image.stem)]
    return (exact or list(options))[0]


def pictures(folder: Path) -> list[Path]:
    """Image files directly in a folder, by suffix in any letter case, sorted by name; [] for no folder."""
    return [path for path in entries(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


def strays(folder: Path) -> list[Path]:
    """Files directly in a folder that are no images."""
    return [path for path in entries(folder) if path.suffix.lower() not in SUFFIXES and path.is_file()]


def folders(folder: Path) -> list[Path]:
    """Subfolders, sorted by name."""
    return [path for path in entries(folder) if path.is_dir()]


def child(folder: Path, *names: str) -> Path:
    """A path below a folder, found whatever the letter case on disk; as given where nothing matches."""
    for name in names:
        exact = folder / name
        if not exact.exists():
            exact = next((path for path in entries(folder) if path.name.casefold() == name.casefold()), exact)
        folder = exact
    return folder


def entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without hidden files and the litter of file managers."""
    try:
        found = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    skip = ("__MACOSX", "__pycache__")
    return sorted(p for p in found if not p.name.startswith((".", *skip)) and p.name.lower() not in _LITTER)
