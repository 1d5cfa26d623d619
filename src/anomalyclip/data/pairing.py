"""Which mask belongs to which image: decided by names, never by the order of two listings."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.masks import MaskFiles
from anomalyclip.io.charts import charts_among
from anomalyclip.io.scanning import Entry, Kind, is_litter, scan

#: What mask names add to the image's stem, the commonest first; "" is the same stem with any suffix.
CONVENTIONS = ("_mask", "", "_label", "_gt", "_segmentation", "_anno")
#: What tells several masks of one image apart: a number behind a separator, or behind a word for masks.
_NUMBERED = re.compile(r"(.+_(?:mask|label|gt|segmentation|anno))\d{1,4}|(.+)[_. -]\(?\d{1,4}\)?")
#: Folders in which masks lie, in lower case.
MASK_PLACES = ("ground_truth", "masks", "mask", "label", "labels", "annotation", "annotations", "segmentation", "gt")


@dataclass(frozen=True)
class Pairing:
    """masks: image -> its mask, images without one are absent; leftover: masks of no image; notes: for people."""

    masks: dict[Path, Path | MaskFiles]
    leftover: tuple[Path, ...]
    notes: tuple[str, ...]


def pair(
    images: Sequence[Path],
    masks: Sequence[Path],
    several: Sequence[Path] = (),
    base: Path | None = None,
    *,
    numbered: bool = False,
) -> Pairing:
    """Pair by stem, letter case and Unicode form aside. The convention that fits most of the images is tried first.

    several: folders, each of which holds the masks of the image that it is called after. base: where images lie in
    subfolders of it, a mask of the same subfolder goes before others of its name. numbered: NAME_0.png, NAME_1.png or
    NAME_mask.png, NAME_mask_1.png that belong to no other image count together.

    >>> [mask.name for mask in pair([Path("a.b.JPG")], [Path("m/c.png"), Path("m/a.b_mask.png")]).masks.values()]
    ['a.b_mask.png']
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for mask in sorted(masks):
        by_stem[folded(mask.stem)].append(mask)
    parts = {folded(folder.name): pictures(folder) for folder in several}
    stems = {image: folded(image.stem) for image in images}
    fits = {ending: sum(stem + ending in by_stem for stem in stems.values()) for ending in CONVENTIONS}
    endings = sorted(CONVENTIONS, key=lambda ending: -fits[ending])  # stable: ties keep the table's order
    found: dict[Path, Path | MaskFiles] = {}
    notes: list[str] = []
    for image, stem in stems.items():
        options = next((by_stem[stem + ending] for ending in endings if stem + ending in by_stem), [])
        if base is not None and len(options) > 1:
            inner = [folded(part) for part in image.relative_to(base).parts[:-1]]
            own = [mask for mask in options if [folded(part) for part in mask.parts[-1 - len(inner) : -1]] == inner]
            options = own or options
        if options:
            found[image] = _best(image, options)
        elif parts.get(stem):
            files = parts[stem]
            found[image] = files[0] if len(files) == 1 else MaskFiles(tuple(files))
        if len(options) > 1:
            notes.append(f"{image.name} has {len(options)} masks of that name; {_best(image, options).name} is used")
    if numbered:
        _add_numbered(found, stems, by_stem)
    used = [mask for one in found.values() for mask in (one.files if isinstance(one, MaskFiles) else (one,))]
    if len(set(used)) < len(used):
        shared = next(mask for mask in used if used.count(mask) > 1)
        notes.append(f"several images share the mask {shared.name}; give each image a name of its own")
    taken = set(used)
    lost = [folder for folder in several if folded(folder.name) not in stems.values()]
    return Pairing(found, (*(mask for mask in sorted(masks) if mask not in taken), *lost), tuple(notes))


def _add_numbered(
    found: dict[Path, Path | MaskFiles], stems: Mapping[Path, str], by_stem: Mapping[str, Sequence[Path]]
) -> None:
    """Give images the masks of their names with a number behind, which are no other image's."""
    taken = {mask for one in found.values() for mask in (one.files if isinstance(one, MaskFiles) else (one,))}
    image_of = {stem: image for image, stem in stems.items()}
    more: dict[Path, list[Path]] = defaultdict(list)
    for stem, files in by_stem.items():
        name = without_number(stem)
        image = next((image_of[n] for end in CONVENTIONS if (n := name.removesuffix(end)) in image_of), None)
        if name != stem and image is not None and not taken.intersection(files):
            more[image] += files
    for image, files in more.items():
        one = found.get(image)
        all_of = (*(one.files if isinstance(one, MaskFiles) else (one,) if one else ()), *files)
        found[image] = MaskFiles(all_of) if len(all_of) > 1 else all_of[0]


def without_number(stem: str) -> str:
    """A mask's name without the number that tells it from others of its image; as it is where it has none.

    >>> without_number("007_1"), without_number("a_mask2"), without_number("a (1)_mask_1"), without_number("img12")
    ('007', 'a_mask', 'a (1)_mask', 'img12')
    """
    found = _NUMBERED.fullmatch(stem)
    return (found[1] or found[2]) if found else stem


def folded(name: str) -> str:
    """How names of files compare: composed (NFC, as most systems write them; some archives decompose) and caseless.

    >>> folded("Grün.PNG") == folded("gru" + chr(0x308) + "n.png")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _best(image: Path, options: Sequence[Path]) -> Path:
    """Two masks whose stems differ in letter case only: the exact one, else the first by name."""
    exact = [mask for mask in options if mask.stem.startswith(image.stem)]
    return (exact or list(options))[0]


def pictures(folder: Path) -> list[Path]:
    """Image files directly in a folder, told as `anomalyclip.io.scanning` does, sorted by name; [] for no folder.

    What `calibrate` drew there is none. What cannot be looked at (a link to itself, a pipe) and may be a picture is
    one: reading it tells why.
    """
    found = _scanned(folder)
    charts = charts_among({entry.name for entry in found})
    return [Path(entry.path) for entry in found if entry.kind is Kind.PICTURE and entry.name not in charts]


def pictures_below(folder: Path, aside: Callable[[str], bool] = lambda name: False) -> list[Path]:
    """Image files at any depth; links to folders are not followed, nor folders whose name is to be left `aside`."""
    return sorted(path for here in [folder, *folders_below(folder, aside)] for path in pictures(here))


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
    return bool(pictures(folder)) or any(pictures(below) for below in folders(folder))


def strays(folder: Path) -> list[Path]:
    """Files directly in a folder that are no images."""
    return [Path(entry.path) for entry in _scanned(folder) if entry.kind not in (Kind.PICTURE, Kind.FOLDER)]


def folders(folder: Path) -> list[Path]:
    """Subfolders, sorted by name."""
    return [path for path in entries(folder) if _is_folder(path)]


def _scanned(folder: Path) -> list[Entry]:
    try:
        return scan(str(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link to where we may not look
        return False


def child(folder: Path, *names: str) -> Path:
    """A path below a folder, found whatever the letter case on disk; as given where nothing matches."""
    for name in names:
        exact = folder / name
        if not exact.exists():
            exact = next((path for path in entries(folder) if folded(path.name) == folded(name)), exact)
        folder = exact
    return folder


def entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without hidden files and the litter of file managers."""
    try:
        found = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(path for path in found if not is_litter(path.name))
