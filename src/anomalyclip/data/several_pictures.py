"""Folders that hold several pictures of each thing beside its mask, as Eyecandies does: told how to choose."""

from __future__ import annotations

import re
from pathlib import Path

from anomalyclip.data.listings import folders_below, pictures

_ONE_OF_SEVERAL = re.compile(r"(.+)_image_(\d)", re.IGNORECASE)
_MOST_FOLDERS = 200


def several_of_each(root: Path, shown: str) -> str:
    """The sentence on the first folder, from the root down, with NNN_image_0, NNN_image_1 ... and NNN_mask; "" where
    there is none. shown: the data set's name for people."""
    for folder in (root, *folders_below(root)[:_MOST_FOLDERS]):
        held = {path.stem: path.name for path in pictures(folder)}
        found = [one for stem in held if (one := _ONE_OF_SEVERAL.fullmatch(stem)) and f"{one[1]}_mask" in held]
        if len(found) > 1:
            place = folder.relative_to(root).as_posix()
            first, mask = found[0], held[f"{found[0][1]}_mask"]
            return (
                f"{shown if place == '.' else place}/ holds several pictures of each thing ({held[first[0]]}, ...) and "
                f"one mask ({mask}), as Eyecandies does: copy those of one number to images/{first[1]}.png and the "
                f"masks to masks/{first[1]}.png, and give the folder of these two."
            )
    return ""
