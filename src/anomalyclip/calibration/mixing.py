"""How a line of `auto` joins words and memory: by what its good pictures, each left out in turn, are to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.foreign import as_trusted, distrusting, foreignness, trust
from anomalyclip.judges.memory.fusion import Mixture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.held_out import HeldOut

AUTO = Mixture("auto", memory=1, product=1, words=1, novelty=1, novelty_product=1, map_words=1.0, map_memory=0.5)
"""A fifth each: fixed, as a choice per line served worse over eight real sets (docs/memory-log.md)."""

OF_MANY_KINDS = replace(AUTO, name="many-kinds", kind=2, kind_product=2)
"""Where good pictures are of several kinds: what is unusual for a picture's own kind counts, too, and as much again."""

_KNOWN = 0.2, 0.4
"""Foreignness up to which distances count in full where pictures are of many kinds, and from which nothing: they count
less than elsewhere (:data:`anomalyclip.judges.memory.foreign.KNOWN`), as not every kind that comes need be there."""
_SUSPECTED = 0.5, 0.7
"""The same for what is unusual for a kind where the words suspect the patch, too."""

APART = 0.03
"""Conductance from which on good pictures are of one kind. Measured with 12 and 25 pictures (docs/memory-log.md):
several products and fabrics .00 to .04, cells of one crystal in which two sorts lie .00 to .20, all others above."""
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
    return len(held) >= _ENOUGH_TO_ASK and conductance(votes_among(held)) < APART


def votes_among(held: Sequence[HeldOut]) -> NDArray[np.float64]:
    """(P, P) of picture i the share of its patches whose nearest one is in picture j."""
    votes = np.zeros((len(held), len(held)))
    for row, one in zip(votes, held, strict=True):
        for view in one.against():
            row += np.bincount(view.pictures, minlength=len(held)) / len(view.pictures) / len(one.views)
    return votes


def conductance(votes: NDArray[np.float64]) -> float:
    """The least share of a group's votes that go to the other group or come from it, over divisions in two, 0 to 1.

    Divisions are those along the second eigenvector of the normalised graph of votes (P, P), see Shi and Malik, 2000;
    groups have at least three pictures. 1 where there is no such division.
    """
    weights = (votes + votes.T) / 2
    degree = weights.sum(axis=1)
    root = np.sqrt(degree)
    # less the first eigenvector, which divides nothing: of graphs in pieces it would be anywhere among the first
    divided = weights / np.outer(root, root) - np.outer(root, root) / degree.sum()
    order = np.argsort(np.linalg.eigh(divided)[1][:, -1] / root, kind="stable")
    least = 1.0
    for count in range(_FEWEST_OF_A_KIND, len(order) - _FEWEST_OF_A_KIND + 1):
        one, other = order[:count], order[count:]
        between = weights[np.ix_(one, other)].sum()
        least = min(least, float(between / min(degree[one].sum(), degree[other].sum())))
    return least
