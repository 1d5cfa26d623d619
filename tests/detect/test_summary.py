"""Counts, histogram and highest scores against plain sorting and numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from anomalyclip.detect import Summary
from anomalyclip.detect.summary import BINS

ROWS = st.lists(st.tuples(st.none() | st.floats(0, 1), st.none() | st.just("why")), max_size=60)


@given(ROWS, st.integers(1, 10))
def test_equals_plain_sorting(rows: list[tuple[float | None, str | None]], keep: int) -> None:
    summary = Summary(keep=keep, keep_failures=3)
    for i, (score, error) in enumerate(rows):
        decision = None if score is None else "anomalous" if score >= 0.5 else "normal"
        summary.add({"path": str(i), "score": score, "error": error, "decision": decision}, i)
    scores = [score for score, _ in rows if score is not None]
    failed = [(str(i), error) for i, (_, error) in enumerate(rows) if error]
    assert (summary.count, summary.scored, summary.failed) == (len(rows), len(scores), len(failed))
    assert summary.failures == failed[:3]
    assert summary.anomalous == sum(s >= 0.5 for s in scores)
    assert summary.anomalous + summary.normal == len(scores)
    order = sorted((i for i, (score, _) in enumerate(rows) if score is not None), key=lambda i: (-rows[i][0], i))  # type: ignore[operator]
    assert summary.top() == order[:keep]
    assert sum(summary.histogram) == len(scores)


def test_the_histogram_is_numpys() -> None:
    scores = np.random.default_rng(3).random(500)
    summary = Summary()
    for score in [*scores, 1.0, 0.0]:
        summary.add({"path": "p", "score": float(score), "error": None, "decision": None}, None)
    positions = 0.5 + logit(np.clip([*scores, 1.0, 0.0], 1e-4, 1 - 1e-4)) / (2 * logit(1 - 1e-4))
    assert summary.histogram == np.histogram(np.clip(positions, 0, 1), BINS, (0, 1))[0].tolist()
