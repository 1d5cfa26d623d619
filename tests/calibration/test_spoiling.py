"""What spoils a line is named: pictures, groups, names; and the plot that shows it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.calibration import read_profile, read_profiles
from anomalyclip.calibration.conformal import allowed_or_smallest, interpolated_threshold
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.spoiling import Spoiler, spoiler_lines, spoilers, strange_groups, suspicious_names
from anomalyclip.cli import app
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.held_out import HeldOut
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import Seen

RUN = CliRunner()


def held(offsets: list[float]) -> list[HeldOut]:
    """Pictures whose patches lie around one direction, turned by an offset in radians."""
    rng = np.random.default_rng(0)
    seen = []
    for offset in offsets:
        angle = offset + rng.normal(0, 0.02, 16)
        rows = np.stack([np.cos(angle), np.sin(angle), rng.normal(0, 0.02, 16)], axis=1)
        seen.append(
            Seen(unit(rows.astype(np.float32)), (4, 4), np.ones(16, np.float32), 0.5, np.ones((8, 8), np.float32), 0.5)
        )
    bank = make_bank([one.described for one in seen])
    return [HeldOut([one], bank, number) for number, one in enumerate(seen)]


def test_alike_strangers_are_found_and_one_kind_is_left_alone() -> None:
    """Two turned alike are each other's neighbours: neither is far from the memory that holds the other."""
    assert strange_groups(held([0.0] * 20)) == []
    assert strange_groups(held([*[0.0] * 9, 0.9, *[0.0] * 9, 0.9])) == [[9, 19]]
    assert strange_groups(held([*[0.0] * 10, *[0.9] * 10])) == [], "two kinds of good pictures are no fault"
    assert strange_groups(held([0.0, 0.0, 0.9, 0.9])) == [], "too few to tell"


def test_the_threshold_without_each_is_that_of_the_others() -> None:
    scores = [0.1, 0.5, 0.2, 0.9, 0.3, 0.4, 0.8, 0.15, 0.25, 0.35]
    found = spoilers(Measured(scores=scores, paths=[f"{score}.png" for score in scores]), 0.1)
    assert [one.score for one in found] == [0.9, 0.8, 0.5]
    for one in found:
        rest = sorted(set(scores) - {one.score})
        assert one.without == interpolated_threshold(rest, allowed_or_smallest(9, 0.1))
    assert spoilers(Measured(scores=scores[:3], paths=["a", "b", "c"]), 0.3) == []


@pytest.mark.parametrize("name", ["Gutteil 1.png", "it's (2).png", "$HOME.png", "plain.png"])
def test_the_option_that_leaves_one_out_can_be_copied(name: str) -> None:
    (_, line) = spoiler_lines([Spoiler(place=0, path=f"/line 3/{name}", score=0.9, without=0.5)])
    option = re.search(r"\((--drop .*)\) the threshold", line)
    assert option is not None
    assert shlex.split(option[1]) == ["--drop", name]


@pytest.mark.parametrize(
    ("path", "bad"),
    [("parts/defects/1.png", True), ("good/crack_003.png", True), ("line/NG-12.png", True), ("bad", True),
     ("good/sandbad.png", False), ("defects/good/1.png", False), ("a/b/scratches-none.png", False)],
)  # fmt: skip
def test_names_that_speak_of_defects(path: str, bad: bool) -> None:
    assert bool(suspicious_names([path])) is bad


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("line")
    (place / "good").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        stripes = 120 + 40 * np.sin(np.arange(96) / 4 + number)[None, :, None] + rng.normal(0, 6, (96, 96, 3))
        Image.fromarray(stripes.clip(0, 255).astype(np.uint8)).save(place / "good" / f"{number}.png")
    return place


