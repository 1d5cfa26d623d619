"""The folder layouts in which data sets are published, as a few kinds with parameters.

Every kind answers two questions: `fits(root)`, does this folder look so; `read(root, draft)`, what is in it. Names of
folders match in any letter case. `words` says the layout for `data info` and error messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import (
    MASK_FOLDERS,
    NORMAL_NAMES,
    PHASES,
    good_folders,
    is_of_a_split,
)
from anomalyclip.data.kinds import IMAGE_HALVES, TELLING, masks_in, read_kinds
from anomalyclip.data.listings import child, folded, folders, holds_pictures, pictures, pictures_below, strays
from anomalyclip.data.masks import mask_paths
from anomalyclip.data.pairing import pair
from anomalyclip.data.phases import phase_folder


class Layout(Protocol):
    """What every kind below offers; `splits` are those it can tell apart."""

    @property
    def words(self) -> str: ...
    @property
    def splits(self) -> frozenset[str]: ...
    def fits(self, root: Path) -> bool: ...
    def classes(self, root: Path) -> tuple[str, ...]: ...
    def read(self, root: Path, draft: Draft) -> None: ...


@dataclass(frozen=True)
class ClassTree:
    """MVTec AD and its many relatives: class/test/<kind>/, class/train/good/, class/ground_truth/<kind>/.

    The root may be one class's own folder. mask_folders: where masks may lie below a class, by kind or all together.
    """

    words: str = "<class>/test/{good,<defect>}/, <class>/train/good/, <class>/ground_truth/<defect>/"
    normal: frozenset[str] = NORMAL_NAMES
    mask_folders: tuple[str, ...] = MASK_FOLDERS
    class_name: str | None = None
    splits: frozenset[str] = PHASES

    def _class_folders(self, root: Path) -> list[Path]:
        # "train" alone is no sign: many data sets of other fields have it.
        if folders(_phase(root, "test")):
            return [root]
        return [folder for folder in folders(root) if folders(_phase(folder, "test"))]

    def fits(self, root: Path) -> bool:
        return any(
            good_folders(map(_name, folders(_phase(folder, "test"))), self.normal)
            or any(child(folder, name).is_dir() for name in self.mask_folders[:TELLING])
            for folder in self._class_folders(root)
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def _masks(self, folder: Path) -> Path | None:
        """Beside the splits, or inside the test pictures' folder."""
        return masks_in(folder, self.mask_folders) or masks_in(_phase(folder, "test"), self.mask_folders)

    def read(self, root: Path, draft: Draft) -> None:
        found = self._class_folders(root)
        draft.pixel_level |= any(self._masks(folder) for folder in found)
        for folder in found:
            phase = _phase(folder, draft.split)
            if phase.name.lower().startswith("val"):
                draft.notes.append(f"{draft.show(phase)}/ is read as the test split, as there is no test/")
            draft.problem_files("images outside any labelled folder (not used)", pictures(phase))
            masks = self._masks(folder)
            read_kinds(draft, phase, masks, self.normal, self.class_name or folder.name)
            beside = [path for path in folders(folder) if not is_of_a_split(path.name) and path != masks]
            unused = [] if draft.published else list(filter(holds_pictures, beside))
            draft.problem_files("folders beside the pictures' that are not used", unused)
        if found != [root]:
            others = [path for path in folders(root) if path not in found and holds_pictures(path)]
            draft.problem_files(f"folders without a test/ folder (not used) in {draft.root.name or '/'}", others)


