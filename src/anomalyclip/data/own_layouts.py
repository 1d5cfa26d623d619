"""Layouts of folders that belong to no known data set, in the order in which they are tried (`PLAIN`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.beside import as_one, masks_of_names
from anomalyclip.data.dataset import NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASE_FOLDERS, PHASES
from anomalyclip.data.label_subfolder import LabelSubfolder
from anomalyclip.data.layouts import ClassTree, FlatTree, ImagesAndMasks, Layout
from anomalyclip.data.listings import child, pictures
from anomalyclip.data.named_halves import NamedHalves
from anomalyclip.data.split_json import SplitJson


@dataclass(frozen=True)
class MasksAmongImages:
    """Masks beside their images in one folder, as in KolektorSDD2: test/NNNNN.png and test/NNNNN_GT.png, train/ too.

    An image whose mask is black is normal, and so is one without a mask.
    """

    words: str = "test/ and train/, or one folder, with NAME.png beside NAME_GT.png, NAME_mask.png or NAME_label.png"
    endings: tuple[str, ...] = ("_gt", "_mask", "_label")
    splits: frozenset[str] = PHASES

    def _folder(self, root: Path, split: str) -> Path | None:
        phase = child(root, split)
        if phase.is_dir():
            return phase if self._pairs(phase) else None
        return root if split == "test" and self._pairs(root) else None

    def _pairs(self, folder: Path) -> dict[Path, list[Path]]:
        """Image -> its masks."""
        return masks_of_names(pictures(folder), self.endings)

    def fits(self, root: Path) -> bool:
        return self._folder(root, "test") is not None

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        folder = self._folder(root, draft.split)
        if folder is None:
            return
        draft.pixel_level = True
        pairs = self._pairs(folder)
        taken = {path for files in pairs.values() for path in files}
        images = [path for path in pictures(folder) if path not in taken]
        masks = {image: as_one(files) for image, files in pairs.items()}
        labels = dict(zip(masks, draft.labels_of(list(masks.values())), strict=True))
        for image in images:
            label = labels.get(image, NORMAL)
            draft.add(image, masks[image] if label else None, label, root.name)
        without = [image for image in images if image not in pairs]
        draft.problem_files("images without a mask beside them (they count as normal)", without)


_PAIRS = tuple(
    (images, masks)
    for images in ("images", "image", "img", "imgs", "JPEGImages", "data", "input", "original", "originals")
    for masks in (
        *("masks", "mask", "ground_truth", "groundtruth", "ground-truth", "ground truth"),
        *("gt", "labels", "label", "annotations", "SegmentationClass"),
    )
)


def _inside(split: str) -> tuple[tuple[str, str], ...]:
    """The pairs below a folder of the split, by any of its names, and with one such folder in each of the two."""
    return tuple(
        pair
        for name in PHASE_FOLDERS[split]
        for pair in (
            *((f"{name}/{images}", f"{name}/{masks}") for images, masks in _PAIRS),
            *((f"{images}/{name}", f"{masks}/{name}") for images, masks in _PAIRS),
            *((f"{name}_{images}", f"{name}_{masks}") for images, masks in (*_PAIRS, ("img", "lab"))),
        )
    )


#: For folders of no known data set, in the order they are tried.
PLAIN: tuple[Layout, ...] = (
    ClassTree(),
    SplitJson(),
    FlatTree(),
    ImagesAndMasks(
        None,
        {"test": _inside("test") + _PAIRS, "train": _inside("train")},
        "images/ and masks/ (or JPEGImages/ and SegmentationClass/, img/ and label/ ...) with the same names",
    ),
    MasksAmongImages(),
    NamedHalves(),
    LabelSubfolder("<class>/{Train,Test}/NAME.PNG with Label/NAME_label.PNG for anomalous images, as in DAGM"),
)
