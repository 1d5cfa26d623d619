"""A folder for each picture, with its masks: ID/images/ID.png and ID/masks/*.png (Data Science Bowl 2018), or
ID/image.png beside ID/mask.png."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.beside import as_one
from anomalyclip.data.dataset import ANOMALOUS
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES
from anomalyclip.data.kinds import IMAGE_HALVES, masks_in
from anomalyclip.data.listings import child, folders, pictures
from anomalyclip.data.masks import MaskFiles
from anomalyclip.data.phases import base_of

_LEAST = 2  # such folders
_LEAST_SHARE = 0.5  # of the folders: where fewer are such, something else lies there
_IMAGE = re.compile(r"(image|img|original|input|rgb|photo)", re.IGNORECASE)
_MASK = re.compile(r"(masks?|gt|ground_?truth|label|segmentation|annotation)(_?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class FolderEach:
    """All masks of a folder count together; an image whose masks are black is normal."""

    words: str = "a folder for each picture, with images/ and masks/, or image.png beside mask.png"
    splits: frozenset[str] = PHASES

    def fits(self, root: Path) -> bool:
        base = base_of(root, "test")
        inner = folders(base) if base is not None else []
        found = sum(_masks_of(place) is not None for place in inner)
        return found >= _LEAST and found >= _LEAST_SHARE * len(inner)

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        base = base_of(root, draft.split)
        inner = folders(base) if base is not None else []
        found = [two for place in inner if (two := _masks_of(place)) is not None]
        draft.pixel_level = True
        labels = draft.labels_of([mask for _, mask in found])
        for (image, mask), label in zip(found, labels, strict=True):
            draft.add(image, mask if label == ANOMALOUS else None, label, root.name)
        rest = [place for place in inner if _masks_of(place) is None]
        draft.problem_files("folders without one picture and its masks (not used)", rest)


def _masks_of(place: Path) -> tuple[Path, Path | MaskFiles] | None:
    """(picture, its mask) of a folder; None where it does not hold one picture and masks."""
    half = next((path for name in IMAGE_HALVES if (path := child(place, name)).is_dir()), None)
    if half is not None:
        within = masks_in(place)
        images, masks = pictures(half), pictures(within) if within is not None else []
    else:
        own = pictures(place)
        images = [path for path in own if _IMAGE.fullmatch(path.stem)]
        masks = [path for path in own if _MASK.fullmatch(path.stem)]
    return (images[0], as_one(masks)) if len(images) == 1 and masks else None
