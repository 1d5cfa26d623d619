"""The kinds of one class: a folder of normal images and one per defect, with their masks wherever people put them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from anomalyclip.data.beside import masks_beside
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import (
    MASK_FOLDERS,
    doubtful,
    good_folders,
    is_neither,
    is_unjudged,
    masks_of_kinds,
    of_other_splits,
)
from anomalyclip.data.like_masks import like_masks
from anomalyclip.data.listings import child, folded, folders, folders_below, pictures, pictures_below, strays
from anomalyclip.data.pairing import pair
from anomalyclip.errors import InputError

#: Names of the two halves of a kind's folder where images and masks lie in it, as in BMAD.
IMAGE_HALVES = ("img", "image", "images", "rgb", "imgs")
_MASK_HALVES = ("label", "labels", "mask", "masks", "anomaly_mask", *MASK_FOLDERS)

TELLING = 3
"""Of the names of mask folders: those that hold nothing else."""


def masks_in(folder: Path, names: Sequence[str] = MASK_FOLDERS) -> Path | None:
    """The folder of masks; one whose name could mean texts as well only where it holds pictures."""
    options = [(place, path) for place, name in enumerate(names) if (path := child(folder, name)).is_dir()]
    return next((path for place, path in options if place < TELLING or pictures_below(path)), None)


def read_kinds(draft: Draft, folder: Path, masks: Path | None, normal: frozenset[str], class_name: str) -> None:
    """The kinds of one class: a normal folder and one per defect; `masks` holds theirs, by kind or all together.

    A kind's images may lie in subfolders, or in a folder beside that of their masks (img/ and label/). Masks of normal
    images are read as well, to see whether they contradict.

    Raises InputError for masks of all kinds in one folder that could be those of several pictures.
    """
    kinds, good, beside = _kinds_of(draft, folder, normal)
    together = pictures(masks) if masks else []
    common: list[list[Path]] = []
    for kind in kinds:
        label = NORMAL if kind.name in good else ANOMALOUS
        half, own_masks = _halves(kind)
        own_masks = own_masks or beside.get(kind.name)
        place = half or kind
        images = pictures(place) or pictures_below(place, _is_aside)
        _tell_unused(draft, kind, images, own_masks)
        if not images:
            draft.problems.append(f"{draft.show(kind)} holds no images")
        draft.problem_files("files that are no images", strays(place))
        named = "" if label == NORMAL else kind.name
        theirs = own_masks or (child(masks, kind.name) if masks else None)
        own = pictures(theirs) if theirs else []
        several = [path for path in folders(theirs) if pictures(path)] if theirs and not own else []
        # Masks of the good ones alone say that those of the others are missing.
        draft.pixel_level |= own_masks is not None and (
            label == ANOMALOUS or (not draft.published and bool(pictures_below(own_masks)))
        )
        if not (draft.published or own or several or together):
            images, lying = masks_beside(draft, images)
            if lying:
                for image in images:
                    draft.add(image, lying.get(image), label, class_name, named)
                draft.pixel_level |= label == ANOMALOUS
                continue
        if label == NORMAL and (draft.published or not (own or several)):
            for image in images:
                draft.add(image, None, NORMAL, class_name)
        elif own or several or not together:
            inner = {folded(image.stem) for image in images}
            deeper = several if any(folded(path.name) in inner for path in several) else []
            below = pictures_below(theirs) if theirs and several and not deeper else own
            draft.add_paired(images, below, class_name, named, label=label, several=deeper, base=place)
        else:
            common.append(list(images))
            _from_common_folder(draft, images, together, class_name, kind.name)
    if masks:
        _check_alone(draft, common, together)
        known = {kind.name.casefold() for kind in kinds}
        lost = [path for path in folders(masks) if path.name.casefold() not in known and pictures(path)]
        if draft.split == "test":  # masks belong to the test split
            draft.problem_files("mask folders without a folder of images", lost)


def _kinds_of(draft: Draft, folder: Path, normal: frozenset[str]) -> tuple[list[Path], set[str], dict[str, Path]]:
    """Folders of kinds, good ones first; the names of those; and kind -> the folder of its masks beside it.

    What holds neither, or nobody has judged, is told and left out.
    """
    aside = {name.casefold() for name in MASK_FOLDERS}
    found = [kind for kind in folders(folder) if kind.name.casefold() not in aside]
    kinds = [kind for kind in found if not is_neither(kind.name)]
    unjudged = [] if draft.published else [kind for kind in kinds if is_unjudged(kind.name)]
    named = {} if draft.published else masks_of_kinds(kind.name for kind in kinds)
    kinds = [kind for kind in kinds if kind not in unjudged and kind.name not in named.values()]
    other = set() if draft.published else of_other_splits((kind.name for kind in kinds), draft.split)
    draft.problem_files("folders of another split (not used)", [kind for kind in kinds if kind.name in other])
    kinds = [kind for kind in kinds if kind.name not in other]
    good = good_folders((kind.name for kind in kinds), normal)
    kinds.sort(key=lambda kind: (kind.name not in good, kind.name))
    kinds = _without_masks(draft, kinds, good)
    draft.problem_files(
        "folders of results, copies or other sensors (not used)", [one for one in found if is_neither(one.name)]
    )
    draft.problem_files("folders of pictures that nobody has judged, by their name (not used)", unjudged)
    others = [draft.show(kind) for kind in kinds if kind.name in good and kind.name.casefold() not in normal]
    if others and not draft.published:
        draft.notes.append(f"counted as normal, by its name: {', '.join(others)}")
    doubts = [kind for kind in kinds if kind.name not in good and doubtful(kind.name) and not draft.published]
    draft.problem_files("folders that count as a defect though their name has a word for good", doubts)
    return kinds, good, {kind: folder / masks for kind, masks in named.items()}


def _without_masks(draft: Draft, kinds: list[Path], good: set[str]) -> list[Path]:
    """Those that do not look like masks by their pictures, whatever they are called."""
    if draft.published:
        return kinds
    held = {kind: pictures(kind) or pictures_below(kind, _is_aside) for kind in kinds}
    faults = {kind: paths for kind, paths in held.items() if kind.name not in good}
    marks = like_masks(faults, [held[kind] for kind in kinds if kind.name in good])
    draft.problem_files(
        "folders whose pictures have black and a few other levels alone, as masks have, and the good ones more (not "
        "used; masks belong in ground_truth/KIND/)",
        marks,
    )
    return [kind for kind in kinds if kind not in marks]


def _halves(kind: Path) -> tuple[Path | None, Path | None]:
    """(images, masks) of a kind's folder that holds img/ and perhaps label/, or masks beside one other folder; the
    images are None where they lie in the folder itself, or in several, the masks where there are none."""
    below = {folded(path.name): path for path in folders(kind)}  # one look: a kind may hold 100,000 files
    masks = next((below[name] for name in _MASK_HALVES if name in below), None)
    if pictures(kind):
        return None, masks if masks is not None and pictures_below(masks) else None
    half = next((below[name] for name in IMAGE_HALVES if name in below), None)
    if half is None and masks is not None:
        others = [path for path in below.values() if not _is_aside(path.name) and pictures_below(path, _is_aside)]
        half = others[0] if len(others) == 1 else None
    return half, masks


def _is_aside(name: str) -> bool:
    """Whether a folder among a kind's pictures holds none of them, by its name."""
    return name.casefold() in _MASK_HALVES or is_neither(name)


