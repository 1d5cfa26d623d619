"""From normal images to calibrated decisions, with the real commands on the small CLIP."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.calibration import read_profile, read_profiles

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
COSTS = ["--cost-miss", "20", "--cost-false-alarm", "1", "--anomaly-share", "0.05"]
Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="module")
def anomalyclip(small_model: list[str]) -> Run:
    """anomalyclip("calibrate", ...) runs the verb in a process of its own; the text of stderr has no line breaks."""

    def call(verb: str, *args: object) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "anomalyclip", verb, *small_model, *map(str, args)]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=240, check=False)

    return call


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """normal/ 25 grey pictures with noise, one of them twice and one broken; defects/ 6 with a bright square."""
    root = tmp_path_factory.mktemp("factory")
    rng = np.random.default_rng(0)
    for kind, count in (("normal", 25), ("defects", 6)):
        (root / kind).mkdir()
        for i in range(count):
            pixels = rng.normal(110, 25, (48, 48, 3)).clip(0, 255).astype(np.uint8)
            if kind == "defects":
                pixels[8:24, 8:24] = (255, 40, 40)
            Image.fromarray(pixels).save(root / kind / f"{i:02}.png")
    shutil.copy(root / "normal" / "03.png", root / "normal" / "copy.png")
    (root / "normal" / "broken.png").write_bytes(b"\x89PNG but not really")
    return root


@pytest.fixture(scope="module")
def calibrated(anomalyclip: Run, folder: Path) -> tuple[Path, str]:
    """The profile of `folder`'s normal pictures at 5%, and what was said."""
    profile = folder / "profile.json"
    done = anomalyclip("calibrate", folder / "normal", "--fpr", "0.05", "--name", "camera-3", "--output", profile)
    assert done.returncode == 3, done.stderr.decode()
    return profile, done.stderr.decode()


def test_what_is_learned_and_said(calibrated: tuple[Path, str], folder: Path) -> None:
    profile, said = read_profile(calibrated[0]), calibrated[1]
    assert (profile.name, profile.count, profile.image.rate) == ("camera-3", 25, 0.05)
    assert profile.image.scores[-2] < profile.image_threshold < profile.image.scores[-1], "5% of 26 is more than 1"
    assert profile.memory is not None
    assert len(profile.memory.pictures) == 25
    assert f"copy.png: the same picture as {folder / 'normal' / '03.png'}" in said
    assert "broken.png: " in said
    assert "25 normal images; they support false-positive rates from 0.0385 on" in said
    with Image.open(folder / "profile.png") as picture:
        assert picture.width == 1000
        assert picture.height > 920, "the pictures that set the line and the self-test's chart below the histograms"


def test_detect_decides_by_the_profile(
    anomalyclip: Run, calibrated: tuple[Path, str], folder: Path, tmp_path: Path
) -> None:
    given = (
        folder / "normal" / "00.png",
        folder / "defects",
        "--output",
        tmp_path / "out",
        "--no-overlay",
        "--maps",
        "none",
        "--findings",
        "coco",
    )
    done = anomalyclip("detect", *given, "--profile", f"{calibrated[0]}:camera-3")
    assert done.returncode == 0, done.stderr.decode()
    profile = read_profile(calibrated[0])
    rows = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert len(rows) == 7
    for row in rows:
        assert row["decision"] == profile.decide(row["score"])
        assert row["p_value"] == profile.p_value(row["score"])
        assert row["settings"]["profile"] == "camera-3"
        assert row["settings"]["threshold"] == profile.image_threshold
        assert all(region["peak"] >= profile.pixel_threshold for region in row["regions"])
    found = json.loads((tmp_path / "out" / "findings.coco.json").read_text())
    assert len(found["images"]) == 7
    assert [one["bbox"] for one in found["annotations"]] == [region["box"] for row in rows for region in row["regions"]]
    assert rows[0]["decision"] == "normal", "a calibration image lies at or below the highest"
    assert rows[0]["regions"] == [], "so does its peak"
    assert f"p = {rows[0]['p_value']:.3g}" in (tmp_path / "out" / "report.html").read_text()