def calibrate(*call: object) -> str:
    result = RUN.invoke(app, ["calibrate", *map(str, call)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_the_plot_shows_those_that_set_the_line_and_the_chart(folder: Path) -> None:
    """It lies among the good pictures here, and is not taken for one of them by the next run."""
    call = [folder / "good", "--fpr", 0.2, "--output", folder / "good" / "line.json"]
    calibrate(*call)
    with Image.open(folder / "good" / "line.png") as picture:
        assert picture.width == 1000
        assert picture.height > 2 * 460 + 300 + 300
        rows = np.asarray(picture.convert("RGB"), int)[920 + 80 : 920 + 320]
    colourful = np.ptp(rows, axis=2).max(axis=1)
    assert np.ptp(rows[:, 70:310].reshape(-1, 3), axis=0).min() > 30, "a picture is shown, not paper"
    assert colourful.max() < 60, "the pictures are grey"
    said = calibrate(*call, "--overwrite", "--no-self-test")
    assert "it is left out" in said
    assert read_profile(folder / "good" / "line.json").count == 6
    for name in ("line.json", "line.png", "line.default.memory.safetensors"):
        (folder / "good" / name).unlink()


def test_the_photos_to_judge_among_the_good_ones_are_told(folder: Path, tmp_path: Path) -> None:
    calibrate(folder / "good", "--fpr", 0.2, "--no-self-test", "--output", tmp_path / "line.json")
    other = tmp_path / "other.png"
    Image.open(folder / "good" / "0.png").transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(other)
    call = ["detect", str(folder / "good" / "1.png"), str(other), "--profile", str(tmp_path / "line.json")]
    result = RUN.invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "1 image drew the profile's line" in " ".join(result.output.split())
    result = RUN.invoke(app, ["detect", str(other), "--profile", str(tmp_path / "line.json")])
    assert "drew the profile's line" not in " ".join(result.output.split())


def test_a_profile_is_made_anew_from_its_pictures(folder: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "good"
    shutil.copytree(folder / "good", pictures)
    line = tmp_path / "plant.json"
    common = ["--no-self-test", "--output", line]
    calibrate(pictures, "--fpr", 0.2, "--name", "a", *common)
    calibrate(pictures, "--fpr", 0.3, "--name", "b", "--add", *common)
    before = read_profiles(line)
    memory = (tmp_path / "plant.a.memory.safetensors").read_bytes()
    calibrate("--again", f"{line}:a", "--no-self-test")
    after = read_profiles(line)
    assert (tmp_path / "plant.a.memory.safetensors").read_bytes() == memory
    assert after["a"].image == before["a"].image
    assert after["a"].recipe == before["a"].recipe
    assert after["b"] == before["b"]
    (pictures / "0.png").unlink()
    with (pictures / "1.png").open("ab") as file:
        file.write(b"more")
    said = " ".join(calibrate("--again", f"{line}:a", "--no-self-test").split())
    assert "1 pictures are gone from where they lay: 0.png" in said
    assert "1 pictures are no longer the same files, and left out: 1.png" in said
    assert read_profiles(line)["a"].count == 4
    shutil.rmtree(pictures)
    result = RUN.invoke(app, ["calibrate", "--again", f"{line}:a"])
    assert isinstance(result.exception, ConfigError)
    assert "none of the 4 pictures is left" in str(result.exception)


def test_again_needs_a_profile_that_knows_its_pictures_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    line = tmp_path / "line.json"
    calibrate(folder / "good", "--fpr", 0.2, "--tile", 64, "--no-self-test", "--output", line)
    for more, words in (([str(folder / "good")], "takes the pictures of the profile"), ([], "made with tile 64")):
        result = RUN.invoke(app, ["calibrate", *more, "--again", str(line)])
        assert isinstance(result.exception, ConfigError)
        assert words in str(result.exception)
    content = json.loads(line.read_text())
    del content["profiles"][0]["recipe"]
    line.write_text(json.dumps(content))
    result = RUN.invoke(app, ["calibrate", "--again", str(line), "--tile", "64"])
    assert "does not know its pictures" in str(result.exception)
    result = RUN.invoke(app, ["calibrate"])
    assert isinstance(result.exception, ConfigError)
