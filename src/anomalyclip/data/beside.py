"""Masks that lie in one folder with their pictures, by name: NAME.jpg beside NAME_mask.png, or beside NAME.png."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from anomalyclip.data.draft import Draft
from anomalyclip.data.pairing import CONVENTIONS, folded
from anomalyclip.errors import ImageReadError

_ENDINGS = tuple(ending for ending in CONVENTIONS if ending)
_MOST_VALUES = 2  # of a mask's pixels: marked and not
_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})


def masks_beside(draft: Draft, images: Sequence[Path]) -> tuple[list[Path], dict[Path, Path]]:
    """The pictures of a folder, and image -> mask of those that have one there.

    By name alone where it ends as masks' do; of two files of one name, one of a lossy form, the other's content tells:
    a mask has two values at most. Those that share a name and are both pictures are told.
    """
    places = {(path.parent, folded(path.stem)): path for path in images}
    masks: dict[Path, Path] = {}
    for (folder, stem), path in places.items():
        for ending in _ENDINGS:
            if stem.endswith(ending) and (image := places.get((folder, stem.removesuffix(ending)))) is not None:
                masks[image] = path
    twins: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in images:
        twins[path.parent, folded(path.stem)].append(path)
    doubles = []
    for same in twins.values():
        if len({path.suffix.lower() for path in same}) < 2:  # names that differ in letter case alone are two pictures
            continue
        marks = [path for path in same if path.suffix.lower() not in _LOSSY and _is_mask(path)]
        photos = [path for path in same if path not in marks]
        if len(marks) == len(photos) == 1:
            masks[photos[0]] = marks[0]
        else:
            doubles += same[1:]
    draft.problem_files("pictures that share their name with another beside them (both count)", doubles)
    taken = set(masks.values())
    return [path for path in images if path not in taken], masks


def _is_mask(path: Path) -> bool:
    """Whether a picture could be a mask: it has two values at most, one of which marks nothing."""
    from anomalyclip.io.masks import read_mask_levels

    try:
        values = np.unique(read_mask_levels(path).levels)
    except ImageReadError:  # told when it is used
        return False
    return len(values) <= _MOST_VALUES and bool(values[0] == 0)
