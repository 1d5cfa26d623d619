"""Kinds of pictures among good ones: groups whose patches are nearest to each other's, and hardly to any other's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.held_out import HeldOut

APART = 0.03
"""Conductance from which on pictures are of one kind. Measured with 12 and 25 pictures (docs/memory-log.md): several
products and fabrics .00 to .04, cells of one crystal in which two sorts lie .00 to .20, all others above."""


class Division(NamedTuple):
    """Of pictures in two. conductance: the share of a group's votes that go to the other or come from it, of the group
    where it is larger, 0 to 1. one: (P,) bool, which pictures are in the first group."""

    conductance: float
    one: NDArray[np.bool_]


def votes_among(held: Sequence[HeldOut]) -> NDArray[np.float64]:
    """(P, P) of picture i, left out, the share of its patches whose nearest one is in picture j."""
    votes = np.zeros((len(held), len(held)))
    for row, one in zip(votes, held, strict=True):
        for view in one.against():
            row += np.bincount(view.pictures, minlength=len(held)) / len(view.pictures) / len(one.views)
    return votes


def division(votes: NDArray[np.float64], fewest: int) -> Division:
    """The one of least conductance, of those along the second eigenvector of the normalised graph of votes (P, P).

    See Shi and Malik, "Normalized cuts and image segmentation", 2000. fewest: pictures in a group; where there are not
    twice as many, all are in one, at conductance 1.
    """
    weights = (votes + votes.T) / 2
    degree = weights.sum(axis=1)
    root = np.sqrt(degree)
    # less the first eigenvector, which divides nothing: of graphs in pieces it would be anywhere among the first
    divided = weights / np.outer(root, root) - np.outer(root, root) / degree.sum()
    order = np.argsort(np.linalg.eigh(divided)[1][:, -1] / root, kind="stable")
    best = Division(1.0, np.ones(len(order), np.bool_))
    for count in range(fewest, len(order) - fewest + 1):
        one, other = order[:count], order[count:]
        between = float(weights[np.ix_(one, other)].sum() / min(degree[one].sum(), degree[other].sum()))
        if between < best.conductance:
            best = Division(between, np.isin(np.arange(len(order)), one))
    return best


def kinds_among(votes: NDArray[np.float64], fewest: int) -> list[NDArray[np.intp]]:
    """Numbers of the pictures of each kind, ascending: divided for as long as groups are apart."""

    def divided(members: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        inside = votes[np.ix_(members, members)]
        if len(members) < 2 * fewest or not (inside + inside.T).sum(axis=1).all():
            return [members]
        found = division(inside, fewest)
        if found.conductance >= APART:
            return [members]
        return [*divided(members[found.one]), *divided(members[~found.one])]

    return sorted(divided(np.arange(len(votes))), key=lambda members: int(members[0]))
