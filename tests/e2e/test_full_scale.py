"""`--full-scale` is recorded in a profile and comes back with it, in every verb that takes one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

import anomalyclip
from anomalyclip.calibration import read_profile
from anomalyclip.cli import app
from anomalyclip.errors import ConfigError


def run(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    """Five pictures of a 12-bit camera whose files do not say so."""
    folder = tmp_path / "counts"
    folder.mkdir()
    for seed in range(5):
        grey = np.random.default_rng(seed).integers(900, 3000, (64, 64)).astype(np.uint16)
        Image.fromarray(grey).save(folder / f"{seed}.png")
    return folder


def test_a_profile_brings_its_scale(counts: Path, tmp_path: Path) -> None:
    profile = str(tmp_path / "p.json")
    run(
        "calibrate",
        str(counts),
        "-o",
        profile,
        "--fpr",
        "0.3",
        "--no-memory",
        "--no-plot",
        "-q",
        "--full-scale",
        "4095",
    )
    one = str(counts / "0.png")
    plain, scaled, brought = (
        json.loads(run("detect", one, "--format", "jsonl", "-q", *more))
        for more in ((), ("--full-scale", "4095"), ("--profile", profile))
    )
    assert brought["score"] == scaled["score"] != plain["score"]
    assert brought["settings"]["full_scale"] == scaled["settings"]["full_scale"] == 4095
    run("watch", str(counts), "--once", "--settle", "0", "-o", str(tmp_path / "w"), "-q", "--profile", profile)
    rows = [json.loads(line) for line in (tmp_path / "w" / "results.jsonl").read_text().splitlines()]
    assert {row["score"] for row in rows if row["path"] == one} == {scaled["score"]}
    model = anomalyclip.load("pocket")
    found = model.detect(one, profile=read_profile(profile))
    assert found.score == pytest.approx(scaled["score"], abs=1e-6)
    with pytest.raises(ConfigError, match="calibrated with full_scale 4095"):
        model.detect(one, profile=read_profile(profile), full_scale=1000)
    refused = CliRunner().invoke(app, ["detect", one, "--profile", profile, "--full-scale", "1000"])
    assert refused.exit_code != 0
    with pytest.raises(ConfigError, match="pixels from 1"):
        model.detect(one, max_pixels=0)


def test_a_watch_that_begins_again_keeps_the_scale_of_its_floats(tmp_path: Path) -> None:
    """Neither a profile nor `--full-scale`: the journal knows what the first picture ended at."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name, top in (("counts", 200.0), ("unit", 1.0)):
        tifffile.imwrite(folder / f"{name}.tif", np.linspace(0, top, 64 * 64, dtype=np.float32).reshape(64, 64))
        run("watch", str(folder), "--once", "--settle", "0", "-o", str(out), "-q") if name == "counts" else None
    done = CliRunner().invoke(app, ["watch", str(folder), "--once", "--settle", "0", "-o", str(out), "-q"])
    assert done.exit_code == 3, done.output
    first, second = (json.loads(line) for line in (out / "results.jsonl").read_text().splitlines())
    assert first["error"] is None
    assert "those read before it ended at 255" in second["error"]
