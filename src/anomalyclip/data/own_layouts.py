"""Layouts of folders that belong to no known data set, in the order in which they are tried (`PLAIN`)."""

from __future__ import annotations

from anomalyclip.data.folder_each import FolderEach
from anomalyclip.data.folder_endings import FolderEndings
from anomalyclip.data.folder_names import PHASE_FOLDERS
from anomalyclip.data.label_subfolder import LabelSubfolder
from anomalyclip.data.layouts import ClassTree, FlatTree, ImagesAndMasks, Layout
from anomalyclip.data.masks_among import MasksAmongImages
from anomalyclip.data.named_halves import NamedHalves
from anomalyclip.data.split_json import SplitJson
from anomalyclip.data.templates import Templates

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
    FolderEndings(),
    FlatTree(),
    ImagesAndMasks(
        None,
        {"test": _inside("test") + _PAIRS, "train": _inside("train")},
        "images/ and masks/ (or JPEGImages/ and SegmentationClass/, img/ and label/ ...) with the same names",
    ),
    MasksAmongImages(),
    NamedHalves(),
    LabelSubfolder("<class>/{Train,Test}/NAME.PNG with Label/NAME_label.PNG for anomalous images, as in DAGM"),
    FolderEach(),
    Templates(),
)
