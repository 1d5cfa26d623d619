"""Lines with a memory: held out exactly, drawn where they say, kept in a file that cannot be swapped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from anomalyclip.calibration import read_profile
from anomalyclip.calibration.conformal import conformal_threshold, interpolated_threshold
from anomalyclip.calibration.memory_file import open_memory
from anomalyclip.calibration.mixing import AUTO
from anomalyclip.cli import app
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.fusion import STATISTICS, Scale, parts_of, statistics
from anomalyclip.judges.memory.held_out import HeldOut
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import Seen

RUN = CliRunner()
FILE, MEMORY = "line.json", "line.default.memory.safetensors"


def _seen(rng: np.random.Generator) -> Seen:
    described = unit(rng.normal(size=(12, 5)).astype(np.float32))
    return Seen(
        described, (3, 4), rng.random(12, np.float32), float(rng.uniform(0.1, 0.9)), rng.random((6, 8), np.float32), 0.4
    )


def test_leaving_a_picture_out_equals_a_memory_made_without_it() -> None:
    rng = np.random.default_rng(0)
    pictures = [[_seen(rng) for _ in range(views)] for views in (1, 2, 1, 3, 1)]
    described = [np.concatenate([view.described for view in views]) for views in pictures]
    most = 5 * 9  # nine rows a picture: all of them are thinned
    bank = make_bank(described, most)
    for own, views in enumerate(pictures):
        others = [one for number, one in enumerate(described) if number != own]
        without = make_bank(others, 4 * 9)
        held = HeldOut(views, bank, own)
        for view, distances, parts in zip(views, held.distances(), held.parts(), strict=True):
            expected = without.distances(view.described)[0]
            assert_allclose(distances, expected, atol=1e-6)
            whole = np.array([view.whole])
            assert_allclose(parts[:3], statistics(expected[None], view.words[None], whole)[0], rtol=1e-4)
        two = [one for number, one in enumerate(described) if number not in {own, (own + 1) % 5}]
        again = make_bank(two, 3 * 9).distances(views[0].described)[0]
        assert_allclose(held.distances((own + 1) % 5)[0], again, atol=1e-6)


def test_more_good_pictures_never_raise_a_score() -> None:
    """What `correct` builds on: the scores of before bound those that a larger memory would give."""
    rng = np.random.default_rng(2)
    pictures = [_seen(rng) for _ in range(9)]
    strangers = [_seen(rng) for _ in range(20)]
    spread = rng.uniform(0.1, 2, len(STATISTICS))
    raw = []
    for count in (3, 6, 9):
        bank = make_bank([one.described for one in pictures[:count]])
        parts = [parts_of(bank.source, one, bank.distances(one.described)[0]) for one in strangers]
        raw.append(np.array(parts) / spread @ AUTO.weights)
    assert (np.diff(raw, axis=0) <= 1e-6).all()
    assert (np.diff(raw, axis=0) < -1e-3).any()


def test_a_memory_that_holds_the_picture_gives_it_zero() -> None:
    rng = np.random.default_rng(1)
    views = [_seen(rng) for _ in range(3)]
    bank = make_bank([view.described for view in views])
    assert_allclose(bank.distances(views[1].described)[0], 0, atol=1e-6)
    assert (HeldOut([views[1]], bank, 1).distances()[0] > 0.01).any()


def test_a_memory_of_nothing_or_of_less_than_a_row_a_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        make_bank([])
    with pytest.raises(ConfigError, match="less than one"):
        make_bank([np.eye(3, dtype=np.float32)] * 4, 3)


@given(st.floats(-5, 5), st.floats(1e-3, 10), st.lists(st.floats(-50, 500), min_size=2, max_size=20))
def test_the_scale_ascends_and_comes_back(typical: float, width: float, values: list[float]) -> None:
    scale = Scale(typical, typical + width)
    on = scale(np.sort(values)).astype(float)
    assert ((on >= 0) & (on < 1)).all()
    assert (np.diff(on) >= 0).all()
    assert_allclose(scale([typical, typical + width]), [0.1, 0.5], atol=1e-6)
    inside = np.linspace(typical - width, typical + 20 * width, 50)
    assert_allclose(scale.inverse(scale(inside)), inside, atol=1e-3 * width)


@pytest.mark.parametrize(("n", "rate"), [(10, 0.1), (25, 0.05), (25, 0.1), (100, 0.01), (100, 0.05)])
def test_the_line_is_crossed_as_often_as_was_asked(n: int, rate: float) -> None:
    """Exponential tails: exactly; others: near it; whatever the tail, never beyond the next score's own rate."""
    rng = np.random.default_rng(0)
    bound = (np.floor(rate * (n + 1) + 1e-9) + 1) / (n + 1)
    size = (4000, n + 1)
    tails = {"exponential": rng.exponential(size=size), "normal": rng.normal(size=size)}
    for tail, scores in (tails | {"heavy": rng.standard_t(3, size), "none": rng.uniform(size=size)}).items():
        lines = np.array([interpolated_threshold(row[:-1], rate) for row in scores])
        crossed = (scores[:, -1] > lines).mean()
        slack = 4 * np.sqrt(rate / 4000)
        assert crossed <= bound + slack
        if tail == "exponential":
            assert crossed == pytest.approx(rate, abs=slack)
        assert crossed == pytest.approx(rate, abs=0.3 * rate + slack)


