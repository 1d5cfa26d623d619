"""Masks of listed images that the list does not name: found by name in folders of masks, or beside their images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from anomalyclip.data.beside import ENDINGS, as_one
from anomalyclip.data.dataset import ANOMALOUS
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import MASK_FOLDERS
from anomalyclip.data.kinds import IMAGE_HALVES
from anomalyclip.data.listings import folded
from anomalyclip.data.masks import mask_paths
from anomalyclip.data.pairing import pair, without_number
from anomalyclip.data.places import Places
from anomalyclip.errors import InputError

_ASIDE = frozenset((*MASK_FOLDERS, *IMAGE_HALVES))


def lend_by_name(draft: Draft, places: Places, source: Path) -> None:
    """Give the items of the list `source`, which has no column of masks, those that are called after them.

    Of masks in several folders those count whose folder is called as the image's is, but for words for images and
    masks. Normal images take what is left, so that a contradiction is found.

    Raises InputError where one mask could be that of several anomalous images.
    """
    listed = {item.image for item in draft.items}
    masks = [path for path in places.masks() if path not in listed]
    masks += [path for path in places.images() if path not in listed and _ends_as_masks(path)]
    taken: set[Path] = set()
    for label in (1, 0):
        wanted = [item.image for item in draft.items if item.label == label and item.mask is None]
        found = _by_name(draft, wanted, [mask for mask in masks if mask not in taken])
        if label == ANOMALOUS:
            _check_alone(draft, found)
        taken |= {file for files in found.values() for file in files}
        draft.items = [
            replace(item, mask=as_one(found[item.image])) if item.image in found else item for item in draft.items
        ]
    if taken:
        draft.pixel_level = True
        draft.notes.append(
            f"{source.name} names no masks: {len(taken)} are taken by name, such as {_first(draft, taken)}"
        )
    elif masks:
        draft.problem_files(f"masks that belong by name to no image of {source.name} (not used)", masks)


def _by_name(draft: Draft, images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, tuple[Path, ...]]:
    """Image -> its masks, of the folders that are nearest to its own."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for mask in masks:
        by_folder[mask.parent].append(mask)
    folders: dict[Path, list[Path]] = defaultdict(list)
    for image in images:
        folders[image.parent].append(image)
    found: dict[Path, tuple[Path, ...]] = {}
    for folder, held in folders.items():
        left = held
        near: dict[int, list[Path]] = defaultdict(list)
        for place in by_folder:
            near[len(_words(draft, folder) & _words(draft, place))] += by_folder[place]
        for _, some in sorted(near.items(), reverse=True):
            pairing = pair(left, some, numbered=True)
            found |= {image: mask_paths(mask) for image, mask in pairing.masks.items()}
            draft.problems += pairing.notes
            left = [image for image in left if image not in found]
    return found


def _words(draft: Draft, folder: Path) -> set[str]:
    """What the folders below the root say of an image, and of its mask."""
    return {folded(part) for part in folder.relative_to(draft.root).parts} - _ASIDE


def _ends_as_masks(path: Path) -> bool:
    return without_number(folded(path.stem)).endswith(ENDINGS) or folded(path.stem).endswith(ENDINGS)


def _check_alone(draft: Draft, found: dict[Path, tuple[Path, ...]]) -> None:
    of: dict[Path, Path] = {}
    for image, files in found.items():
        for file in files:
            if (other := of.setdefault(file, image)) != image:
                raise InputError(
                    f"{draft.show(other)} and {draft.show(image)} share their name, and {draft.show(file)} could be "
                    "the mask of both: add a column mask to the list"
                )


def _first(draft: Draft, files: set[Path]) -> str:
    return draft.show(min(files))