@dataclass(frozen=True)
class FlatTree:
    """A user's folder: good/, <defect>/ and, where there are masks, ground_truth/<defect>/; or one such per class."""

    words: str = "{good,<defect>}/ and optionally ground_truth/<defect>/, for one class or below <class>/"
    splits: frozenset[str] = frozenset({"test"})

    def _class_folders(self, root: Path) -> list[Path]:
        if self._is_class(root):
            return [root]
        return [
            folder for folder in folders(root) if folder.name.casefold() not in MASK_FOLDERS and self._is_class(folder)
        ]

    @staticmethod
    def _is_class(folder: Path) -> bool:
        kinds = [kind for kind in folders(folder) if pictures_below(kind)]
        return bool(good_folders(map(_name, kinds)))

    def fits(self, root: Path) -> bool:
        return bool(self._class_folders(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def read(self, root: Path, draft: Draft) -> None:
        found = self._class_folders(root)  # images/<kind>/ may lie alone, beside masks/<kind>/
        beside = masks_in(root) if [one.name.casefold() in IMAGE_HALVES for one in found] == [True] else None
        for folder in found:
            masks = masks_in(folder) or beside
            draft.pixel_level |= masks is not None
            draft.problem_files("images outside any labelled folder (not used)", pictures(folder))
            read_kinds(draft, folder, masks, NORMAL_NAMES, folder.name if beside is None else root.name)
        if found != [root]:
            rest = [path for path in folders(root) if path not in (*found, beside) and holds_pictures(path)]
            draft.problem_files("folders without a folder of good pictures (not used)", rest)


@dataclass(frozen=True)
class LabelledFolders:
    """Image-level sets of one class: a folder per label, such as yes/ and no/. Other folders are not used.

    labels: folder -> 0 or 1. inside: subfolders of which the first that fits is taken (a Kaggle archive may hold the
    same images twice). images: the folder below each label's that may hold the images.
    """

    class_name: str
    labels: Mapping[str, int]
    words: str
    inside: tuple[str, ...] = ("",)
    images: str = "images"
    splits: frozenset[str] = frozenset({"test"})

    def _base(self, root: Path) -> Path | None:
        bases = [child(root, name) if name else root for name in self.inside]
        return next((base for base in bases if all(child(base, label).is_dir() for label in self.labels)), None)

    def fits(self, root: Path) -> bool:
        return self._base(root) is not None

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name,)

    def read(self, root: Path, draft: Draft) -> None:
        base = self._base(root) or root
        for name, label in sorted(self.labels.items(), key=lambda pair: pair[1]):
            folder = child(base, name)
            inner = child(folder, self.images)
            for image in pictures(inner if inner.is_dir() else folder):
                draft.add(image, None, label, self.class_name, "" if label == NORMAL else folder.name)
        # Known extra folders (lung masks, unlabelled predictions) are named, so that nobody wonders about the count.
        taken = {child(base, name) for name in self.labels}
        others = [path for path in folders(base) if path not in taken and holds_pictures(path)]
        draft.problem_files("folders that the protocol does not use", others)


@dataclass(frozen=True)
class ImagesAndMasks:
    """Segmentation sets: images and masks lie in two folders, per split; an image whose mask is black is normal."""

    class_name: str | None
    pairs: Mapping[str, tuple[tuple[str, str], ...]]
    words: str

    @property
    def splits(self) -> frozenset[str]:
        return frozenset(self.pairs)

    def _find(self, root: Path, split: str) -> tuple[Path, Path] | None:
        there = {folded(path.name) for path in folders(root)}
        likely = (two for two in self.pairs.get(split, ()) if all(folded(one.split("/")[0]) in there for one in two))
        options = ((child(root, *i.split("/")), child(root, *m.split("/"))) for i, m in likely)
        return next((option for option in options if option[0].is_dir() and option[1].is_dir()), None)

    def fits(self, root: Path) -> bool:
        found = self._find(root, "test")
        return found is not None and (self.class_name is not None or bool(pictures_below(found[1])))

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name or root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        found = self._find(root, draft.split)
        draft.pixel_level = True
        if found:
            images, masks = pictures_below(found[0]), pictures_below(found[1])
            several = self._folders_of_images(found, images)
            masks = [mask for mask in masks if mask.parent not in several]
            draft.add_paired(images, masks, self.classes(root)[0], label=None, several=several, base=found[0])
            draft.problem_files("files that are no images", strays(found[0]))
            beside = [path for path in folders(found[1].parent) if path not in found and not is_of_a_split(path.name)]
            unused = [] if draft.published else [path for path in beside if pictures(path)]
            draft.problem_files("folders beside the pictures' that are not used", unused)
            if any(part.startswith("val") for part in draft.show(found[0]).lower().split("/")):
                draft.notes.append(f"{draft.show(found[0])}/ is read as the test split, as there is no test/")

    @staticmethod
    def _folders_of_images(found: tuple[Path, Path], images: Sequence[Path]) -> list[Path]:
        """Folders of masks that are called after an image, whose masks they hold: masks/NAME/0.png, 1.png ..."""
        stems = {folded(image.stem) for image in images}
        named = [place for place in folders(found[1]) if folded(place.name) in stems and pictures(place)]
        return [place for place in named if not child(found[0], place.name).is_dir()]


@dataclass(frozen=True)
class MaskBeside:
    """KolektorSDD as published: kosNN/PartN.jpg beside PartN_label.bmp; an all-black label marks a normal image."""

    class_name: str
    words: str = "kos01..kos50/PartN.jpg beside PartN_label.bmp (all black: normal)"
    prefix: str = "kos"
    ending: str = "_label"
    splits: frozenset[str] = frozenset({"test"})

    def _parts(self, root: Path) -> list[Path]:
        return [folder for folder in folders(root) if folder.name.casefold().startswith(self.prefix)]

    def _is_mask(self, path: Path) -> bool:
        return path.stem.casefold().endswith(self.ending)

    def fits(self, root: Path) -> bool:
        return any(self._is_mask(path) for folder in self._parts(root) for path in pictures(folder))

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name,)

    def read(self, root: Path, draft: Draft) -> None:
        from anomalyclip.errors import ImageReadError
        from anomalyclip.io.images import read_mask

        draft.pixel_level = True
        for folder in self._parts(root):
            found = pictures(folder)
            images = [path for path in found if not self._is_mask(path)]
            masks = pair(images, [path for path in found if self._is_mask(path)]).masks
            for image in images:
                # Without its label nobody knows which of the two an image is; it must not pass as normal.
                if image not in masks:
                    draft.problem_files("images without a label file (not used)", [image])
                    continue
                mask = masks[image]
                try:
                    label = ANOMALOUS if any(read_mask(path).any() for path in mask_paths(mask)) else NORMAL
                except ImageReadError as error:
                    draft.problems.append(f"label not readable, image not used: {error}")
                    continue
                draft.add(image, mask if label else None, label, self.class_name)


def _name(path: Path) -> str:
    return path.name


def _phase(folder: Path, split: str) -> Path:
    """The folder of a split's pictures; as we call it where there is none."""
    return phase_folder(folder, split) or folder / split
