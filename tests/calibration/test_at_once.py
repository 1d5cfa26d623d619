"""Two runs that make one new file: neither replaces the other's profile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.calibration import Profile, read_profile, write_profiles, writing
from anomalyclip.calibration.writing import write_new_profiles
from anomalyclip.cli import app
from anomalyclip.cli._calibrate_job import CalibrateJob
from anomalyclip.errors import OutputError

SCORES = np.linspace(0.1, 0.9, 20)


def test_each_of_many_writers_keeps_its_profile(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    gate = threading.Barrier(4)

    def write(name: str) -> tuple[str, Path]:
        profile = profile_of(SCORES, name=name)
        gate.wait()
        return name, write_new_profiles(tmp_path / "line.json", [profile])

    with ThreadPoolExecutor(4) as pool:
        written = dict(pool.map(write, "abcd"))
    assert len(set(written.values())) == 4
    assert tmp_path / "line.json" in written.values()
    assert {read_profile(place).name: place for place in written.values()} == written
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}, "no lock is left"


def test_a_failed_write_leaves_nothing(
    profile_of: Callable[..., Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(writing, "write_bytes", full)
    with pytest.raises(OutputError, match="full"):
        write_new_profiles(tmp_path / "line.json", [profile_of(SCORES)])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_new_profiles(tmp_path / "none" / "line.json", [profile_of(SCORES)])


def test_a_run_that_comes_second_says_where_its_profile_is(
    profile_of: Callable[..., Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, recipe = tmp_path / "line.json", CalibrateJob._recipe
    (tmp_path / "good").mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(90, 160, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"good/{number}.png")

    def meanwhile(self, made):
        write_profiles(place, [profile_of(SCORES, name="first")])
        return recipe(self, made)

    monkeypatch.setattr(CalibrateJob, "_recipe", meanwhile)
    call = ["calibrate", str(tmp_path / "good"), "--fpr", "0.2", "--name", "second", "--no-self-test", "-o", str(place)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code != 0
    assert "line-2.json" in str(result.exception) + result.output
    assert read_profile(place).name == "first"
    assert read_profile(tmp_path / "line-2.json").name == "second"
