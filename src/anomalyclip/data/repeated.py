"""Rows of a list that speak of one image: several defects of it, or a contradiction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from anomalyclip.data.draft import Draft
from anomalyclip.data.masks import DrawnMask, Mask, MaskFiles, mask_paths


class Found(NamedTuple):
    """What a row says of an image that is there."""

    image: Path
    mask: Mask | None
    label: int
    class_name: str
    kind: str


class Merged(NamedTuple):
    """The same of all rows about an image."""

    image: Path
    mask: Mask | None
    label: int
    class_name: str
    kind: str


def once_each(rows: Sequence[Found], draft: Draft, name: str) -> list[Merged]:
    """Each image once: its masks together, its kinds as "combined"; one with both labels is left out, and told.

    name: of the list, for messages.
    """
    by_image: dict[tuple[Path, str], list[Found]] = {}
    for row in rows:
        by_image.setdefault((row.image, row.class_name), []).append(row)
    merged, contradicting = [], []
    for same in by_image.values():
        if len({row.label for row in same}) > 1:
            contradicting.append(same[0].image)
            continue
        kinds = {row.kind for row in same}
        first = Merged(*same[0])
        merged.append(
            first._replace(
                mask=_together(list(dict.fromkeys(row.mask for row in same if row.mask is not None))),
                kind=first.kind if len(kinds) == 1 else "combined",
            )
        )
    draft.problem_files(f"images that {name} lists as normal and as anomalous (not used)", contradicting)
    repeated = sum(len(same) > 1 for same in by_image.values()) - len(contradicting)
    if repeated:
        draft.notes.append(f"{repeated} images have several rows in {name} and are used once each")
    return merged


def _together(masks: Sequence[Mask]) -> Mask | None:
    """The masks of one image, which count together: of files where there are some, else of the list's own runs."""
    files = tuple(path for mask in masks if not isinstance(mask, DrawnMask) for path in mask_paths(mask))
    drawn = [mask for mask in masks if isinstance(mask, DrawnMask)]
    if files or not drawn:
        return MaskFiles(files) if len(files) > 1 else files[0] if files else None
    return replace(drawn[0], shapes=tuple(shape for mask in drawn for shape in mask.shapes))
