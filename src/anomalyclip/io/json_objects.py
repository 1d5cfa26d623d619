"""Objects of JSON whose names are all different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable


def once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, as `json.loads(..., object_pairs_hook=once_each)` makes it.

    Raises InputError where a key is there twice: of two, readers take different ones.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{printable(twice[:80])!r} is there twice in one of its objects; keep one of them")
    return found
