"""What people see of a watch: one line per image, drift told once, and messages that nobody took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anomalyclip.calibration.profile import Profile
from anomalyclip.calibration.profile_parts import ImageLevel, PixelLevel
from anomalyclip.cli._table import RowPrinter
from anomalyclip.cli._watch_lines import shower


def _row(score: float | None, path: str = "a.png", error: str | None = None) -> dict[str, Any]:
    decision = None if score is None else "anomalous" if score >= 0.5 else "normal"
    return {"path": path, "score": score, "decision": decision, "error": error}


def test_a_line_per_image(capfd: pytest.CaptureFixture[str]) -> None:
    show = shower(RowPrinter("lines", quiet=True), None, lines=True)
    show(_row(0.25))
    show(_row(0.75, "two\nlines.png"))
    show(_row(None, "bad.png", "it is not an image"))
    show(_row(0.75, "kept.png", "cannot write"))
    out, errors = capfd.readouterr()
    assert out == ""
    assert errors.splitlines() == [
        "0.2500  normal     a.png",
        "0.7500  anomalous  two\\nlines.png",
        "failed  bad.png: it is not an image",
        "0.7500  anomalous  kept.png: cannot write",
    ]


def test_drift_is_told_once_and_a_stable_line_is_left_alone(capfd: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(5)
    scores = tuple(sorted(float(score) for score in random.uniform(0.1, 0.4, 200)))
    profile = Profile(
        made="2026-01-01T00:00:00Z",
        provenance={},
        image=ImageLevel(rate=0.01, threshold=scores[-1], scores=scores),
        pixel=PixelLevel(rule="image", rate=0.01, threshold=0.9, peaks=scores),
    )
    stable = shower(RowPrinter("lines", quiet=True), profile, lines=False)
    for score in random.uniform(0.1, 0.4, 300):
        stable(_row(float(score)))
    assert capfd.readouterr().err == ""
    drifting = shower(RowPrinter("lines", quiet=True), profile, lines=False)
    for score in random.uniform(0.3, 0.4, 300):
        drifting(_row(float(score)))
    (warning,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("drift: ")]
    assert "higher than the 200 of the calibration" in warning
