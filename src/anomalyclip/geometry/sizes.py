"""Which input sizes a detector takes."""

from __future__ import annotations

from typing import NamedTuple


class InputSizes(NamedTuple):
    """own: side in pixels of its own, square input. patch: sides of other inputs are multiples of it. resizes: whether
    it takes others at all."""

    own: int
    patch: int = 1
    resizes: bool = False
