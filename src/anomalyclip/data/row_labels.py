"""What the rows of a list call their images, by the column that tells it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from anomalyclip.data.columns import LABEL_WORDS, is_empty, label_of, label_of_goodness
from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.errors import InputError

SIGNED = "its labels are -1 and 1: 1 is taken as anomalous (scikit-learn's predictions mean the opposite)"
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?\s*%?", re.IGNORECASE)


def is_signed(words: Sequence[str]) -> bool:
    """Whether labels are -1 and 1, both of them; -1 beside 0 and 1 mostly says that nobody looked.

    >>> is_signed(["-1", "+1", "1.0"]), is_signed(["-1", "0", "1"])
    (True, False)
    """
    try:
        return {float(word.replace(",", ".")) for word in words} == {-1.0, 1.0}
    except ValueError:
        return False


def labels_of_rows(shown: str, rows: list[tuple[int, dict[str, str]]], by: str) -> list[tuple[int | None, str]]:
    """(label, kind) of every row; None where its mask or runs tell. shown: what messages have before a row's number.

    Raises InputError for a label that nobody knows.
    """
    if by in ("mask", "runs"):
        return [(None, "")] * len(rows)
    if by == "kind":
        words = [row["kind"] for _, row in rows]
        return [(NORMAL, "") if is_empty(w) or label_of(w) == NORMAL else (ANOMALOUS, w) for w in words]
    asked = label_of_goodness if by == "normal" else label_of
    words = [row[by] for _, row in rows]
    if is_signed(words):
        words = ["0" if float(word.replace(",", ".")) < 0 else "1" for word in words]
    found = [asked(word) for word in words]
    in_words = not any(_NUMBER.fullmatch(word.strip()) for word in words)
    if None in found and in_words and NORMAL in found and by != "normal":
        # Names of defects beside a word for normal.
        return [(ANOMALOUS, word) if label is None else (label, "") for label, word in zip(found, words, strict=True)]
    for (line, _), label, word in zip(rows, found, words, strict=True):
        if label is None:
            raise InputError(
                f"{shown} {line}: unknown label {word!r}; expected one of {', '.join(LABEL_WORDS[:12])}, ... or "
                "the same in another language" + ("; call the good ones' class normal" if in_words else "")
            )
    return [(label, "") for label in found]
