"""An export made with a profile carries its memory: it judges as the profile does, and needs nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.export.conftest import run_verb

import anomalyclip
from anomalyclip.calibration import read_profile
from anomalyclip.cli import app
from anomalyclip.errors import ConfigError, InputError

RUN = CliRunner()


def _rows(place: Path, output: Path, *options: object) -> list[dict[str, object]]:
    run_verb("detect", place / "bad.png", "--output", output, "--no-overlay", "--maps", "none", "--quiet", *options)
    return [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]


def test_it_judges_as_the_profile_does_and_needs_nothing_else(
    factory: Path, clip_files: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(factory / "export", tmp_path / "moved")
    model = ["--model", clip_files["model"], "--prompts", clip_files["prompts"], "--runtime", "torch"]
    (by_profile,) = _rows(factory, tmp_path / "a", *model, "--profile", factory / "line.json")
    (by_export,) = _rows(factory, tmp_path / "b", "--model", tmp_path / "moved")
    for key in ("score", "p_value"):
        assert by_export[key] == pytest.approx(by_profile[key], abs=1e-3)
    assert by_export["decision"] == by_profile["decision"]
    assert by_export["settings"]["memory_sha256"] == by_profile["settings"]["memory_sha256"]
    assert by_export["settings"]["profile"] == "default"
    firsts = [row["regions"][0]["nearest"] for row in (by_profile, by_export)]
    assert firsts[0]["picture"] == firsts[1]["picture"]
    assert firsts[0]["distance"] == pytest.approx(firsts[1]["distance"], abs=1e-3)


def test_python_takes_the_profile_of_an_export(factory: Path) -> None:
    profile = read_profile(factory / "export")
    assert profile.memory is not None
    loaded = anomalyclip.load(factory / "export")
    found = loaded.detect(factory / "bad.png", profile=profile)
    assert found.nearest
    assert len(profile.opened().thumbnails) == 5


def test_a_threshold_that_is_given_stands(factory: Path, tmp_path: Path) -> None:
    (row,) = _rows(factory, tmp_path / "out", "--model", factory / "export", "--threshold", 0.5)
    assert "memory_sha256" not in row["settings"]
    assert row["p_value"] is None


def test_a_profile_of_another_model_or_a_rounded_export_is_refused(
    factory: Path, clip_files: dict[str, str], tmp_path: Path
) -> None:
    common = ["--profile", str(factory / "line.json"), "--output", str(tmp_path / "e"), "--prompts"]
    result = RUN.invoke(app, ["export", clip_files["model"], *common, "clip"])
    assert isinstance(result.exception, ConfigError)
    assert "calibrated with another model" in str(result.exception)
    call = ["export", clip_files["model"], *common, clip_files["prompts"], "--precision", "fp16"]
    result = RUN.invoke(app, call)
    assert isinstance(result.exception, ConfigError)
    assert "rounds them otherwise" in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "e").exists()


def test_a_memory_that_was_changed_in_the_export_is_refused(factory: Path, tmp_path: Path) -> None:
    shutil.copytree(factory / "export", tmp_path / "export")
    memory = tmp_path / "export" / "memory.safetensors"
    data = bytearray(memory.read_bytes())
    data[-1] ^= 1
    memory.write_bytes(data)
    with pytest.raises(InputError, match=r"memory\.safetensors was changed"):
        anomalyclip.load(tmp_path / "export")
    with pytest.raises(InputError, match="not the one"):
        read_profile(tmp_path / "export").opened()
