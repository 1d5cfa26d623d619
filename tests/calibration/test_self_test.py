"""Painted faults: they change what they say they change, and a line tells which it finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from anomalyclip.calibration.selftest import painters
from anomalyclip.calibration.selftest.chart import Tried, chart_lines, found_share, plan, summary_of
from anomalyclip.calibration.selftest.painters import KINDS, paint
from anomalyclip.calibration.selftest.shapes import smooth


def _ground(colour: bool) -> np.ndarray:
    rng = np.random.default_rng(0)
    ground = 120 + 40 * np.sin(np.arange(90) / 3)[None, :, None] + rng.normal(0, 5, (60, 90, 1)) + np.zeros(3)
    return (ground + (np.array([40, 0, -40]) if colour else 0)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_changes_its_place_and_little_else(kind: str) -> None:
    ground = _ground(True)
    kept = ground.copy()
    for seed in range(5):
        painted, where = paint(kind, ground, 15, 0.4, np.random.default_rng(seed))
        assert (painted.shape, painted.dtype, where.shape, where.dtype) == (ground.shape, np.uint8, (60, 90), bool)
        change = np.abs(painted.astype(int) - ground).sum(axis=2)
        assert where.any()
        assert change[where].mean() > 3 * change[~where].mean()
        assert not where.all()
    assert (ground == kept).all(), "the picture itself stays"


@pytest.mark.parametrize("kind", KINDS)
def test_more_contrast_changes_more(kind: str) -> None:
    ground = _ground(True)

    def change(contrast: float) -> float:
        painted = [paint(kind, ground, 15, contrast, np.random.default_rng(seed))[0] for seed in range(6)]
        return float(np.mean([np.abs(one.astype(int) - ground).mean() for one in painted]))

    assert change(0.5) > change(0.1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("most", "longest"), [(1000, 90), (9000, 50)])
def test_what_is_painted_small_is_enlarged(kind: str, most: int, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painters, "LARGEST", most)
    monkeypatch.setattr(painters, "_LONGEST", longest)
    ground = _ground(True)
    painted, where = paint(kind, ground, 15, 0.4, np.random.default_rng(2))
    assert (painted.shape, painted.dtype, where.shape, where.dtype) == (ground.shape, np.uint8, (60, 90), bool)
    change = np.abs(painted.astype(int) - ground).sum(axis=2)
    assert change[where].mean() > 3 * change[~where].mean()


def test_a_line_longer_than_opencv_turns_is_painted() -> None:
    ground = np.tile(_ground(True)[:8], (1, 400, 1))
    assert ground.shape[1] > 32_767
    assert all(paint(kind, ground, 4, 0.4, np.random.default_rng(0))[0].shape == ground.shape for kind in KINDS)


def test_a_wide_blur_is_that_of_the_definition() -> None:
    values = np.zeros((700, 900), np.float32)
    values[200:450, 300:700] = 1
    expected = ndimage.gaussian_filter(values, 150, mode="mirror", truncate=4)
    np.testing.assert_allclose(smooth(values, 150), expected, atol=0.005)  # of 1; a copy of half the side


@pytest.mark.parametrize("kind", ["stain", "contamination", "faint zone"])
def test_a_grey_camera_sees_grey_faults(kind: str) -> None:
    painted, _ = paint(kind, _ground(False), 15, 0.4, np.random.default_rng(1))
    assert np.ptp(painted.astype(int), axis=2).max() <= 1


def test_the_same_seed_paints_the_same() -> None:
    one, other = (paint("crack", _ground(True), 15, 0.4, np.random.default_rng(3))[0] for _ in range(2))
    assert (one == other).all()


def test_the_chart_counts_what_is_above_the_line() -> None:
    assert {kind for kind, _, _ in plan()[: len(KINDS)]} == set(KINDS), "every kind comes first of all"
    tried = [Tried(kind, size, contrast, 0.9 if size == 0.2 else 0.2) for kind, size, contrast in plan()]
    assert found_share(tried) == pytest.approx(1 / 3)
    assert found_share(tried, size=0.2) == 1
    assert summary_of(tried).kinds["crack"] == pytest.approx(1 / 3)
    said = " ".join(chart_lines(tried, 0.05))
    assert "33% found" in said
    assert "--tile" in said
    assert np.isnan(found_share([], kind="crack"))
