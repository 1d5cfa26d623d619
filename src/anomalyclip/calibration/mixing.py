"""How a line of `auto` joins words and memory: by what its good pictures, each left out in turn, are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from anomalyclip.calibration.kinds import APART, division, votes_among
from anomalyclip.judges.memory.foreign import as_trusted, distrusting, foreignness, trust
from anomalyclip.judges.memory.fusion import Mixture

if TYPE_CHECKING:
    from anomalyclip.judges.memory.held_out import HeldOut

AUTO = Mixture("auto", memory=1, product=1, words=2, novelty=1, novelty_product=1, map_words=1.0, map_memory=0.5)
"""A sixth each, what the words say of the whole two: fixed, as a choice per line served worse over eight real sets
(docs/memory-log.md)."""

OF_MANY_KINDS = replace(AUTO, name="many-kinds", kind=2, kind_product=2)
"""Where good pictures are of several kinds: what is unusual for a picture's own kind counts, too, and as much again."""

_KNOWN = 0.2, 0.4
"""Foreignness up to which distances count in full where pictures are of many kinds, and from which nothing: they count
less than elsewhere (:data:`anomalyclip.judges.memory.foreign.KNOWN`), as not every kind that comes need be there."""
_SUSPECTED = 0.5, 0.7
"""The same for what is unusual for a kind where the words suspect the patch, too."""

_ENOUGH_TO_ASK = 10  # pictures, below which groups come about by chance
_FEWEST_OF_A_KIND = 3


def mixture_for(held: Sequence[HeldOut]) -> Mixture:
    """:data:`AUTO` or :data:`OF_MANY_KINDS`, whose distances count by the trust that the pictures deserve.

    What they do not count is left to the words' own score: where pictures deserve no trust, the line is the words'.
    """
    foreign = foreignness(held)
    if not of_many_kinds(held):
        return as_trusted(AUTO, foreign)
    known, suspected = trust(foreign, *_KNOWN), trust(foreign, *_SUSPECTED)
    kind, product = OF_MANY_KINDS.kind * known, OF_MANY_KINDS.kind_product * suspected
    faded = distrusting(OF_MANY_KINDS, known, known)
    return replace(faded, kind=kind, kind_product=product, zero_shot=1 - suspected)


def of_many_kinds(held: Sequence[HeldOut]) -> bool:
    """Whether good pictures, each left out in turn, fall into groups that know nothing of each other."""
    return len(held) >= _ENOUGH_TO_ASK and division(votes_among(held), _FEWEST_OF_A_KIND).conductance < APART
