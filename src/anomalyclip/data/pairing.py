"""Which mask belongs to which image: decided by names, never by the order of two listings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.listings import folded, pictures
from anomalyclip.data.masks import MaskFiles
from anomalyclip.errors import InputError

#: What mask names add to the image's stem, the commonest first; "" is the same stem with any suffix.
CONVENTIONS = ("_mask", "", "_label", "_gt", "_segmentation", "_anno", "_1stho")
#: What tells several masks of one image apart: a number behind a separator, or behind a word for masks.
_NUMBERED = re.compile(r"(.+_(?:mask|label|gt|segmentation|anno))\d{1,4}|(.+)[_. -]\(?\d{1,4}\)?")

#: nnU-Net's number of a channel, behind the name of a case.
_CHANNEL = re.compile(r"_\d{4}$")


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
    if any(_CHANNEL.search(stem) for stem in stems.values()):
        stems = _without_channels(stems, by_stem)
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


def _without_channels(stems: Mapping[Path, str], masks: Mapping[str, Sequence[Path]]) -> dict[Path, str]:
    """Stems without nnU-Net's number of a channel, where the masks have none: case_0000.png and its mask case.png.

    Raises InputError where a picture's channels are files of their own.
    """
    short = {image: _CHANNEL.sub("", stem) for image, stem in stems.items()}
    if any(stem + ending in masks for stem in stems.values() for ending in CONVENTIONS):
        return dict(stems)  # the numbers are those of the pictures
    found = {image: stem for image, stem in short.items() if stem in masks}
    twice = [image.name for image, stem in found.items() if list(found.values()).count(stem) > 1]
    if twice:
        raise InputError(
            f"{', '.join(twice[:3])} are channels of one picture, whose mask is one, as nnU-Net has them; save each "
            "picture as one file"
        )
    return {image: found.get(image, stem) for image, stem in stems.items()}


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


def _best(image: Path, options: Sequence[Path]) -> Path:
    """Two masks whose stems differ in letter case only: the exact one, else the first by name."""
    exact = [mask for mask in options if mask.stem.startswith(image.stem)]
    return (exact or list(options))[0]
