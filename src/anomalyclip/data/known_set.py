"""A published data set: what it is called, how it lies on disk, and what its owners allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from anomalyclip.data.layouts import Layout

BOTH, IMAGE, PIXEL = frozenset({"image", "pixel"}), frozenset({"image"}), frozenset({"pixel"})
CC_BY_NC_SA, UNSTATED = "CC BY-NC-SA 4.0", "see the source's terms"


@dataclass(frozen=True)
class Known:
    """One published data set.

    Attributes:
        name: as in the paper's tables.
        folders: names under which its folder is usually found, letter case and -_ aside.
        classes: in the paper's order.
        levels: what the paper measures on it.
        layouts: as published, then as the authors' scripts expect it.
        licence, source: the owners' terms in short, and where a user gets it.
        images: (normal, anomalous) of the paper's test split, None where a split is not published.
    """

    name: str
    domain: Literal["industrial", "medical"]
    classes: tuple[str, ...]
    levels: frozenset[str]
    layouts: tuple[Layout, ...]
    licence: str
    source: str
    folders: tuple[str, ...]
    images: tuple[int, int] | None = None
    inside: tuple[str, ...] = field(default=("",))

    def answers_to(self, name: str) -> bool:
        """Whether `name` (of a user or of a folder) means this data set."""
        return _plain(name) in {_plain(option) for option in (self.name, *self.folders)}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
