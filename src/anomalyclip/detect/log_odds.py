"""Scores as positions on a line of log odds.

A score is a softmax, so even steps are steps of its logit: 0.001 and 0.01 lie as far apart as 0.99 and 0.999, and the
scores of a sure model do not pile up at the ends. The server's page has the same line (`serve/page/scale.js`).
"""

from __future__ import annotations

import math

REACH = math.log(9999)
"""The line runs from 0.0001 to 0.9999; its ends stand for 0 and 1."""

TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


def position_of(score: float) -> float:
    """Score in [0, 1] -> position in [0, 1].

    >>> position_of(0.5), round(position_of(0.9), 4), position_of(1e-9), position_of(1.0)
    (0.5, 0.6193, 0.0, 1.0)
    """
    if score <= 0:
        return 0.0
    if score >= 1:
        return 1.0
    return min(1.0, max(0.0, 0.5 + math.log(score / (1 - score)) / (2 * REACH)))


def score_at(position: float) -> float:
    """Back, for positions between the ends."""
    return 1 / (1 + math.exp(-REACH * (2 * position - 1)))
