"""DAGM 2007's layout: pictures of a split in one folder, masks of the faulty ones in Label/ below it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES
from anomalyclip.data.listings import child, folded, folders, pictures
from anomalyclip.data.pairing import pair
from anomalyclip.data.text import read_text

_FIELDS = 5  # of a line of Labels.txt: number, 1 for a fault, image, 1 for a mask, mask


@dataclass(frozen=True)
class LabelSubfolder:
    """ClassN/{Train,Test}/0576.PNG; an image is anomalous if Label/0576_label.PNG exists, or Label/Labels.txt says so.

    The root may be one class's folder, and a class may lie in a folder of its own name, as its archive has it.
    """

    words: str = "Class1..Class10/{Train,Test}/NNNN.PNG with Label/NNNN_label.PNG for anomalous images"
    folder: str = "Label"
    splits: frozenset[str] = PHASES

    def _class_folders(self, root: Path) -> list[Path]:
        if self._has_labels(root):
            return [root]
        found = [inner if (inner := child(one, one.name)).is_dir() else one for one in folders(root)]
        if not any(map(self._has_labels, found)):
            return []
        found = [one for one in found if self._has_labels(one) or self._is_without_faults(one)]
        return sorted(found, key=lambda path: (len(path.name), path.name))  # Class2 before Class10

    def _has_labels(self, folder: Path) -> bool:
        return child(folder, "Test", self.folder).is_dir() and bool(pictures(child(folder, "Test")))

    @staticmethod
    def _is_without_faults(folder: Path) -> bool:
        test = child(folder, "Test")
        return bool(pictures(test)) and not folders(test)

    def fits(self, root: Path) -> bool:
        return bool(self._class_folders(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return tuple(folder.name for folder in self._class_folders(root))

    def read(self, root: Path, draft: Draft) -> None:
        draft.pixel_level = True
        for folder in self._class_folders(root):
            phase = child(folder, draft.split)
            labels = child(phase, self.folder)
            images = pictures(phase)
            pairing = pair(images, pictures(labels))
            masks = [pairing.masks.get(image) for image in images]
            marked = [
                NORMAL if mask is None else label for mask, label in zip(masks, draft.labels_of(masks), strict=True)
            ]
            told = _told(child(labels, "Labels.txt"), draft)
            against = []
            for image, mask, label in zip(images, masks, marked, strict=True):
                said = told.get(folded(image.stem), label)
                if said == NORMAL and label == ANOMALOUS:
                    against.append(image)
                draft.add(image, mask if label else None, max(said, label), folder.name)
            draft.problem_files("images with a mask that Labels.txt calls free of faults (the mask counts)", against)
            draft.problem_files("masks that belong to no image", pairing.leftover)


def _told(path: Path, draft: Draft) -> dict[str, int]:
    """Folded stem of an image -> its label, as the file of a split says; {} where there is none, or of another form."""
    if not path.is_file():
        return {}
    rows = [line.split() for line in read_text(path).splitlines()]
    told = {folded(Path(row[2]).stem): int(row[1]) for row in rows if len(row) == _FIELDS and row[1] in ("0", "1")}
    if not told and not draft.published:
        draft.problems.append(f"{draft.show(path)} is not used: no line of it is NUMBER 0 or 1 IMAGE 0 or 1 MASK")
    return told
