"""Pictures and masks in two folders beside each other that their names tell: imagesTr/ and labelsTr/, train/ and
train_masks/, ISIC2018_Task1-2_Training_Input/ and ISIC2018_Task1_Training_GroundTruth/."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES, is_neither
from anomalyclip.data.listings import folders, pictures, strays
from anomalyclip.data.pairing import pair
from anomalyclip.errors import InputError

_IMAGE_WORDS = "image images img imgs input inputs data original originals photo photos picture pictures rgb"
_MASK_WORDS = (
    "mask masks gt groundtruth truth label labels lab labs annotation annotations annot anno segmentation "
    "segmentations segment segments seg"
)
_IMAGES, _MASKS = frozenset(_IMAGE_WORDS.split()), frozenset(_MASK_WORDS.split())
_SPLITS = {
    word: split
    for split, words in (
        ("test", "test testing ts tst"),
        ("val", "val valid validation va"),
        ("train", "train training trainval tr trn"),
    )
    for word in words.split()
}
#: Words of a name, also where a capital begins them; a split's may be glued to another: trainannot.
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_GLUED = re.compile(r"(train|test|val)([a-z]{3,})")
#: What is read as a split, the first that is there; what has no split is for tests.
_TRIED = {"test": ("test", "", "val", "train"), "train": ("train",)}
_LEAST_PAIRED = 0.5  # of the pictures: fewer are no picture's masks


class Half(NamedTuple):
    """What the name of a folder says. split: "test", "val", "train" or ""; rest: its other words."""

    masks: bool
    split: str
    rest: frozenset[str]


@dataclass(frozen=True)
class NamedHalves:
    """An image whose mask is black is normal. Training pictures are tested where nothing else has masks, and told."""

    words: str = "two folders of pictures and masks by their names (imagesTr/ and labelsTr/, train/ and train_masks/)"
    splits: frozenset[str] = PHASES

    def fits(self, root: Path) -> bool:
        return any(_pairs(root).values())

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        found = _pairs(root)
        split = next((one for one in _TRIED[draft.split] if found.get(one)), "")
        draft.pixel_level = True
        for images, masks in found.get(split, []):
            draft.add_paired(pictures(images), pictures(masks), root.name, label=None, base=images)
            draft.problem_files("files that are no images", strays(images))
            draft.notes.append(f"{draft.show(images)}/ has its masks in {draft.show(masks)}/")
        if split not in ("", draft.split):
            draft.notes.append(f"the {split} pictures are read as the test split, as no others have masks")
        used = {folder for pairs in found.values() for two in pairs for folder in two}
        rest = [folder for folder in folders(root) if folder not in used and pictures(folder)]
        draft.problem_files("folders beside the pictures' that are not used", rest)


def _pairs(root: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Split -> (pictures, masks). Raises InputError where several folders could hold the masks of one."""
    halves = {folder: half for folder in folders(root) if (half := read_name(folder.name)) and pictures(folder)}
    found: dict[str, list[tuple[Path, Path]]] = {}
    for images, half in halves.items():
        if half.masks:
            continue
        options = [one for one, other in halves.items() if other.masks and other.split == half.split]
        same = [one for one in options if halves[one].rest == half.rest]
        near = [one for one in options if halves[one].rest < half.rest or halves[one].rest > half.rest]
        fitting = [one for one in same or near if _is_paired(images, one)]
        if len(fitting) > 1:
            names = " and ".join(f"{one.name}/" for one in fitting[:2])
            raise InputError(f"{names} could hold the masks of {images.name}/; leave the one that counts beside it")
        if fitting:
            found.setdefault(half.split, []).append((images, fitting[0]))
    return found


def _is_paired(images: Path, masks: Path) -> bool:
    found = pictures(images)
    return len(pair(found, pictures(masks), numbered=True).masks) >= _LEAST_PAIRED * len(found)


def read_name(name: str) -> Half | None:
    """The half that a folder's name tells; None for one that tells none.

    >>> read_name("imagesTr")
    Half(masks=False, split='train', rest=frozenset())
    >>> read_name("testannot"), read_name("test_masks") == read_name("testannot"), read_name("scratch")
    (Half(masks=True, split='test', rest=frozenset()), True, None)
    """
    words: list[str] = []
    for word in (one.casefold() for one in _WORD.findall(name)):
        glued = _GLUED.fullmatch(word)
        words += glued.groups() if glued and word not in _SPLITS and glued[2] in _IMAGES | _MASKS else (word,)
    splits = {_SPLITS[word] for word in words if word in _SPLITS}
    masks = not _MASKS.isdisjoint(words)
    told = masks or not _IMAGES.isdisjoint(words) or (len(words) == 1 and bool(splits))
    if not told or len(splits) > 1 or is_neither(name):
        return None
    rest = frozenset(words).difference(_IMAGES, _MASKS, _SPLITS, ("ground",))
    return Half(masks, next(iter(splits), ""), rest)