def _tell_unused(draft: Draft, kind: Path, images: Sequence[Path], masks: Path | None) -> None:
    used = {image.parent for image in images}
    below = [path for path in folders_below(kind) if path not in used and pictures(path)]
    unused = [path for path in below if masks is None or not path.is_relative_to(masks)]
    draft.problem_files("folders beside the pictures' that are not used", unused)


def _check_alone(draft: Draft, kinds: Sequence[Sequence[Path]], masks: Sequence[Path]) -> None:
    """Refuse a mask that pictures of several kinds could claim: nobody knows whose it is."""
    times = Counter(stem for images in kinds for stem in {folded(image.stem) for image in images})
    torn = [
        image
        for images in kinds
        for image in pair(images, masks, numbered=not draft.published).masks
        if times[folded(image.stem)] > 1
    ]
    if torn:
        same = [draft.show(image) for image in torn if folded(image.stem) == folded(torn[0].stem)]
        place = draft.show(masks[0].parent)
        raise InputError(
            f"{len(torn)} pictures of several kinds share a name, such as {' and '.join(same[:2])}, and all masks lie "
            f"in {place}/: put them into a folder for each kind, {place}/<defect>/"
        )


def _from_common_folder(
    draft: Draft, images: Sequence[Path], masks: Sequence[Path], class_name: str, kind: str
) -> None:
    """Masks of several kinds in one folder: what one kind leaves over belongs to another."""
    pairing = pair(images, masks, numbered=not draft.published)
    for image in images:
        draft.add(image, pairing.masks.get(image), ANOMALOUS, class_name, kind)
    draft.problems += [f"class {class_name}: {note}" for note in pairing.notes]
