"""The folder layouts in which data sets are published, as a few kinds with parameters.

Every kind answers two questions: `fits(root)`, does this folder look so; `read(root, draft)`, what is in it. Names of
folders match in any letter case. `words` says the layout for `data info` and error messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.pairing import child, folders, pictures, strays
from anomalyclip.errors import InputError

NORMAL_NAMES = frozenset({"good", "ok", "normal"})
MASK_FOLDERS = ("ground_truth", "masks", "mask")
PHASES = frozenset({"train", "test"})


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
        if folders(child(root, "test")):
            return [root]
        return [folder for folder in folders(root) if folders(child(folder, "test"))]

    def fits(self, root: Path) -> bool:
        return any(
            kind.name.casefold() in self.normal or self._masks(folder) is not None
            for folder in self._class_folders(root)
            for kind in folders(child(folder, "test"))
        )

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def _masks(self, folder: Path) -> Path | None:
        return next((path for name in self.mask_folders if (path := child(folder, name)).is_dir()), None)

    def read(self, root: Path, draft: Draft) -> None:
        found = self._class_folders(root)
        draft.pixel_level |= any(self._masks(folder) for folder in found)
        for folder in found:
            phase = child(folder, draft.split)
            draft.problem_files("images outside any labelled folder (not used)", pictures(phase))
            read_kinds(draft, phase, self._masks(folder), self.normal, self.class_name or folder.name)
        if found != [root]:
            others = [path for path in folders(root) if path not in found and _holds_pictures(path)]
            draft.problem_files(f"folders without a test/ folder (not used) in {draft.root.name or '/'}", others)


@dataclass(frozen=True)
class FlatTree:
    """A user's folder: good/, <defect>/ and, where there are masks, ground_truth/<defect>/; or one such per class."""

    words: str = "{good,<defect>}/ and optionally ground_truth/<defect>/, for one class or below <class>/"
    splits: frozenset[str] = frozenset({"test"})

    def _class_folders(self, root: Path) -> list[Path]:
        if self._is_class(root):
            return [root]
        return [folder for folder in folders(root) if self._is_class(folder)]

    @staticmethod
    def _is_class(folder: Path) -> bool:
        return any(kind.name.casefold() in NORMAL_NAMES and pictures(kind) for kind in folders(folder))

    def fits(self, root: Path) -> bool:
        return bool(self._class_folders(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def read(self, root: Path, draft: Draft) -> None:
        found = self._class_folders(root)
        for folder in found:
            masks = next((path for name in MASK_FOLDERS if (path := child(folder, name)).is_dir()), None)
            draft.pixel_level |= masks is not None
            draft.problem_files("images outside any labelled folder (not used)", pictures(folder))
            read_kinds(draft, folder, masks, NORMAL_NAMES, folder.name)


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
        others = [path for path in folders(base) if path not in taken and _holds_pictures(path)]
        draft.problem_files("folders that the protocol does not use", others)


@dataclass(frozen=True)
class ImagesAndMasks:
    """Pixel-level medical sets: every image is anomalous; images and masks lie in two folders, per split."""

    class_name: str | None
    pairs: Mapping[str, tuple[tuple[str, str], ...]]
    words: str

    @property
    def splits(self) -> frozenset[str]:
        return frozenset(self.pairs)

    def _find(self, root: Path, split: str) -> tuple[Path, Path] | None:
        options = [(child(root, *i.split("/")), child(root, *m.split("/"))) for i, m in self.pairs.get(split, ())]
        return next((option for option in options if option[0].is_dir() and option[1].is_dir()), None)

    def fits(self, root: Path) -> bool:
        return self._find(root, "test") is not None

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name or root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        found = self._find(root, draft.split)
        draft.pixel_level = True
        if found:
            draft.add_anomalous(pictures(found[0]), pictures(found[1]), self.classes(root)[0])
            draft.problem_files("files that are no images", strays(found[0]))


@dataclass(frozen=True)
class LabelSubfolder:
    """DAGM as on Kaggle: ClassN/{Train,Test}/0576.PNG; an image is anomalous if Label/0576_label.PNG exists."""

    words: str = "Class1..Class10/{Train,Test}/NNNN.PNG with Label/NNNN_label.PNG for anomalous images"
    folder: str = "Label"
    splits: frozenset[str] = PHASES

    def _class_folders(self, root: Path) -> list[Path]:
        found = [f for f in folders(root) if child(f, "Test", self.folder).is_dir()]
        return sorted(found, key=lambda path: (len(path.name), path.name))  # Class2 before Class10

    def fits(self, root: Path) -> bool:
        return bool(self._class_folders(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def read(self, root: Path, draft: Draft) -> None:
        from anomalyclip.data.pairing import pair

        draft.pixel_level = True
        for folder in self._class_folders(root):
            phase = child(folder, draft.split)
            images, masks = pictures(phase), pictures(child(phase, self.folder))
            pairing = pair(images, masks)
            for image in images:
                mask = pairing.masks.get(image)
                draft.add(image, mask, NORMAL if mask is None else ANOMALOUS, folder.name)
            draft.problem_files("masks that belong to no image", pairing.leftover)


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
        from anomalyclip.data.pairing import pair
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
                try:
                    label = ANOMALOUS if read_mask(masks[image]).any() else NORMAL
                except ImageReadError as error:
                    draft.problems.append(f"label not readable, image not used: {error}")
                    continue
                draft.add(image, masks[image] if label else None, label, self.class_name)


@dataclass(frozen=True)
class Listed:
    """A CSV inside the data set says what each image is; paths are relative to the root.

    file: where the CSV lies; options: the first that exists. numbered: for HeadCT, whose CSV holds running numbers:
    column of the number, of the label, and the folders in which NNN.png may lie.
    """

    file: str
    words: str
    class_name: str | None = None
    numbered: tuple[str, str, tuple[str, ...]] | None = None
    splits: frozenset[str] = field(default=PHASES)

    def _file(self, root: Path) -> Path:
        return child(root, *self.file.split("/"))

    def fits(self, root: Path) -> bool:
        from anomalyclip.data.tables import columns_of

        if not self._file(root).is_file():
            return False
        return self.numbered is None or set(self.numbered[:2]) <= set(columns_of(self._file(root)))

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name,) if self.class_name else ()

    def read(self, root: Path, draft: Draft) -> None:
        from anomalyclip.data.tables import read_rows, read_table

        if self.numbered is None:
            read_table(self._file(root), draft, class_name=self.class_name)
            return
        number, label, places = self.numbered
        base = next((p for name in places if pictures(p := child(root, *name.split("/")))), root)
        images = {int(path.stem): path for path in pictures(base) if path.stem.isdecimal()}
        for line, row in read_rows(self._file(root)):
            where = f"{draft.show(self._file(root))}, line {line}"
            if not row[number].isdecimal() or row[label] not in ("0", "1"):
                raise InputError(f"{where}: expected a number and 0 or 1, got {row[number]!r} and {row[label]!r}")
            image = images.pop(int(row[number]), None)
            if image is None:
                draft.problems.append(f"{where}: there is no image {row[number]} in {draft.show(base)}")
                continue
            draft.add(image, None, int(row[label]), self.class_name or root.name)
        draft.problem_files("images without a label (not used)", list(images.values()))


def read_kinds(draft: Draft, folder: Path, masks: Path | None, normal: frozenset[str], class_name: str) -> None:
    """The kinds of one class: a normal folder and one per defect; `masks` holds theirs, by kind or all together."""
    aside = {name.casefold() for name in MASK_FOLDERS}
    kinds = [kind for kind in folders(folder) if kind.name.casefold() not in aside]
    kinds.sort(key=lambda kind: (kind.name.casefold() not in normal, kind.name))
    together = pictures(masks) if masks else []
    for kind in kinds:
        images = pictures(kind)
        if not images:
            draft.problems.append(f"{draft.show(kind)} holds no images")
        draft.problem_files("files that are no images", strays(kind))
        if kind.name.casefold() in normal:
            for image in images:
                draft.add(image, None, NORMAL, class_name)
            continue
        own = pictures(child(masks, kind.name)) if masks else []
        if own or not together:
            draft.add_anomalous(images, own, class_name, kind.name)
        else:
            _from_common_folder(draft, images, together, class_name, kind.name)
    if masks:
        known = {kind.name.casefold() for kind in kinds}
        lost = [path for path in folders(masks) if path.name.casefold() not in known and pictures(path)]
        if draft.split == "test":  # masks belong to the test split
            draft.problem_files("mask folders without a folder of images", lost)


def _from_common_folder(
    draft: Draft, images: Sequence[Path], masks: Sequence[Path], class_name: str, kind: str
) -> None:
    """Masks of several kinds in one folder: what one kind leaves over belongs to another."""
    from anomalyclip.data.pairing import pair

    pairing = pair(images, masks)
    for image in images:
        draft.add(image, pairing.masks.get(image), ANOMALOUS, class_name, kind)
    draft.problems += [f"class {class_name}: {note}" for note in pairing.notes]


def _holds_pictures(folder: Path) -> bool:
    return bool(pictures(folder)) or any(pictures(below) for below in folders(folder))


#: For folders of no known data set, in the order they are tried.
PLAIN: tuple[Layout, ...] = (
    ClassTree(),
    FlatTree(),
    ImagesAndMasks(None, {"test": (("images", "masks"),)}, "images/ and masks/ with the same names (all anomalous)"),
)
