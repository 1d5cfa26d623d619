"""What the rows of a list call their images, by the column that tells it."""

from __future__ import annotations

import re

from anomalyclip.data.columns import LABEL_WORDS, is_empty, label_of, label_of_goodness
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.errors import InputError

_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?", re.IGNORECASE)


def labels_of_rows(shown: str, rows: list[tuple[int, dict[str, str]]], by: str) -> list[tuple[int | None, str]]:
    """(label, kind) of every row; None where its mask tells. Raises InputError for a label that nobody knows."""
    if by == "mask":
        return [(None, "")] * len(rows)
    if by == "kind":
        words = [row["kind"] for _, row in rows]
        return [(NORMAL, "") if is_empty(w) or label_of(w) == NORMAL else (ANOMALOUS, w) for w in words]
    asked = label_of_goodness if by == "normal" else label_of
    found = [asked(row[by]) for _, row in rows]
    words = [row[by] for _, row in rows]
    in_words = not any(_NUMBER.fullmatch(word.strip()) for word in words)
    if None in found and in_words and NORMAL in found and by != "normal":
        # Names of defects beside a word for normal.
        return [(ANOMALOUS, word) if label is None else (label, "") for label, word in zip(found, words, strict=True)]
    for (line, _), label, word in zip(rows, found, words, strict=True):
        if label is None:
            raise InputError(
                f"{shown}, line {line}: unknown label {word!r}; expected one of {', '.join(LABEL_WORDS[:12])}, ... or "
                "the same in another language"
            )
    return [(label, "") for label in found]
