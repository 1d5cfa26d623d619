"""Pictures laid over each other: the same part photographed twice, a few pixels shifted or slightly turned.

Patches hardly tell such pictures: a shift by a fraction of a patch changes what every patch sees. Their pixels do, once
they are aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SIDE = 160
"""Pixels of the squares that are compared."""

NEARER = 0.12
"""Overlaid pictures differ by less than this share of what two pictures usually differ by, see :func:`overlaid`.

Measured over six real sets (docs/memory-log.md): shifted copies with noise .001 to .04; pictures of different parts
.16 or more."""

_USUAL = 40  # pairs, drawn by a fixed seed, that tell what two pictures usually differ by
_NEIGHBOURS = 2
_FARTHEST, _TURNED = 0.08, 0.09  # of the side; radians: what an alignment may come to
_COARSE, _FINE = 10.0, 1.0  # pixels: light falls off wider, noise is finer
_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 1e-4)
_TINY = 1e-6


def overlaid(thumbnails: Sequence[bytes], away: NDArray[np.floating]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of pictures that show the same once they are aligned.

    Two pictures differ by 1 - r, r the correlation of their details (grey values between two widths of blur) where the
    best shift and turn (Evangelidis and Psarakis, 2008) puts them. Asked are each picture's two nearest others, by
    patches (dark ground hides it there) and by coarse details as they lie (what all pictures share hides it there).

    thumbnails: small pictures as JPEG, PNG ..., of any size; one that is none has no pair. away: (n, n) how far
    pictures are apart by their patches.
    """
    details = [_details(one) if one else None for one in thumbnails]
    known = [number for number, one in enumerate(details) if one is not None]
    every = list(combinations(known, 2))
    if len(known) < 2 * _NEIGHBOURS:
        return []
    chosen = np.random.default_rng(0).permutation(len(every))[:_USUAL]
    usual = float(np.median([_apart(details, *every[index]) for index in chosen]))
    sketches = np.stack([_sketch(one) for one in details if one is not None])
    asked = set()
    for apart in (away[np.ix_(known, known)], 1 - sketches @ sketches.T):
        others = apart + np.diag(np.full(len(known), np.inf))
        nearest = np.argsort(others, axis=1, kind="stable")[:, :_NEIGHBOURS].tolist()
        asked |= {tuple(sorted((known[row], known[one]))) for row, two in enumerate(nearest) for one in two}
    return [(one, other) for one, other in sorted(asked) if _apart(details, one, other) < NEARER * usual]


def _sketch(details: Floats) -> Floats:
    coarse = cv2.resize(details, (SIDE // 4, SIDE // 4), interpolation=cv2.INTER_AREA).ravel()
    centred = coarse - coarse.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), _TINY), np.float32)


def _details(thumbnail: bytes) -> Floats | None:
    grey = cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        return None
    small = cv2.resize(grey.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    details = small - cv2.GaussianBlur(small, (0, 0), _COARSE)
    return np.asarray(cv2.GaussianBlur(details, (0, 0), _FINE), np.float32)


def _apart(details: Sequence[Floats | None], first: int, second: int) -> float:
    """1 - correlation, in [0, 2], where the second lies best over the first."""
    one, other = details[first], details[second]
    assert one is not None
    assert other is not None
    best = _correlation(one, other)
    every = np.full((SIDE, SIDE), 255, np.uint8)
    shift, _ = cv2.phaseCorrelate(one * _window(), other * _window())  # given a window, it writes into its arguments
    for start in dict.fromkeys([(0.0, 0.0), tuple(shift)]):  # a fine weave has many shifts that seem best nearby
        begun = np.array([[1, 0, start[0]], [0, 1, start[1]]], np.float32)
        try:
            found, moves = cv2.findTransformECC(one, other, begun, cv2.MOTION_EUCLIDEAN, _STEPS, every, 1)
        except cv2.error:  # it does not converge: nothing to lay over
            continue
        moved = np.asarray(moves, np.float32)
        if max(abs(moved[0, 2]), abs(moved[1, 2])) <= _FARTHEST * SIDE and abs(moved[0, 1]) <= _TURNED:
            best = max(best, float(found))
    return 1 - best


@cache
def _window() -> Floats:
    return np.asarray(cv2.createHanningWindow((SIDE, SIDE), cv2.CV_32F), np.float32)


def _correlation(one: Floats, other: Floats) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt(np.vdot(first, first) * np.vdot(second, second)))
    return float(np.vdot(first, second)) / size if size > _TINY else 0.0
