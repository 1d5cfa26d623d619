"""Columns of a list that speak of the label beside the one that is used: told where they say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomalyclip.data.columns import column_of, is_empty, label_of, label_of_goodness
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.data.tables import Table


#: The name of a column of boxes' corners, whose name alone would be that of labels.
CORNER = "y"


def tell_contradictions(
    draft: Draft, table: Table, by: str, rows: Sequence[tuple[int, dict[str, str]]], labels: Sequence[int | None]
) -> None:
    """Name every further column of labels, normality or kinds that calls images otherwise than column `by` does."""
    shown = dict(zip(table.names, table.header or table.names, strict=True))
    for name in table.names:
        if name == by or not is_opinion(name):
            continue
        said = _opinions(column_of(name.strip("()")), [row[name] for _, row in rows])
        against = [
            row["image"]
            for (_, row), label, other in zip(rows, labels, said, strict=True)
            if label is not None and other is not None and other != label
        ]
        if against:
            draft.problem_names(
                f"images that {table.path.name} calls otherwise in its column {printable(shown[name])} than in "
                f"{printable(shown[by])} (which is used)",
                against,
            )


def is_opinion(name: str) -> bool:
    """Whether a column, by its name in :attr:`Table.names`, speaks of the label."""
    if name == CORNER:
        return False
    return column_of(name.strip("()")) in ("label", "normal", "kind")


def _opinions(role: str, cells: Sequence[str]) -> list[int | None]:
    """What a column says of each image; nothing at all where a cell is no label."""
    if role == "kind":
        return [NORMAL if is_empty(cell) or label_of(cell) == NORMAL else ANOMALOUS for cell in cells]
    asked = label_of_goodness if role == "normal" else label_of
    found = [asked(cell) for cell in cells]
    if any(label is None and not is_empty(cell) for label, cell in zip(found, cells, strict=True)):
        return [None] * len(found)
    return found
