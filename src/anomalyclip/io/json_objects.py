"""JSON that says one thing: no name twice in an object, no number that nothing can count."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable


def loads_once(text: str | bytes, **options: Any) -> Any:
    """`json.loads` with `once_each` and `whole_number`. Raises what they and `json.loads` raise."""
    return json.loads(text, object_pairs_hook=once_each, parse_int=whole_number, **options)


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


def whole_number(digits: str) -> int:
    """A number of JSON without point or exponent, as `json.loads(..., parse_int=whole_number)` makes it.

    Raises ValueError beyond what a float holds: Python ends there, or advises to lift a limit of its own.
    """
    if len(digits) > sys.float_info.max_10_exp:
        raise ValueError(f"{digits[:8]}... is a number of {len(digits):,} digits, nothing has so many")
    return int(digits)
