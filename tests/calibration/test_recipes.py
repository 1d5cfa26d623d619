"""Named recipes, same-place search and turned copies through `calibrate`: recorded, found again, refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal
from PIL import Image

import anomalyclip
from anomalyclip.calibration import read_profile
from anomalyclip.calibration.memory_file import open_memory
from anomalyclip.cli import app
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.memory.recipes import NAMES
from anomalyclip.settings.deciding import MEMORIES

RUN = CliRunner()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of a ramp with noise, and one whose ramp is turned: the same patches in other places."""
    folder = tmp_path_factory.mktemp("recipes")
    rng = np.random.default_rng(0)
    ramp = np.linspace(20, 235, 70)[:, None, None] * np.ones((1, 70, 3))
    for number in range(6):
        pixels = (ramp if number < 5 else ramp[::-1]) + rng.normal(0, 4, (70, 70, 3))
        place = folder / ("good" if number < 5 else "turned") / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place)
    return folder


@pytest.fixture(scope="module")
def small(golden_folder: Path) -> list[str]:
    """Options that choose the small CLIP."""
    chosen = ["--model", str(golden_folder / "clip_small_openai.safetensors"), "--image-size", "70"]
    prompts = ["--prompts", str(golden_folder / "epoch_1.pth"), "--layers", "2,4,6"]
    return [*chosen, *prompts, "--device", "cpu", "--offline"]


def _calibrated(pictures: Path, small: list[str], output: Path, *more: str) -> Path:
    call = ["calibrate", str(pictures / "good"), *small, "--fpr", "0.05", "--no-self-test", "--output", str(output)]
    result = RUN.invoke(app, [*call, *more])
    assert result.exit_code == 0, result.output
    return output


def _score(picture: Path, small: list[str], profile: Path) -> float:
    call = ["detect", str(picture), *small, "--profile", str(profile), "--format", "jsonl", "-q"]
    result = RUN.invoke(app, call)
    assert result.exit_code == 0, result.output
    return float(json.loads(result.stdout)["score"])


def test_settings_name_the_recipes_that_there_are() -> None:
    assert MEMORIES == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_recorded_and_judges_alike_from_its_file(
    name: str, pictures: Path, small: list[str], tmp_path: Path
) -> None:
    output = _calibrated(pictures, small, tmp_path / "line.json", "--memory", name)
    profile = read_profile(output)
    part = profile.memory
    assert part is not None
    assert (part.recipe, part.aligned, part.augmented) == (name, None, False)
    line = open_memory(part, tmp_path).line
    assert line.bank.source == line.source == part.source
    held = sorted(profile.image.scores)
    assert held[-1] == pytest.approx(0.5, abs=1e-6)  # five support 1 / 6: the line lies on the highest
    scores = [_score(pictures / "good" / f"{number}.png", small, output) for number in range(5)]
    if name != "patchcore":  # whose memory holds a tenth of a picture's patches
        assert max(scores) < 0.5  # a picture in the memory is nearer to it than one that was left out


def test_an_aligned_memory_sees_what_lies_elsewhere(pictures: Path, small: list[str], tmp_path: Path) -> None:
    """The ramp upside down has every good patch somewhere, none in its place."""
    anywhere = _calibrated(pictures, small, tmp_path / "anywhere.json", "--memory", "anomalydino")
    aligned = _calibrated(pictures, small, tmp_path / "aligned.json", "--memory", "anomalydino", "--aligned", "0")
    assert read_profile(aligned).memory.aligned == 0
    turned = pictures / "turned" / "5.png"
    assert _score(turned, small, aligned) > _score(turned, small, anywhere)
    assert _score(turned, small, aligned) > 0.9


def test_an_augmented_memory_knows_the_picture_turned(pictures: Path, small: list[str], tmp_path: Path) -> None:
    plain = _calibrated(pictures, small, tmp_path / "plain.json", "--memory", "anomalydino")
    more = _calibrated(pictures, small, tmp_path / "more.json", "--memory", "anomalydino", "--augment")
    part = read_profile(more).memory
    assert part.augmented
    line = open_memory(part, tmp_path).line
    # eight poses of five pictures of 25 patches, thinned to what a memory holds
    assert_array_equal(np.bincount(line.bank.pictures), [60] * 5)
    assert (line.bank.places >= 25).any()
    turned = pictures / "turned" / "5.png"
    raw = {path: read_profile(path).memory for path in (plain, more)}
    distance = {
        path: float(open_memory(one, tmp_path).line.score_scale.inverse(_score(turned, small, path)))
        for path, one in raw.items()
    }
    assert distance[more] != distance[plain]


def test_what_cannot_be_combined_is_refused(pictures: Path, small: list[str], tmp_path: Path) -> None:
    def refused(*options: str) -> str:
        output = str(tmp_path / "line.json")
        call = ["calibrate", str(pictures / "good"), "--fpr", "0.2", "--no-self-test", "--output", output]
        result = RUN.invoke(app, [*call, *options])
        assert isinstance(result.exception, ConfigError), result.output
        return str(result.exception)

    assert "windows" in refused("--memory", "winclip+")  # the embedded graph holds whole pictures
    assert "give only one" in refused(*small, "--aligned", "1", "--augment")
    assert "leave tiles" in refused(*small, "--aligned", "1", "--tile", "32")
    assert "leave --aligned out" in refused(*small, "--aligned", "1", "--memory", "winclip+")


def test_a_record_that_does_not_fit_its_memory_is_refused(pictures: Path, small: list[str], tmp_path: Path) -> None:
    output = _calibrated(pictures, small, tmp_path / "line.json", "--memory", "april-gan")
    content = json.loads(output.read_text())
    part = content["profiles"][0]["memory"]
    assert len(part["widths"]) == 4
    part["widths"] = part["widths"][:3]
    output.write_text(json.dumps(content))
    with pytest.raises(InputError, match="does not hold"):
        open_memory(read_profile(output).memory, tmp_path)
    part["recipe"] = "spade"
    output.write_text(json.dumps(content))
    with pytest.raises(InputError):
        read_profile(output)


def test_pythons_model_takes_them_too(pictures: Path, golden_folder: Path) -> None:
    model = anomalyclip.load(
        str(golden_folder / "clip_small_openai.safetensors"),
        prompts=str(golden_folder / "epoch_1.pth"),
        image_size=70,
        layers=(2, 4, 6),
        device="cpu",
    )
    profile = model.calibrate(pictures / "good", fpr=0.2, memory="patchcore")
    assert profile.memory.recipe == "patchcore"
    assert model.detect(pictures / "turned" / "5.png", profile=profile).p_value <= 1
    with pytest.raises(ConfigError, match="expected one of"):
        model.calibrate(pictures / "good", fpr=0.2, memory="spade")
