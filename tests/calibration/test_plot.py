"""The axes of a profile's picture."""

from __future__ import annotations

import pytest

from anomalyclip.calibration.plot import round_ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.811, [0, 0.2, 0.4, 0.6, 0.8]),
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.4, 0.42, [0.4, 0.405, 0.41, 0.415, 0.42]),
        (0.0, 1.0e-6, [0, 2e-7, 4e-7, 6e-7, 8e-7, 1e-6]),
    ],
)
def test_round_ticks(low, high, expected):
    assert round_ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("low", [0.0, 0.013, 0.37, 0.9991])
@pytest.mark.parametrize("span", [1e-4, 0.0333, 0.1, 0.55, 1.04])
def test_axes_have_two_to_six_ticks_that_lie_on_them(low, span):
    ticks = round_ticks(low, low + span)
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-12 <= tick <= low + span + 1e-12 for tick in ticks)
