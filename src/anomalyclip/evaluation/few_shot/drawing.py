"""Which good pictures are references, and which are judged: disjoint, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.data.dataset import NORMAL
from anomalyclip.data.opening import open_dataset
from anomalyclip.data.pictures import pictures_of
from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from anomalyclip.data.dataset import Dataset, Item
    from anomalyclip.io.reading import Reading


@dataclass(frozen=True)
class Pool:
    """Good pictures of one class from which references are drawn.

    Attributes:
        items: in the order of their paths. split: where they lie, "train" or "test".
        shared: whether they are among the pictures to judge, which those drawn then leave.
    """

    items: tuple[Item, ...]
    split: str
    shared: bool

    def drawn(self, shots: int, draw: int, seed: int) -> tuple[Item, ...]:
        """`shots` of them in the order of their paths; more shots of a draw hold those of fewer."""
        order = np.random.default_rng([seed, draw]).permutation(len(self.items))
        return tuple(self.items[index] for index in sorted(order[:shots].tolist()))

    def refusal(self, shots: int) -> str | None:
        """Why so many cannot be drawn, or None."""
        count = len(self.items)
        if shots > count:
            return f"there are {count} good pictures to draw from"
        if self.shared and shots == count:
            return f"all {count} good pictures would be references, and none left to judge"
        return None


def pool_of(dataset: Dataset, class_name: str, training: Sequence[Item], frames: int | None, reading: Reading) -> Pool:
    """Of `training`, good pictures of the train split, else of the data set itself."""
    mine = [item for item in training if item.class_name == class_name and item.label == NORMAL]
    shared = not mine
    chosen = [item for item in dataset.of_class(class_name) if item.label == NORMAL] if shared else mine
    pictures = sorted(pictures_of(chosen, frames, reading), key=lambda item: (str(item.image), item.frame or 0))
    return Pool(tuple(pictures), dataset.split if shared else "train", shared)


def training_items(dataset: Dataset, data: str, name: str | None) -> tuple[Item, ...]:
    """What the train split beside a test split holds; nothing where there is none."""
    if dataset.split == "train":
        return ()
    try:
        found = open_dataset(data, name=name, split="train", missing_masks="image-only")
    except InputError:
        return ()
    tested = {(item.image, item.frame) for item in dataset.items}
    return tuple(item for item in found.items if (item.image, item.frame) not in tested)
