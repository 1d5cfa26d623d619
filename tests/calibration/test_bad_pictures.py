"""Good pictures that are few, alike, strange, many or unreadable, and profiles of other models: one line each."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import anomalyclip
from anomalyclip.calibration import growing, read_profile, remembering
from anomalyclip.calibration.gathering import Gatherer
from anomalyclip.cli import app
from anomalyclip.errors import AnomalyClipError, ConfigError
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.memory.source import source_for

RUN = CliRunner()


def picture(seed: int, size: tuple[int, int] = (96, 96), *, blot: bool = False) -> Image.Image:
    """Stripes with noise; a blot is a red square."""
    rng = np.random.default_rng(seed)
    width, height = size
    pixels = 120 + 40 * np.sin(np.arange(width) / 4 + seed)[None, :, None] + rng.normal(0, 6, (height, width, 3))
    if blot:
        pixels[30:60, 30:60] = (200, 30, 30)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def good(folder: Path, count: int, **kind: object) -> Path:
    folder.mkdir()
    for seed in range(count):
        picture(seed, **kind).save(folder / f"{seed:02}.png")  # type: ignore[arg-type]
    return folder


def calibrate(*call: object) -> Result:
    return RUN.invoke(app, ["calibrate", *map(str, call), "--no-self-test"])


def said(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_to_three_pictures_make_no_memory(count: int, tmp_path: Path) -> None:
    folder = good(tmp_path / "good", count)
    result = calibrate(folder, "--fpr", "0.5", "--output", tmp_path / "line.json")
    assert result.exit_code == 0, result.output
    plural = "s" * (count != 1)
    assert f"no memory: {count} good picture{plural} could be compared, it takes 4" in said(result)
    assert read_profile(tmp_path / "line.json").memory is None
    result = calibrate(folder, "--fpr", "0.05", "--output", tmp_path / "other.json")
    assert isinstance(result.exception, ConfigError)
    assert "at least 19 normal images" in str(result.exception)
    assert not (tmp_path / "other.json").exists()


def test_identical_pictures_count_once(tmp_path: Path) -> None:
    folder = good(tmp_path / "good", 1)
    for copy in range(5):
        shutil.copy(folder / "00.png", folder / f"copy {copy}.png")
    result = calibrate(folder, "--fpr", "0.5", "--output", tmp_path / "line.json")
    assert result.exit_code == 3, result.output
    assert "the same picture as" in said(result)
    assert read_profile(tmp_path / "line.json").count == 1


def test_pictures_that_differ_in_a_pixel_make_a_line_that_still_finds(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    for number in range(6):
        pixels = np.array(picture(0))
        pixels[0, number] = (0, 0, 0)
        Image.fromarray(pixels).save(tmp_path / "good" / f"{number}.png")
    profile = anomalyclip.load("pocket").calibrate(tmp_path / "good", fpr=0.2)
    assert np.isfinite(profile.image.scores).all()
    found = anomalyclip.load("pocket").detect(picture(0, blot=True), profile=profile)
    assert found.decision == "anomalous"


def test_one_defective_among_ten_is_named_first(tmp_path: Path) -> None:
    folder = good(tmp_path / "good", 10)
    picture(3, blot=True).save(folder / "03.png")
    result = calibrate(folder, "--fpr", "0.1", "--output", tmp_path / "line.json")
    assert result.exit_code == 0, result.output
    _, _, told = said(result).partition("are they really good?): ")
    assert told.startswith("03.png: "), told
    without = float(told.split("the threshold would be ")[1].split()[0].rstrip(";"))
    assert without < read_profile(tmp_path / "line.json").image_threshold


def test_other_sizes_and_cameras_in_one_folder(tmp_path: Path) -> None:
    folder = good(tmp_path / "good", 4)
    picture(5, (300, 96)).save(folder / "wide.jpg")
    picture(6, (96, 500)).convert("L").save(folder / "grey.png")
    picture(7, (7, 5)).save(folder / "tiny.png")
    (folder / "broken.png").write_bytes(b"\x89PNG but not really")
    result = calibrate(folder, "--fpr", "0.2", "--output", tmp_path / "line.json")
    assert result.exit_code == 3, result.output
    profile = read_profile(tmp_path / "line.json")
    assert profile.count == 7
    line = profile.opened().line
    assert line.sizes.tolist()[line.names.index("wide.jpg")] == [300, 96]
    left, top, width, height = line.boxes[line.bank.pictures == line.names.index("grey.png")].T
    assert (left + width).max() <= 96
    assert 480 < (top + height).max() <= 500


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"weights_sha256": "0" * 64}, "weights_sha256"), ({"prompts_sha256": "0" * 64}, "prompts_sha256"),
     ({"precision": "int8"}, "precision"), ({"method": "winclip"}, "method")],
)  # fmt: skip
def test_a_memory_of_another_model_prompts_or_rounding_is_refused(
    changed: dict[str, str], words: str, tmp_path: Path
) -> None:
    folder = good(tmp_path / "good", 5)
    assert calibrate(folder, "--fpr", "0.2", "--output", tmp_path / "line.json").exit_code == 0
    content = json.loads((tmp_path / "line.json").read_text())
    content["profiles"][0]["provenance"] |= changed
    (tmp_path / "line.json").write_text(json.dumps(content))
    result = RUN.invoke(app, ["detect", str(folder), "--profile", str(tmp_path / "line.json")])
    assert isinstance(result.exception, ConfigError)
    assert words in str(result.exception)
    assert "\n" not in str(result.exception)


def test_a_profile_of_the_prompts_before_heads_is_refused_and_made_anew(tmp_path: Path) -> None:
    """The third version of pocket judged by its prompts alone: they stay available, and `--again` moves on."""
    folder, line = good(tmp_path / "good", 5), tmp_path / "line.json"
    assert calibrate(folder, "--fpr", "0.2", "--no-memory", "--prompts", "pocket", "--output", line).exit_code == 0

    def detect(out: str, *options: str) -> Result:
        call = ["detect", str(folder / "00.png"), "--profile", str(line), "--output", str(tmp_path / out), *options]
        return RUN.invoke(app, call)

    refused = detect("refused")
    assert isinstance(refused.exception, ConfigError)
    words = str(refused.exception)
    assert "\n" not in words
    assert "method anomalyclip then, heads now" in words
    assert "--model pocket --prompts pocket" in words
    assert detect("before", "--prompts", "pocket").exit_code == 0
    assert calibrate("--again", line).exit_code == 0
    assert [path.name for path in tmp_path.glob("*.png")] == ["line.png"]  # the earlier picture shows another threshold
    profile = read_profile(line)
    assert profile.count == 5
    assert (profile.provenance["method"], profile.provenance["prompts"]) == ("heads", "pocket-heads")
    assert detect("now").exit_code == 0


def test_numbers_that_are_none_spoil_one_picture_only(tmp_path: Path) -> None:
    folder = good(tmp_path / "good", 6)
    model = anomalyclip.load("pocket")
    source = source_for(model.encoder.facts)
    calls = []

    def look(pixels: np.ndarray) -> list[Seen]:
        calls.append(len(pixels))
        seen = Gatherer(model, source, Geometry(), Areas(), read).see(pixels)
        if len(calls) == 2:
            seen[0].described[0, 0] = np.nan
        return seen

    def read(item: object) -> Image.Image:
        return Image.open(item.path).convert("RGB")  # type: ignore[attr-defined]

    from anomalyclip.detect.inputs import iter_inputs

    gathered = Gatherer(model, source, Geometry(), Areas(), read, look=look).gather(iter_inputs([str(folder)]))
    assert len(gathered.pictures) == 5
    ((path, why),) = gathered.skipped
    assert (Path(path).name, why) == ("01.png", "the model gave values that are no number")
    line = growing.Growing(source, 4.0)
    line.add(gathered.pictures)
    found = line.remembered(0.2, 0.2)
    assert found is not None
    assert np.isfinite(found.measured.scores).all()


def test_many_pictures_are_remembered_up_to_a_bound_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens at 100 of 5,000, at 6 of 14: memory and file hold six, all fourteen draw the line."""
    monkeypatch.setattr(remembering, "MOST", 6)
    folder = good(tmp_path / "good", 14)
    result = calibrate(folder, "--fpr", "0.1", "--output", tmp_path / "line.json")
    assert result.exit_code == 0, result.output
    assert "6 of 14 pictures are remembered, drawn at random with a fixed seed; all set the line" in said(result)
    profile = read_profile(tmp_path / "line.json")
    assert profile.memory is not None
    assert (len(profile.memory.pictures), profile.count) == (6, 14)
    opened = profile.opened()
    assert (opened.line.bank.count, len(opened.thumbnails)) == (6, 6)
    assert sum(score >= profile.image_threshold for score in profile.image.scores) == 1, "1.5 of 15 on average"
    recipe = profile.recipe
    assert recipe is not None
    assert len(recipe.sources) == 14


def test_every_refusal_is_one_line(tmp_path: Path) -> None:
    for call in (["nowhere/"], [str(tmp_path)], ["--again", str(tmp_path / "none.json")], []):
        result = RUN.invoke(app, ["calibrate", *call, "--output", str(tmp_path / "line.json")])
        assert isinstance(result.exception, AnomalyClipError), result.output
        assert "\n" not in str(result.exception)
