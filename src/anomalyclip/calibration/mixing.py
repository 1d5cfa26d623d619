"""How a line of `auto` joins words and memory: by what its good pictures, each left out in turn, are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.foreign import as_trusted, foreignness, trust
from anomalyclip.judges.memory.fusion import Mixture
from anomalyclip.judges.memory.held_out import levels_of

if TYPE_CHECKING:
    from anomalyclip.judges.memory.held_out import HeldOut

AUTO = Mixture("auto", memory=1, product=1, words=1, novelty=1, novelty_product=1, map_words=1.0, map_memory=0.5)
"""A fifth each: fixed, as a choice per line served worse over eight real sets (docs/memory-log.md)."""

OF_MANY_KINDS = Mixture(
    "many-kinds", memory=0, product=1, words=1, kind=1, kind_product=1, map_words=1.0, map_memory=0.0
)
"""Where good pictures are of many kinds: a distance then tells first how rare a picture's kind is. It counts as far as
it is unusual for the kind, or the words suspect something, too; maps are the words'."""

MANY_KINDS = 0.5
"""From this deviation of ln(memory) on, over good pictures each left out, they are of many kinds: those a deviation
above and below then differ by a factor of e. Measured with 25 (docs/memory-log.md): one kind .10 to .41, many weaves
.53 to .93. The picture that is farthest from the median does not count, as one bad picture is no kind."""
_ENOUGH_TO_ASK = 10  # pictures, below which a deviation says little
_KINDS = 0.3, 0.5
"""Foreignness up to which what is unusual for a kind counts in full, and from which it counts nothing."""
_KINDS_AND_WORDS = 0.5, 0.7
"""The same where the words suspect the patch, too."""


def mixture_for(held: Sequence[HeldOut]) -> Mixture:
    """:data:`AUTO` or :data:`OF_MANY_KINDS`, whose distances count by the trust that the pictures deserve.

    What they do not count is left to the words' own score: where pictures deserve no trust, the line is the words'.
    """
    foreign = foreignness(held)
    if not of_many_kinds(held):
        return as_trusted(AUTO, foreign)
    alone, suspected = trust(foreign, *_KINDS), trust(foreign, *_KINDS_AND_WORDS)
    return replace(OF_MANY_KINDS, product=alone, kind=alone, kind_product=suspected, zero_shot=1 - suspected)


def of_many_kinds(held: Sequence[HeldOut]) -> bool:
    """Whether good pictures, each left out in turn, lie unlike far from the others; see :data:`MANY_KINDS`."""
    if len(held) < _ENOUGH_TO_ASK:
        return False
    far = levels_of(held)[:, 0]
    odd = int(np.abs(far - np.median(far)).argmax())
    return bool(np.delete(far, odd).std(ddof=1) > MANY_KINDS)
