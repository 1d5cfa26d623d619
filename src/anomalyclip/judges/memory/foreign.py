"""Whether good pictures know each other: what a distance to them can say of a picture that is not among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.fusion import Mixture
    from anomalyclip.judges.memory.held_out import HeldOut

KNOWN, FOREIGN = 0.3, 0.7
"""Foreignness up to which distances to good pictures count in full, and from which they count nothing. Measured over
eleven sets (docs/memory-log.md): with 4 pictures woven fabric of many weaves has 0.9 to 2.4 and no other more than
0.8 (insulators, wood); with 12 it has 0.7 to 1.1, and 0.3 to 0.7 with 25, when most weaves are there."""

KNOWN_TO_WORDS, FOREIGN_TO_WORDS = 0.6, 1.0
"""The same for distances times what the words say of the patch: they hold out longer, and from there on the words'
own score is all that counts, as it would without a memory."""

FEWEST_TO_COMPARE = 2
"""Good pictures, of which one can be held against the others."""

_TINY = 1e-9


def foreignness(held: Sequence[HeldOut]) -> float:
    """Mean over good pictures' views of ln(median_i d_i / median_i s_i).

    d_i is the distance of patch i to the other good pictures, s_i that to the picture's own patches that share nothing
    with it. Of one kind, other pictures show a patch's like as well as its own does; where each is of a kind of its
    own, all of a picture lies far from the others, and the hottest patches say how rare its kind is, not what is wrong
    with it. Minus infinity with fewer pictures than :data:`FEWEST_TO_COMPARE`, or where views are too small to have
    patches apart.
    """
    if len(held) < FEWEST_TO_COMPARE:
        return -np.inf
    return mean_of(
        farther(distances, view.to_itself(np.arange(len(distances))))
        for one in held
        for view, distances in zip(one.views, one.distances(), strict=True)
    )


def farther(distances: NDArray[np.float32], own: NDArray[np.float32]) -> float:
    """ln(median_i d_i / median_i s_i) of distances (N,) to others and to a picture's own patches; -inf where s is."""
    middle = float(np.median(own))
    return float(np.log((np.median(distances) + _TINY) / (middle + _TINY))) if np.isfinite(middle) else -np.inf


def mean_of(found: Iterable[float]) -> float:
    """Of those that are finite; minus infinity where none is."""
    finite = [value for value in found if np.isfinite(value)]
    return float(np.mean(finite)) if finite else -np.inf


def trust(foreign: float, known: float = KNOWN, unknown: float = FOREIGN) -> float:
    """How much distances count, 0 to 1: (unknown - foreign) / (unknown - known), bounded."""
    return float(np.clip((unknown - foreign) / (unknown - known), 0, 1))


def distrusting(mixture: Mixture, bare: float, suspected: float = 1) -> Mixture:
    """A mixture in which distances count by `bare`, and those times the words' map by `suspected`, both in [0, 1].

    What the latter lose goes to the words' own score. A distance times what the words say of the patch ranks pictures
    of kinds that the memory does not hold nearly as well as others (docs/memory-log.md), until no kind is held; bare
    distances do not rank them at all.
    """
    return replace(
        mixture,
        memory=mixture.memory * bare,
        novelty=mixture.novelty * bare,
        map_memory=mixture.map_memory * bare,
        product=mixture.product * suspected,
        novelty_product=mixture.novelty_product * suspected,
        zero_shot=mixture.zero_shot + 1 - suspected,
    )


def as_trusted(mixture: Mixture, foreign: float) -> Mixture:
    """A line's mixture for good pictures of this foreignness."""
    return distrusting(mixture, trust(foreign), trust(foreign, KNOWN_TO_WORDS, FOREIGN_TO_WORDS))