def test_interpolation_lies_between_neighbouring_scores() -> None:
    scores = np.arange(25.0)
    assert 23 < interpolated_threshold(scores, 0.05) < 24
    assert interpolated_threshold(scores, 1 / 13) == pytest.approx(23)
    assert interpolated_threshold(scores, 0.05) < conformal_threshold(scores, 0.05)
    with pytest.raises(ConfigError, match="cannot support"):
        interpolated_threshold(scores, 0.01)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six striped pictures, one with a blot, and a line of the first five."""
    folder = tmp_path_factory.mktemp("line")
    rng = np.random.default_rng(0)
    (folder / "good").mkdir()
    for number in range(6):
        stripes = 120 + 40 * np.sin(np.arange(96) / 4 + number)[None, :, None] + rng.normal(0, 6, (96, 96, 3))
        if number == 5:
            stripes[30:60, 30:60] = (200, 30, 30)
        place = folder / "bad.png" if number == 5 else folder / "good" / f"{number}.png"
        Image.fromarray(stripes.clip(0, 255).astype(np.uint8)).save(place)
    result = RUN.invoke(
        app, ["calibrate", str(folder / "good"), "--fpr", "0.05", "--no-self-test", "--output", str(folder / FILE)]
    )
    assert result.exit_code == 0, result.output
    return folder


def test_a_line_is_made_and_used(made: Path) -> None:
    profile = read_profile(made / FILE)
    assert profile.memory is not None
    assert profile.memory.file == MEMORY
    assert profile.memory.pictures == tuple(f"{number}.png" for number in range(5))
    assert profile.image_threshold == pytest.approx(0.5)
    assert profile.image.rate == pytest.approx(1 / 6, abs=1e-5)  # five pictures support no smaller one
    assert max(profile.image.scores) == pytest.approx(0.5, abs=1e-6)
    line, thumbnails = open_memory(profile.memory, made)
    assert len(thumbnails) == 5
    assert line.mixture == AUTO
    model_score = _score(made, profile)
    assert model_score > 0.5


def _score(folder: Path, profile) -> float:
    import anomalyclip

    model = anomalyclip.load("pocket")
    judged = profile.judged(model)
    assert judged.method == "heads+memory"
    assert judged.provenance()["memory_sha256"] == profile.memory.sha256
    one = model.detect(str(folder / "bad.png"), profile=profile)
    assert one.score == judged.detect(str(folder / "bad.png")).score
    assert (one.decision, one.p_value) == ("anomalous", profile.p_value(one.score))
    with pytest.raises(ConfigError, match="not both"):
        model.detect(str(folder / "bad.png"), profile=profile, threshold=0.5)
    with pytest.raises(ConfigError, match="tile"):
        model.detect(str(folder / "bad.png"), profile=profile, tile=64)
    return one.score


def test_the_same_pictures_give_the_same_memory(made: Path, tmp_path: Path) -> None:
    result = RUN.invoke(
        app, ["calibrate", str(made / "good"), "--fpr", "0.05", "--no-self-test", "--output", str(tmp_path / FILE)]
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / MEMORY).read_bytes() == (made / MEMORY).read_bytes()


def test_a_memory_that_is_missing_swapped_or_edited_is_refused(made: Path, tmp_path: Path) -> None:
    shutil.copy(made / FILE, tmp_path)
    part = read_profile(tmp_path / FILE).memory
    with pytest.raises(InputError, match="missing"):
        open_memory(part, tmp_path)
    data = bytearray((made / MEMORY).read_bytes())
    data[-1] ^= 1
    (tmp_path / MEMORY).write_bytes(data)
    with pytest.raises(InputError, match="not the one"):
        open_memory(part, tmp_path)
    (tmp_path / MEMORY).write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="not the one"):
        open_memory(part, tmp_path)
    (tmp_path / MEMORY).unlink()
    (tmp_path / MEMORY).mkdir()
    with pytest.raises(InputError, match="folder"):
        open_memory(part, tmp_path)
    result = RUN.invoke(app, ["detect", str(made / "bad.png"), "--profile", str(tmp_path / FILE)])
    assert isinstance(result.exception, InputError)


def test_profiles_of_before_still_load(made: Path, tmp_path: Path) -> None:
    content = json.loads((made / FILE).read_text())
    del content["profiles"][0]["memory"]
    (tmp_path / FILE).write_text(json.dumps(content))
    assert read_profile(tmp_path / FILE).memory is None


def test_split_sets_the_line_by_pictures_that_are_not_remembered(made: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "good"
    shutil.copytree(made / "good", pictures)
    for name in "0123":  # mirrored: eight or nine pictures, four of them remembered
        Image.open(pictures / f"{name}.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(pictures / f"m{name}.png")
    call = ["calibrate", str(pictures), "--fpr", "0.2", "--split", "--no-self-test", "--output", str(tmp_path / FILE)]
    result = RUN.invoke(app, call)
    assert result.exit_code == 0, result.output
    profile = read_profile(tmp_path / FILE)
    assert profile.memory.held_out == "half"
    assert (len(profile.memory.pictures), profile.count) == (4, 5)
    assert_array_equal(sum(score >= profile.image_threshold for score in profile.image.scores), 0)


def test_dropping_and_adding_pictures(made: Path, tmp_path: Path) -> None:
    call = ["calibrate", str(made / "good"), "--fpr", "0.2", "--no-self-test", "--output", str(tmp_path / FILE)]
    result = RUN.invoke(app, [*call, "--drop", "7.png"])
    assert isinstance(result.exception, ConfigError)
    assert "7.png" in str(result.exception)
    result = RUN.invoke(app, [*call, "--drop", "1.png", "--more", str(made / "bad.png")])
    assert result.exit_code == 0, result.output
    assert read_profile(tmp_path / FILE).memory.pictures == ("0.png", "2.png", "3.png", "4.png", "bad.png")
    assert "--drop bad.png" in result.output  # it set the line, and is named


def test_thresholds_alone_as_before(made: Path, tmp_path: Path) -> None:
    call = ["calibrate", str(made / "good"), "--no-memory", "--no-self-test", "--output", str(tmp_path / FILE)]
    result = RUN.invoke(app, [*call, "--fpr", "0.05"])
    assert isinstance(result.exception, ConfigError)  # five images support no 5%
    result = RUN.invoke(app, [*call, "--fpr", "0.2"])
    assert result.exit_code == 0, result.output
    assert read_profile(tmp_path / FILE).memory is None
    assert not (tmp_path / MEMORY).exists()