def test_another_model_is_refused(
    detect: Callable[..., int], calibrated: tuple[Path, str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(folder / "normal" / "00.png", "--profile", calibrated[0], "--sigma", "2") == 2
    assert "sigma 4.0 then, 2.0 now" in _joined(capsys)


def test_drift_is_told(
    detect: Callable[..., int], calibrated: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lens cap: sixty nearly black pictures, all alike to the model."""
    rng = np.random.default_rng(1)
    for i in range(60):
        Image.fromarray(rng.integers(0, 3, (48, 48, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    assert detect(tmp_path, "--profile", calibrated[0]) == 0
    said = _joined(capsys)
    assert "drift" in said
    assert "calibrate again" in said


def test_several_profiles_in_a_file_and_an_operating_point(
    small_model: list[str], folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "plant.json"
    common = ["--fpr", "0.1", "--no-self-test", "--output", str(file), str(folder / "normal")]
    assert _main("calibrate", *small_model, "--name", "a", *common) == 3
    assert _main("calibrate", *small_model, "--name", "b", *common) == 2, "the file would be lost"
    assert "--add puts this profile beside" in _joined(capsys)
    wish = ["--anomalies", str(folder / "defects"), "--min-recall", "0.8"]
    assert _main("calibrate", *small_model, "--name", "b", "--add", *wish, *common) == 3
    assert "decisions at" in _joined(capsys)
    profiles = read_profiles(file)
    assert sorted(profiles) == ["a", "b"]
    assert profiles["a"].operating is None
    point = profiles["b"].operating
    assert point is not None
    assert (point.by, point.anomalies, point.guaranteed) == ("recall", 6, True)
    assert profiles["b"].image_threshold == point.threshold
    assert (tmp_path / "plant.b.png").exists()
    assert _main("calibrate", *small_model, "--name", "b", "--add", *common) == 2, "the name is taken"
    defects = ["--anomalies", str(folder / "defects")]
    assert _main("calibrate", *small_model, "--name", "b", "--add", "--overwrite", *defects, *COSTS, *common) == 3
    chosen = read_profile(f"{file}:b").operating
    assert chosen is not None
    assert chosen.by == "cost"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--no-memory", "--fpr", "0.01"], "27 normal images cannot support a false-positive rate of 0.01"),
        (["--no-memory", "--pixel-fpr", "0.001"], "false-positive rate of 0.001"),
        (["--fpr", "2"], "out of range"),
        (["--name", "a/b"], "--name 'a/b'"),
        (["--min-recall", "0.9"], "add --anomalies"),
        (["--anomalies", "x"], "needs what to choose by"),
        (["--anomalies", "x", "--cost-miss", "1"], "--cost-miss needs --cost-false-alarm and --anomaly-share"),
        (["--anomalies", "x", "--min-recall", "95"], "expected a share between 0 and 1; give 0.95 for 95%"),
        (["--anomalies", "x", "--min-recall", "0.9", *COSTS],
         "give one of them"),
    ],
)  # fmt: skip
def test_refused_before_a_model_is_loaded(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], what: str
) -> None:
    rate = [] if "--fpr" in options else ["--fpr", "0.1"]
    call = ["calibrate", str(folder / "normal"), "--model", "no-such-model", "--output", str(tmp_path / "p.json")]
    assert _main(*call, *rate, *options) == 2
    assert what in _joined(capsys)
    assert list(tmp_path.iterdir()) == []


def test_findings_need_a_threshold(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["detect", str(folder / "normal"), "--output", str(tmp_path / "out"), "--findings", "geojson"]
    assert _main(*call) == 2
    assert "--findings needs to know where regions begin" in _joined(capsys)
    assert not (tmp_path / "out").exists()


def test_thresholds_of_two_masters(
    folder: Path, calibrated: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["detect", str(folder / "normal"), "--profile", str(calibrated[0])]
    assert _main(*call, "--threshold", "0.5") == 2
    assert "--profile brings the thresholds that --threshold would set" in _joined(capsys)


def _main(*args: str) -> Any:
    from anomalyclip.cli import main

    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return ended.value.code or 0


def _joined(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())
