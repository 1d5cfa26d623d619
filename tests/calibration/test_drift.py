"""Drift: no false alarm on images like the calibration, an early one on others, none on mere defects."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from anomalyclip.calibration import DriftMonitor, Profile

N = 150


def watch(profile: Profile, scores: Iterable[float]) -> DriftMonitor:
    monitor = DriftMonitor(profile)
    for score in scores:
        monitor.add(float(score))
    return monitor


def normal(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(rng.normal(0.4, 0.08, count), 0, 1).astype(np.float32)


@pytest.mark.parametrize("levels", [None, 4])
def test_streams_like_the_calibration_are_quiet(profile_of: Callable[..., Profile], levels: int | None) -> None:
    """With ties, too; eight false alarms of 150 would have a chance of 1 in 6,000 at the 1% that is promised."""
    rng = np.random.default_rng(0)

    def draw(count: int) -> np.ndarray:
        scores = normal(rng, count)
        return scores if levels is None else np.round(scores * levels) / levels

    loud = 0
    for _ in range(N):
        monitor = watch(profile_of(draw(60), 0.05), draw(60))
        loud += monitor.drifted or monitor.excessive
    assert loud < 8


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: s + 0.08, "higher"),
        (lambda s: s - 0.08, "lower"),
        (lambda s: 0.4 + (s - 0.4) * 0.3, "spread differently"),
    ],
)
def test_shifts_below_the_threshold_are_drift(
    profile_of: Callable[..., Profile], change: Callable[[np.ndarray], np.ndarray], word: str
) -> None:
    rng = np.random.default_rng(1)
    late = np.concatenate([normal(rng, 100), change(normal(rng, 150))])
    monitor = watch(profile_of(normal(rng, 200), 0.05), late)
    assert monitor.drifted
    assert f"score {word} than the 200 of the calibration" in (monitor.warning() or "")


def test_defects_are_no_drift(profile_of: Callable[..., Profile]) -> None:
    rng = np.random.default_rng(2)
    scores = np.where(rng.random(400) < 0.2, 0.99, normal(rng, 400))
    monitor = watch(profile_of(normal(rng, 200), 0.05), scores)
    assert monitor.excessive
    assert not monitor.drifted
    assert monitor.warning() is None
    assert monitor.count == 400
    assert monitor.above == pytest.approx(0.2 * 400 + 0.04 * 320, abs=40)


def test_everything_above_is_told_soon(profile_of: Callable[..., Profile]) -> None:
    rng = np.random.default_rng(3)
    profile = profile_of(normal(rng, 200), 0.05)
    monitor = watch(profile, np.full(8, 0.99))
    assert "8 of the last 8 images score above the threshold, as 5.0% of normal images would" in (
        monitor.warning() or ""
    )
    assert watch(profile, normal(rng, 8)).warning() is None


def test_thresholds_below_or_above_all_scores(profile_of: Callable[..., Profile]) -> None:
    point = {
        "by": "recall", "wanted": 0.9, "anomalies": 5, "recall": (1, 0.5, 1), "false_positive_rate": (1, 0.9, 1),
        "guaranteed": False,
    }  # fmt: skip
    scores = np.linspace(0.3, 0.5, 50)
    for threshold in (0.1, 0.9, 0.31):
        monitor = watch(profile_of(scores, operating={**point, "threshold": threshold}), [0.2, 0.4, 0.95] * 20)
        assert monitor.count == 60


def test_same_scores_same_verdict(profile_of: Callable[..., Profile]) -> None:
    rng = np.random.default_rng(5)
    profile, scores = profile_of(np.round(normal(rng, 50), 1)), np.round(normal(rng, 100) + 0.05, 1)
    first, second = watch(profile, scores), watch(profile, scores)
    assert (first.drifted, first.above, first.warning()) == (second.drifted, second.above, second.warning())
