"""Corrections while another run changes the same file of profiles, or corrects the same profile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from anomalyclip.calibration import Profile, corrections_journal, read_profile, read_profiles, write_profiles
from anomalyclip.calibration.changing import put_profile
from anomalyclip.calibration.corrections_journal import CorrectionsJournal
from anomalyclip.cli import app

SIDE = ["--image-size", "64", "--threads", "1", "--quiet"]


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """plant.json with the profiles a and b, and results of detect by a, two of them false alarms."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(4)
    for name, blots in {"good": [0] * 8, "photos": [0, 16, 20]}.items():
        (folder / name).mkdir()
        for i, blot in enumerate(blots):
            pixels = np.full((64, 80, 3), 150, np.uint8) + rng.integers(0, 14, (64, 80, 3), dtype=np.uint8)
            pixels[20 : 20 + blot, 30 : 30 + blot] = (210, 40, 30)
            Image.fromarray(pixels).save(folder / name / f"p{i}.png")
    plant = folder / "plant.json"
    for name in "ab":
        told = ["--fpr", "0.2", "--add", "--name", name, "--no-memory", "--no-self-test", "--no-plot", *SIDE]
        assert call("calibrate", folder / "good", "--output", plant, *told).exit_code == 0
    options = ["--profile", f"{plant}:a", "--no-overlay", "--maps", "none", "--no-report", *SIDE]
    assert call("detect", folder / "photos", "--output", folder / "results", *options).exit_code == 0
    return folder


@pytest.fixture
def plant(shop: Path, tmp_path: Path) -> Path:
    write_profiles(tmp_path / "plant.json", read_profiles(shop / "plant.json").values())
    return tmp_path / "plant.json"


def words(shop: Path, plant: Path, profile: str, picture: str) -> list[str]:
    return ["correct", str(shop / "results"), "--profile", f"{plant}:{profile}", "--faulty", picture]


def test_corrections_of_two_profiles_of_one_file_are_both_kept(shop: Path, plant: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-m", "anomalyclip", *words(shop, plant, *said), "--quiet"])
        for said in (("a", "p1.png"), ("b", "p2.png"), ("a", "p2.png"))
    ]
    assert [run.wait(240) for run in runs] == [0, 0, 0]
    held = {name: one.corrections.numbers for name, one in read_profiles(plant).items() if one.corrections}
    assert held == {"a": (1, 2), "b": (1,)}
    said = (plant.with_name("plant.a.corrections") / "journal.jsonl").read_text().splitlines()
    assert {picture["path"][-6:] for one in map(json.loads, said) for picture in one["pictures"]} == {
        "p1.png",
        "p2.png",
    }
    assert {path.name for path in plant.parent.iterdir()} == {
        "plant.json",
        "plant.a.corrections",
        "plant.b.corrections",
    }
    assert not list(plant.parent.glob("**/lock")), "no lock is left"


@pytest.mark.parametrize("undone", [False, True])
def test_a_profile_that_was_made_anew_meanwhile_stays(
    undone: bool, shop: Path, plant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if undone:
        assert call(*words(shop, plant, "a", "p1.png")).exit_code == 0
    before = read_profiles(plant)["a"]
    anew = before.model_copy(update={"made": "2026-11-30T05:00:00+00:00"})
    method = "before" if undone else "keep"
    kept = getattr(CorrectionsJournal, method)

    def then(self: CorrectionsJournal, *given: Profile) -> object:
        assert put_profile(plant, anew, instead_of=before)
        return kept(self, *given)

    monkeypatch.setattr(CorrectionsJournal, method, then)
    more = ["--undo"] if undone else ["--faulty", "p2.png"]
    told = call("correct", shop / "results", "--profile", f"{plant}:a", *more)
    assert told.exit_code != 0
    assert "another run changed the profile 'a'" in f"{told.exception}{told.output}"
    assert read_profile(f"{plant}:a") == anew.lying_in(plant.parent)
    assert set(read_profiles(plant)) == {"a", "b"}


def test_who_corrects_second_is_told(shop: Path, plant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys, time, pathlib; from anomalyclip.calibration.corrections_journal import CorrectionsJournal\n"
        "with CorrectionsJournal(pathlib.Path(sys.argv[1]), 'a').held(print):\n"
        "    print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(plant)], stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "held\n"
            with monkeypatch.context() as patch:
                patch.setattr(corrections_journal, "_PATIENCE", 1.5)
                told = call(*words(shop, plant, "a", "p1.png"))
            assert told.exit_code != 0
            assert "waiting for it" in told.output
            assert "another run has been correcting plant.a.corrections" in f"{told.exception}"
        finally:
            first.kill()
    assert call(*words(shop, plant, "a", "p1.png")).exit_code == 0, "the first was killed"
