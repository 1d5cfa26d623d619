"""Pictures whose own folder ends in their label, deep below the root: patient1/study1_positive/image1.png (MURA)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES, good_folders, label_of_ending
from anomalyclip.data.listings import folders_below, pictures
from anomalyclip.data.phases import base_of

_LEAST_DEEP = 2  # levels: folders beside each other are kinds of one class
_OF_CLASSES = 3  # levels of a set whose first one is that of classes: XR_WRIST/patient1/study1_positive


@dataclass(frozen=True)
class FolderEndings:
    """Every folder of pictures tells, and both labels are there. The first of three levels or more is the class."""

    words: str = "folders that end in their pictures' label, below others: <patient>/study1_{negative,positive}/ (MURA)"
    splits: frozenset[str] = PHASES

    def fits(self, root: Path) -> bool:
        base = base_of(root, "test")
        if base is None:
            return False
        held = [place for place in folders_below(base) if pictures(place)]
        depths = {len(place.relative_to(base).parts) for place in held}
        if not held or min(depths) < _LEAST_DEEP or (depths == {_LEAST_DEEP} and _are_classes(held)):
            return False
        return {label_of_ending(place.name) for place in held} == {NORMAL, ANOMALOUS}

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        base = base_of(root, draft.split)
        if base is None:
            return
        for place in sorted(folders_below(base)):
            parts, label = place.relative_to(base).parts, label_of_ending(place.name)
            held = pictures(place)
            if label is None:
                draft.problem_files("images in folders that end in no label (not used)", held)
                continue
            for image in held:
                draft.add(image, None, label, parts[0] if len(parts) >= _OF_CLASSES else root.name)
        draft.notes.append("labels are read from the endings of the folders' names")


def _are_classes(held: Sequence[Path]) -> bool:
    """Whether each folder above those of pictures has its own good ones: bolt/bolt_good/ and nut/nut_good/."""
    beside: dict[Path, list[str]] = defaultdict(list)
    for place in held:
        beside[place.parent].append(place.name)
    return all(map(good_folders, beside.values()))
