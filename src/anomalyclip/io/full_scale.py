"""The caller's word on which stored values are black and white: `4095`, or `-20:40`."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from anomalyclip.errors import ConfigError

#: The stored value that is white (0 is black), or the values of black and white.
FullScale: TypeAlias = float | tuple[float, float]

_LARGEST = 1e12


def parse_full_scale(given: Any, spelled: str = "full_scale") -> FullScale | None:
    """A number, two of them, or their text, as :data:`FullScale`; None is not given.

    Raises ConfigError for what is none.

    >>> parse_full_scale("4095"), parse_full_scale("-20:40"), parse_full_scale([0, 1.5])
    (4095.0, (-20.0, 40.0), (0.0, 1.5))
    """
    if given is None:
        return None
    parts = given.split(":") if isinstance(given, str) else list(given) if isinstance(given, list | tuple) else [given]
    try:
        values = [float(part) for part in parts if not isinstance(part, bool)]
    except (TypeError, ValueError):
        values = []
    if len(values) != len(parts) or not all(math.isfinite(one) and abs(one) <= _LARGEST for one in values):
        values = []
    if len(values) == 1 and values[0] >= 1 / _LARGEST:
        return values[0]
    if len(values) == 2 and values[0] < values[1]:
        return values[0], values[1]
    shown = repr(given) if isinstance(given, str) else given
    raise ConfigError(
        f"{spelled} {shown}: expected the stored value of white, above 0, such as 4095, or those of black and white "
        "as BLACK:WHITE, such as -20:40"
    )
