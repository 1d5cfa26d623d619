"""A disk that fills up when all is measured: the figures are shown, what was measured stays, and --resume ends it."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.cli import app
from anomalyclip.evaluation import plots
from anomalyclip.io.atomic import output_error


def test_figures_are_shown_and_a_resume_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        pixels = np.random.default_rng(number).integers(90, 160, (64, 64, 3), dtype=np.uint8)
        place = tmp_path / "data" / ("bad" if number % 2 else "good")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    call = ["evaluate", str(tmp_path / "data"), "--missing-masks", "image-only", "--image-size", "64", "--threads", "1"]
    call += ["--quiet", "--plots", "--output", str(tmp_path / "out")]

    def full(*_: object, **__: object) -> None:
        raise output_error(tmp_path / "out" / "plots" / "roc.png", OSError(errno.ENOSPC, "No space left on device"))

    with monkeypatch.context() as patch:
        patch.setattr(plots, "write_plots", full)
        first = CliRunner().invoke(app, call)
    assert "the disk is full" in str(first.exception)
    assert "run again with --resume" in str(first.exception)
    assert "mean" in first.output
    assert not (tmp_path / "out" / "metrics.json").exists()
    second = CliRunner().invoke(app, [*call, "--resume"])
    assert second.exit_code == 0, second.output
    assert (tmp_path / "out" / "metrics.json").exists()
    assert (tmp_path / "out" / "plots" / "roc.png").exists()
    shown = [line for line in first.output.splitlines() if line.startswith(("mean", "data"))]
    assert [line for line in second.output.splitlines() if line.startswith(("mean", "data"))] == shown
