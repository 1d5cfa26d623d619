"""Folders whose pictures look like masks, whatever they are called: few levels alone, beside pictures of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from anomalyclip.errors import ImageReadError

_MOST_LEVELS = 8  # of a mask: unmarked and some kinds of marks
LOSSY = frozenset({".jpg", ".jpeg", ".webp"})
_PACKED = LOSSY | {".png"}
_MOST_BYTES = 0.3  # of a packed mask's pixel; a photograph has more
_HEADERS = 4096  # bytes of a file that are no pixels
_NEAR = 16 / 255  # how far a lossy file moves black and white
_LEAST_OF_PHOTOS = 0.5  # share of a photograph's pixels that are neither
_MOST_BETWEEN = 0.02  # share of a lossy mask's pixels that are neither


def like_masks(faults: Mapping[Path, Sequence[Path]], good: Sequence[Sequence[Path]]) -> list[Path]:
    """Of folders of faults and their pictures those that look like masks, judged by the first, middle and last of each.

    None does where the pictures of a ``good`` folder look so, too: then that is how the things look.
    """
    found = [folder for folder, paths in faults.items() if _all_like(paths)]
    return [] if found and any(map(_all_like, good)) else found


def are_masks(pictures: Sequence[Path], marks: Sequence[Path]) -> bool:
    """Whether files beside each other in a list are pictures and their masks: the second look so, the first do not."""
    return _all_like(marks) and not _all_like(pictures)


def are_photos(marks: Sequence[Path]) -> bool:
    """Whether what should be masks are photographs: of many levels, few of them near black or white."""
    places = sorted({0, len(marks) // 2, len(marks) - 1}) if marks else []
    return bool(places) and all(_is_photo(marks[at]) for at in places)


def _is_photo(path: Path) -> bool:
    from anomalyclip.io.masks import read_mask_levels

    try:
        found = read_mask_levels(path)
    except ImageReadError:  # told when it is used
        return False
    levels = found.levels / found.full
    between = ((levels > _NEAR) & (levels < 1 - _NEAR)).mean()
    return bool(between > _LEAST_OF_PHOTOS) and len(np.unique(found.levels)) > _MOST_LEVELS


def _all_like(paths: Sequence[Path]) -> bool:
    places = sorted({0, len(paths) // 2, len(paths) - 1}) if paths else []
    return bool(places) and all(_is_small(paths[at]) and _has_few_levels(paths[at]) for at in places)


def _is_small(path: Path) -> bool:
    """Whether its bytes, beside its pixels, allow few levels: decoding photographs of every folder would be dear."""
    from anomalyclip.io.inspection import inspect

    if path.suffix.lower() not in _PACKED:
        return True
    try:
        header = inspect(path)
        return path.stat().st_size <= _MOST_BYTES * header.width * header.height + _HEADERS
    except (ImageReadError, OSError):  # told when it is used
        return False


def _has_few_levels(path: Path) -> bool:
    """Black beside one to seven other levels, or, in a lossy file, hardly anything but black and white."""
    from anomalyclip.io.masks import read_mask_levels

    try:
        found = read_mask_levels(path)
    except ImageReadError:
        return False
    if path.suffix.lower() in LOSSY:
        levels = found.levels / found.full
        dark, light = levels <= _NEAR, levels >= 1 - _NEAR
        return bool(dark.any() and light.any() and (dark | light).mean() >= 1 - _MOST_BETWEEN)
    values = np.unique(found.levels)
    return 1 < len(values) <= _MOST_LEVELS and bool(values[0] == 0)
