"""Masks that lie in one folder with their pictures, by name: NAME.jpg beside NAME_mask.png, or beside NAME.png."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalyclip.data.draft import Draft
from anomalyclip.data.like_masks import LOSSY
from anomalyclip.data.listings import folded
from anomalyclip.data.masks import MaskFiles
from anomalyclip.data.pairing import CONVENTIONS, without_number
from anomalyclip.errors import ImageReadError

#: What names of masks end in, where they do not bear their picture's own.
ENDINGS = tuple(ending for ending in CONVENTIONS if ending)
_MOST_VALUES = 2  # of a mask's pixels: marked and not


def masks_beside(draft: Draft, images: Sequence[Path]) -> tuple[list[Path], dict[Path, Path | MaskFiles]]:
    """The pictures of a folder, and image -> mask of those that have one there.

    By name alone where it ends as masks' do; of two files of one name, one of a lossy form, the other's content tells:
    a mask has two values at most. Those that share a name and are both pictures are told.
    """
    masks = masks_of_names(images, ENDINGS)
    twins: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in images:
        twins[path.parent, folded(path.stem)].append(path)
    doubles = []
    for same in twins.values():
        if len({path.suffix.lower() for path in same}) < 2:  # names that differ in letter case alone are two pictures
            continue
        marks = [path for path in same if path.suffix.lower() not in LOSSY and _is_mask(path)]
        photos = [path for path in same if path not in marks]
        if len(marks) == len(photos) == 1:
            masks[photos[0]] = [marks[0]]
        else:
            doubles += same[1:]
    draft.problem_files("pictures that share their name with another beside them (both count)", doubles)
    taken = {path for files in masks.values() for path in files}
    return [path for path in images if path not in taken], {image: as_one(files) for image, files in masks.items()}


def masks_of_names(paths: Sequence[Path], endings: Sequence[str]) -> dict[Path, list[Path]]:
    """Image -> the files of its folder that are called after it as masks are: NAME_mask.png, NAME_mask_1.png ..."""
    places = {(path.parent, folded(path.stem)): path for path in paths}
    masks: dict[Path, list[Path]] = defaultdict(list)
    for (folder, stem), path in places.items():
        for ending in endings:
            name = next((one for one in (stem, without_number(stem)) if one.endswith(ending)), "")
            if name and (image := places.get((folder, name.removesuffix(ending)))) is not None:
                masks[image].append(path)
                break
    return masks


def as_one(files: Sequence[Path]) -> Path | MaskFiles:
    """The mask that files, at least one, are together."""
    return files[0] if len(files) == 1 else MaskFiles(tuple(files))


def _is_mask(path: Path) -> bool:
    """Whether a picture could be a mask: it has two values at most, one of which marks nothing."""
    from anomalyclip.io.masks import read_mask_levels

    try:
        values = np.unique(read_mask_levels(path).levels)
    except ImageReadError:  # told when it is used
        return False
    return len(values) <= _MOST_VALUES and bool(values[0] == 0)
