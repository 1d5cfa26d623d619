"""Readers add what they find to a Draft; it applies one rule for missing masks to all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from anomalyclip.data.dataset import ANOMALOUS, GOOD, NORMAL, Dataset, Item
from anomalyclip.data.like_masks import are_photos
from anomalyclip.data.listings import ARRAYS, folded, folders_below, listing
from anomalyclip.data.masks import DrawnMask, Mask, MaskFiles, marks_anything, mask_paths
from anomalyclip.data.pairing import CONVENTIONS, pair
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.io.turns import readers

MissingMasks = Literal["error", "image-only"]
_SHOWN = 5


@dataclass
class Draft:
    """A data set under construction.

    pixel_level: the layout holds masks, so every anomalous image must have one. items are added without a thought to
    that; `finish` decides. published: see `Item`.
    """

    root: Path
    split: str
    pixel_level: bool = False
    items: list[Item] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    published: bool = False
    notes: list[str] = field(default_factory=list)

    def show(self, path: Path) -> str:
        """A path as people read it: below the root, one line."""
        return printable(path.relative_to(self.root)) if path.is_relative_to(self.root) else printable(path)

    def add(self, image: Path, mask: Mask | None, label: int, class_name: str, kind: str = "") -> None:
        """One image. Give a normal image's mask only where it may contradict the label; it is read to find out."""
        kind = kind or (GOOD if label == NORMAL else "anomaly")
        self.items.append(Item(image, mask, label, class_name, kind, False, self.published))

    def add_paired(
        self,
        images: Sequence[Path],
        masks: Sequence[Path],
        class_name: str,
        kind: str = "",
        *,
        label: int | None = ANOMALOUS,
        several: Sequence[Path] = (),
        base: Path | None = None,
    ) -> None:
        """Images and the files among which their masks are, paired by name (`pair`).

        label: of all of them; None lets each one's mask tell: an image whose mask is black is normal.
        """
        pairing = pair(images, masks, several, base, numbered=not self.published)
        found = [pairing.masks.get(image) for image in images]
        if together := sum(isinstance(mask, MaskFiles) for mask in found):
            which = f"class {class_name}, {kind}" if kind else f"class {class_name}"
            self.notes.append(f"{which}: {together} images have several masks, which count together")
        marks = [mask for mask in found if isinstance(mask, Path)]
        if not self.published and are_photos(marks):
            self.problems.append(
                f"{self.show(marks[0].parent)}/ is read as masks, by its name, and looks like photographs; rename it "
                "if they are none"
            )
        labels = self.labels_of(found) if label is None else [label] * len(images)
        for image, mask, own in zip(images, found, labels, strict=True):
            self.add(image, mask if label is not None or own == ANOMALOUS else None, own, class_name, kind)
        self.problems += [f"class {class_name}: {note}" for note in pairing.notes]
        if pairing.leftover:
            self.problem_files("masks that belong to no image", pairing.leftover)

    def labels_of(self, masks: Sequence[Mask | None]) -> list[int]:
        """Normal where the mask is black, as in KolektorSDD; anomalous where it marks, is damaged, or is missing."""
        with readers(2) as pool:
            return list(pool.map(self._label_of, masks))

    def _label_of(self, mask: Mask | None) -> int:
        from anomalyclip.errors import ImageReadError

        if mask is None or isinstance(mask, DrawnMask):
            return ANOMALOUS
        try:
            return ANOMALOUS if marks_anything(mask, published=self.published) else NORMAL
        except ImageReadError:  # told when it is used
            return ANOMALOUS

    def problem_files(self, what: str, files: Sequence[Path]) -> None:
        """One line for any number of files."""
        if files:
            self.problems.append(f"{len(files)} {what}: {self._some(files)}")

    def problem_names(self, what: str, names: Sequence[str]) -> None:
        """The same for files that are not there, as a list calls them."""
        if names:
            shown = ", ".join(printable(name) for name in names[:_SHOWN])
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            self.problems.append(f"{len(names)} {what}: {shown}{more}")

    def masks(self) -> set[Path]:
        """All mask files so far."""
        return {path for item in self.items if item.mask is not None for path in mask_paths(item.mask)}

    def _tell_derived(self) -> None:
        used = {item.image for item in self.items}
        folders = sorted({image.parent for image in used})
        made = [path for folder in folders for path in listing(folder).derived if path not in used]
        self.problem_files("pictures made of those beside them, by their names (not used)", made)

    def _as_array(self, images: Sequence[Path]) -> str:
        """The sentence that tells a mask of one of the images which is no picture; "" where there is none."""
        stems = {folded(image.stem) + ending for image in images for ending in CONVENTIONS}
        arrays = (path for folder in folders_below(self.root) for path in listing(folder).files(ARRAYS))
        found = next((path for path in arrays if folded(path.stem) in stems), None)
        return f"{self.show(found)} is no picture: save it as PNG. " if found else ""

    def _some(self, files: Sequence[Path]) -> str:
        names = ", ".join(self.show(path) for path in files[:_SHOWN])
        return names + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")

    def finish(self, name: str, missing_masks: MissingMasks) -> Dataset:
        """Raises InputError where nothing was found, or where masks are missing and `missing_masks` is "error"."""
        if not self.items:
            told = "".join(f"{line}. " for line in self.problems[:_SHOWN])
            raise InputError(
                f"{printable(self.root)} holds no images in its {self.split} split. {told}Check the folder, or give "
                "the other split (--split)"
            )
        self._tell_derived()
        lacking = [item.image for item in self.items if item.label == ANOMALOUS and item.mask is None]
        pixel = self.pixel_level or len(lacking) < sum(item.label for item in self.items)
        if pixel and lacking:
            what = f"{len(lacking)} of {sum(item.label for item in self.items)} anomalous images have no mask"
            if missing_masks == "error":
                raise InputError(
                    f"{printable(self.root)}: {what}: {self._some(lacking)}. {self._as_array(lacking)}"
                    "Masks pair by name (NAME_mask.png, NAME_label.png, NAME_GT.png or NAME with any suffix). Add "
                    "them, or use these images for "
                    'image-level results only: missing_masks="image-only" (--missing-masks image-only)'
                )
            self.problems.append(f"{what} and count at image level only: {self._some(lacking)}")
        items = tuple(replace(i, has_mask=pixel and (i.label == NORMAL or i.mask is not None)) for i in self.items)
        dataset = Dataset(name, self.root, self.split, items, tuple(self.problems), tuple(self.notes))
        return replace(dataset, problems=(*dataset.problems, *_one_sided(dataset)))


def _one_sided(dataset: Dataset) -> list[str]:
    """Classes without normals or without anomalies; silent about a set that holds anomalous images only."""
    if dataset.split == "train":
        return []
    labels: dict[str, set[int]] = defaultdict(set)
    for item in dataset.items:
        labels[item.class_name].add(item.label)
    some_normal = any(NORMAL in found for found in labels.values())
    lines = []
    for name, found in labels.items():
        if ANOMALOUS not in found:
            lines.append(f"class {name} has no anomalous images: nothing can be measured on it")
        elif NORMAL not in found and some_normal:
            lines.append(f"class {name} has no normal images: its image-level metrics are undefined")
    return lines
