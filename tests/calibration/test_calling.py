"""`model.calibrate` and what predictions say by its profile, beside the command and brute force."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import anomalyclip
from anomalyclip.calibration import read_profile
from anomalyclip.cli import app
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, InputError, KeywordError

SIDE = 96


def picture(seed: int, *, blot: bool = False) -> np.ndarray:
    """Stripes with noise; a blot is a red square."""
    rng = np.random.default_rng(seed)
    pixels = 120 + 40 * np.sin(np.arange(SIDE) / 4 + seed)[None, :, None] + rng.normal(0, 6, (SIDE, SIDE, 3))
    if blot:
        pixels[30:60, 30:60] = (200, 30, 30)
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> Detector:
    return anomalyclip.load("pocket")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("good")
    for seed in range(5):
        Image.fromarray(picture(seed)).save(place / f"{seed}.png")
    return place


def test_it_makes_what_the_command_makes(model: Detector, folder: Path, tmp_path: Path) -> None:
    call = ["calibrate", str(folder), "--fpr", "0.2", "--no-self-test", "--output", str(tmp_path / "a.json")]
    assert CliRunner().invoke(app, call).exit_code == 0
    by_command = read_profile(tmp_path / "a.json")
    by_call = model.calibrate(folder, fpr=0.2)
    by_call.save(tmp_path / "b.json")
    assert (tmp_path / "b.default.memory.safetensors").read_bytes() == (
        tmp_path / "a.default.memory.safetensors"
    ).read_bytes()
    again = read_profile(tmp_path / "b.json")
    for one in (by_call, again):
        assert (one.image, one.pixel) == (by_command.image, by_command.pixel)
        assert one.provenance == by_command.provenance
    assert again.memory is not None
    assert again.memory.file == "b.default.memory.safetensors"
    bad = picture(9, blot=True)
    paths = (tmp_path / "b.json", str(tmp_path / "a.json"), f"{tmp_path / 'b.json'}:default")
    found = [model.detect(bad, profile=one) for one in (by_call, again, by_command, *paths)]
    assert len({(one.score, one.p_value, one.decision) for one in found}) == 1
    with pytest.raises(InputError, match=r"no profile at .*c.json; check the path"):
        model.detect(bad, profile=tmp_path / "c.json")


def test_arrays_images_and_paths_alike(model: Detector, folder: Path) -> None:
    by_path = model.calibrate([folder / f"{seed}.png" for seed in range(5)], fpr=0.2)
    mixed = [picture(0), Image.fromarray(picture(1)), (folder / "2.png").read_bytes(), folder / "3.png", picture(4)]
    assert sorted(model.calibrate(mixed, fpr=0.2).image.scores) == pytest.approx(sorted(by_path.image.scores))


def test_each_region_names_its_nearest_good_patch(model: Detector, folder: Path) -> None:
    """The distance is that of the patch at the region's peak to all patches of all pictures, searched one by one."""
    profile = model.calibrate(folder, fpr=0.2)
    bad = Image.fromarray(picture(9, blot=True))
    found = model.detect(bad, profile=profile)
    assert found.regions, "the blot is found"
    assert found.regions[0]["peak"] >= profile.pixel_threshold
    line = profile.opened().line
    features = model.features(model.preprocess(bad)[None], line.source.request)
    described = line.source.describe(features)[0]
    rows, columns = features.grid
    for region, nearest in zip(found.regions, found.nearest, strict=True):
        assert nearest is not None
        x, y = region["peak_xy"]
        patch = (y * rows // SIDE) * columns + x * columns // SIDE
        distances = 1 - line.bank.rows.astype(np.float64) @ described[patch]
        row = int(distances.argmin())
        assert nearest["distance"] == pytest.approx(distances[row], abs=1e-5)
        assert nearest["picture"] == f"{line.bank.pictures[row]}.png"
        assert nearest["number"] == line.bank.pictures[row]
        place = divmod(int(line.bank.places[row]), columns)
        left, top, width, height = nearest["box"]
        centre = ((place[1] + 0.5) * SIDE / columns, (place[0] + 0.5) * SIDE / rows)
        assert left <= centre[0] <= left + width
        assert top <= centre[1] <= top + height
        left, top, width, height = nearest["patch"]
        assert left <= x < left + width
        assert top <= y < top + height


def test_regions_in_tiles_and_areas_are_of_the_whole_picture(model: Detector, folder: Path) -> None:
    profile = model.calibrate(folder, fpr=0.2, tile=64)
    found = model.detect(picture(9, blot=True), profile=profile, tile=64)
    for region, nearest in zip(found.regions, found.nearest, strict=True):
        assert nearest is not None
        assert 0 <= nearest["box"][0] < SIDE
        x, y = region["peak_xy"]
        left, top, width, height = nearest["patch"]
        assert left <= x < left + width
        assert top <= y < top + height
    with pytest.raises(ConfigError, match="tile"):
        model.detect(picture(9), profile=profile)


def test_a_prediction_as_json_and_as_html(model: Detector, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "<img src=x onerror=alert(1)>.png"
    Image.fromarray(picture(9, blot=True)).save(place)
    found = model.detect(place, profile=model.calibrate(folder, fpr=0.2))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["decision"] == "anomalous"
    assert told["p_value"] == found.p_value
    assert [region["nearest"]["picture"] for region in told["regions"]] == [one["picture"] for one in found.nearest]
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Reader().feed(found._repr_html_())
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) == 1
    assert str(images[0]["src"]).startswith("data:image/png;base64,")
    assert not any("onerror" in attributes for _, attributes in tags)


def test_a_threshold_gives_regions_without_neighbours(model: Detector) -> None:
    found = model.detect(picture(9, blot=True), threshold=0.0)
    assert len(found.regions) == 1, "everything reaches 0"
    assert found.regions[0]["area"] == SIDE * SIDE
    assert found.nearest == (None,)
    assert model.detect(picture(9)).regions == ()


def test_what_cannot_be_is_refused(model: Detector, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="out of range"):
        model.calibrate(folder, fpr=2)
    with pytest.raises(ConfigError, match="cannot support"):
        model.calibrate(folder, memory=False)
    with pytest.raises(ConfigError, match="cannot support"):
        model.calibrate([picture(0), picture(1), picture(2)], fpr=0.05)
    with pytest.raises(ConfigError, match="go together"):
        model.calibrate(folder, fpr=0.2, anomalies=[picture(9, blot=True)])
    with pytest.raises(KeywordError, match="tile"):
        model.calibrate(folder, tiles=64)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="no pictures"):
        model.calibrate([])
    for rate in (0.6, 0.01):  # more pictures are not what is wanting
        with pytest.raises(InputError, match=r"no pictures .*none\.png: no such file or folder\); check the paths"):
            model.calibrate([tmp_path / "none.png"], fpr=rate, memory=False)
    for wrong in ({"memory": 3}, {"split": "x"}, {"aligned": "x"}, {"batch_size": 0}, {"augment": 1}):
        with pytest.raises(ConfigError, match=f"{next(iter(wrong))} .*expected "):
            model.calibrate(folder, fpr=0.2, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there are no pictures to calibrate with"):
        model.calibrate(None)
    with pytest.raises(InputError, match="features got NoneType: it takes preprocessed images"):
        model.features(None)  # type: ignore[arg-type]
    for text in (None, "0.05"):
        with pytest.raises(ConfigError, match=f"a false-positive rate of {text!r} is no number"):
            model.calibrate(folder, fpr=text)  # type: ignore[arg-type]
    profile = model.calibrate(folder, fpr=0.01)
    assert profile.image.rate == pytest.approx(1 / 6, abs=1e-5)
    assert any("support no false-positive rate below" in line for line in profile.told)
    assert not any("--" in line for line in profile.told), "Python has no flags"


def test_labelled_anomalies_choose_the_operating_point(model: Detector, folder: Path) -> None:
    bad = [picture(seed, blot=True) for seed in (20, 21, 22)]
    profile = model.calibrate(folder, fpr=0.2, anomalies=bad, min_recall=0.6)
    assert profile.operating is not None
    assert profile.operating.anomalies == 3
    assert profile.operating.recall[0] == 1.0


def test_what_is_no_profile_is_named(model: Detector) -> None:
    with pytest.raises(ConfigError, match="profile is of the type int, expected a profile or the path of its file"):
        model.detect(picture(9), profile=7)


def test_a_profile_of_other_settings_is_refused_in_the_words_of_python(model: Detector) -> None:
    good = [picture(seed) for seed in range(5)]
    line = model.calibrate(good, fpr=0.2, roi=(0, 0, 40, 40))
    with pytest.raises(
        ConfigError, match=r"made with \(detect\(\.\.\., roi=\(0, 0, 40, 40\)\)\), or .* model\.calibrate"
    ):
        model.detect(good[0], profile=line)
    with pytest.raises(ConfigError, match=r"\(detect_batch\(\.\.\., roi=\(0, 0, 40, 40\)\)\)"):
        model.detect_batch(good, profile=line)
    with pytest.raises(ConfigError, match=r"\(detect\(\.\.\., roi=\(0, 0, 40, 40\)\) without tile and overlap\)"):
        model.detect(good[0], profile=line, tile=32, overlap=0.25)
    other = anomalyclip.load("pocket", sigma=2.0)
    with pytest.raises(ConfigError, match=r"\(anomalyclip\.load\('pocket', sigma=4\.0\)\)"):
        other.detect(good[0], profile=line, roi=(0, 0, 40, 40))


def test_too_few_pictures_are_told_with_those_that_were_left_out(model: Detector, folder: Path, tmp_path: Path) -> None:
    for copy in range(5):
        (tmp_path / f"{copy}.png").write_bytes((folder / "0.png").read_bytes())
    with pytest.raises(ConfigError, match=r"1 normal image cannot .*\. 4 files left out, such as .*1\.png: .*0\.png"):
        model.calibrate(tmp_path, fpr=0.3)
