"""Masks in one folder with their images, where no folder tells who is anomalous: KolektorSDD2, LGG-MRI, Crack500."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.beside import ENDINGS, as_one, masks_of_names
from anomalyclip.data.dataset import NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import MASK_FOLDERS, PHASES, is_neither
from anomalyclip.data.like_masks import LOSSY, are_masks
from anomalyclip.data.listings import folded, folders_below, listing, pictures
from anomalyclip.data.phases import base_of
from anomalyclip.errors import InputError

_LEAST_PAIRED = 0.5  # of the pictures in subfolders: where fewer have a mask, something else lies there

_OF_A_SPLIT = re.compile(r"(?<![a-z])(train|test|val)")  # also traincrop


@dataclass(frozen=True)
class MasksAmongImages:
    """test/NNNNN.png and test/NNNNN_GT.png, train/ too; one folder, or subfolders of it, such as one for each patient.

    An image whose mask is black is normal, and so is one without a mask.
    """

    words: str = "test/ and train/, or one folder, with NAME.png beside NAME_GT.png, NAME_mask.png or NAME_label.png"
    splits: frozenset[str] = PHASES

    def _folder(self, root: Path, split: str) -> Path | None:
        """Where the split's pictures lie; the root itself is for tests."""
        folder = base_of(root, split)
        return folder if folder is not None and _pairs(_pictures(folder)) else None

    def fits(self, root: Path) -> bool:
        return self._folder(root, "test") is not None

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        folder = self._folder(root, draft.split)
        if folder is None:
            return
        draft.pixel_level = True
        found = _pictures(folder)
        pairs = _pairs(found)
        taken = {path for files in pairs.values() for path in files}
        images = [path for path in found if path not in taken]
        _check_once(draft, images)
        masks = {image: as_one(files) for image, files in pairs.items()}
        labels = dict(zip(masks, draft.labels_of(list(masks.values())), strict=True))
        for image in images:
            label = labels.get(image, NORMAL)
            draft.add(image, masks[image] if label else None, label, root.name)
        without = [image for image in images if image not in pairs]
        draft.problem_files("images without a mask beside them (they count as normal)", without)


def _pictures(folder: Path) -> list[Path]:
    """Those of the folder; else those of its subfolders, where none is called after a split or masks and most of them
    have masks."""
    own = pictures(folder)
    if own and _pairs(own):
        return own
    places = folders_below(folder, is_neither)
    if any(_OF_A_SPLIT.search(place.name.casefold()) or place.name.casefold() in MASK_FOLDERS for place in places):
        return own
    below = sorted(path for place in places for path in listing(place).pictures)
    pairs = _pairs(below)
    images = len(below) - sum(map(len, pairs.values()))
    return below if not own and pairs and len(pairs) >= _LEAST_PAIRED * images else own


def _pairs(paths: Sequence[Path]) -> dict[Path, list[Path]]:
    """Image -> its masks: by their names, else NAME.png of NAME.jpg where they look like masks."""
    named = masks_of_names(paths, ENDINGS)
    if named:
        return named
    twins: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths:
        twins[path.parent, folded(path.stem)].append(path)
    found = {}
    for two in twins.values():
        photos = [path for path in two if path.suffix.lower() in LOSSY]
        if len(two) == 2 and len(photos) == 1:
            found[photos[0]] = [path for path in two if path not in photos]
    return found if are_masks(list(found), [files[0] for files in found.values()]) else {}


def _check_once(draft: Draft, images: Sequence[Path]) -> None:
    """Refuse folders that lie there twice, as some archives hold them."""
    first: dict[tuple[str, str], Path] = {}
    for image in images:
        other = first.setdefault((image.parent.name, image.name), image)
        if other != image and other.stat().st_size == image.stat().st_size:
            raise InputError(
                f"{draft.show(other)} and {draft.show(image)} are of one name and size: the pictures lie there twice; "
                "give the folder of one of the two"
            )
