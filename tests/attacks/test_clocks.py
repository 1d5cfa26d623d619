"""Clocks that step: a device that wakes up in 1970 and is set by NTP, and one that is set back."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

YEARS = 56 * 365 * 86400.0


@pytest.mark.parametrize("fails", [0, 1, 3])
@pytest.mark.parametrize("step_while", [False, True])
@pytest.mark.parametrize(("first", "then"), [(0.0, 0.0), (-YEARS, 0.0), (0.0, -3600.0), (0.0, -YEARS)])
def test_clocks(tmp_path, monkeypatch, first, then, fails, step_while):
    """None is given up because years have passed, none waits for a time that will not come."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    delivered = importlib.import_module("clocks").delivered
    assert delivered(tmp_path, first=first, then=then, fails=fails, step_while=step_while)
