"""Lines from few good pictures: the numbers of `calibrate` and `detect`, drawn apart from what is judged, resumable."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score
from tests.evaluation.few_shots import striped_set

import anomalyclip
from anomalyclip.calibration import read_profile
from anomalyclip.cli import app
from anomalyclip.data import open_dataset
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.evaluation import EvaluationSettings, save
from anomalyclip.evaluation.few_shot.drawing import pool_of, training_items
from anomalyclip.evaluation.few_shot.evaluating import Progress, evaluate_few_shot, source_of
from anomalyclip.evaluation.few_shot.settings import FewShotSettings
from anomalyclip.evaluation.few_shot.store import SeenStore
from anomalyclip.io.reading import Reading
from anomalyclip.judges.memory.seen import Seen

RUN = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return striped_set(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def small(small_files: dict[str, Path]) -> list[str]:
    """Options that choose the small CLIP."""
    chosen = ["--model", str(small_files["clip"]), "--prompts", str(small_files["prompts"]), "--image-size", "70"]
    return [*chosen, "--layers", "2,4,6", "--device", "cpu", "--offline"]


MEASURING = EvaluationSettings(resamples=0)


@pytest.fixture(scope="module")
def model(small_files: dict[str, Path]) -> Any:
    """What these options open."""
    return anomalyclip.load(
        str(small_files["clip"]), prompts=str(small_files["prompts"]), image_size=70, layers=(2, 4, 6), device="cpu"
    )


def _evaluated(model: Any, data: Path, shots: tuple[int, ...], draws: int = 1, **more: Any) -> Any:
    dataset = open_dataset(data)
    training = training_items(dataset, str(data), None)
    few = FewShotSettings(shots, draws=draws, fpr=0.2)
    return evaluate_few_shot(model, dataset, training, few, settings=MEASURING, **more)


@pytest.fixture(scope="module")
def found(model: Any, data: Path) -> Any:
    return _evaluated(model, data, (1, 5), draws=2)


def test_a_draw_gives_what_calibrate_and_detect_give(found: Any, data: Path, small: list[str], tmp_path: Path) -> None:
    """The same references and pictures through the commands; every score, and what follows from them."""
    for draw in found.few_shot.of("stripes", 5):
        out = tmp_path / str(draw.draw)
        references = [str(data / name) for name in draw.references]
        assert len(references) == 5
        call = ["calibrate", *references, *small, "--fpr", "0.2", "--no-self-test", "--output", str(out / "line.json")]
        out.mkdir()
        assert RUN.invoke(app, call).exit_code == 0
        pictures = [str(data / "stripes/test" / kind) for kind in ("good", "blot")]
        call = ["detect", *pictures, *small, "--profile", str(out / "line.json"), "--format", "jsonl", "-q"]
        told = RUN.invoke(app, call)
        rows = [json.loads(line) for line in told.stdout.splitlines()]
        assert len(rows) == 6
        labels = np.array(["blot" in row["path"] for row in rows])
        scores = np.array([row["score"] for row in rows])
        called = np.array([row["decision"] == "anomalous" for row in rows])
        assert draw.values["image_auroc"] == pytest.approx(roc_auc_score(labels, scores))
        assert draw.values["recall_at_fpr"] == pytest.approx(called[labels].mean())
        assert draw.values["false_alarm_rate"] == pytest.approx(called[~labels].mean())
        profile = read_profile(out / "line.json")
        call = ["evaluate", str(data), *small, "--profile", str(out / "line.json"), "--format", "json", "-q"]
        evaluated = RUN.invoke(app, [*call, "--resamples", "0"])
        plain = json.loads(evaluated.stdout)["classes"]["stripes"]
        assert plain["recall_at_fpr"] == draw.values["recall_at_fpr"]
        assert plain["false_alarm_rate"] == draw.values["false_alarm_rate"]
        for metric in ("image_auroc", "pixel_auroc", "aupro"):
            assert plain[metric] == pytest.approx(draw.values[metric], abs=1e-6)
        assert profile.image_threshold == pytest.approx(0.5)


def test_the_zero_shot_rows_are_those_of_a_plain_evaluation(found: Any, model: Any, data: Path) -> None:
    plain = anomalyclip.evaluation.evaluate(model, open_dataset(data), settings=MEASURING)
    for mine, expected in zip(found.classes, plain.classes, strict=True):
        assert mine.values == pytest.approx(expected.values)
        assert [row.score for row in mine.rows] == [row.score for row in expected.rows]
    stripes = found.few_shot.row("stripes", 5).zero_shot
    for metric in ("image_auroc", "pixel_auroc", "aupro"):  # references lie in train: all of the test split is judged
        assert stripes[metric] == pytest.approx(plain.classes[1].values[metric])


def test_references_come_from_train_else_from_test_and_are_never_judged(found: Any, data: Path) -> None:
    few = found.few_shot
    assert few.pools == {"dots": "test", "stripes": "train"}
    assert {(one.normal, one.anomalous) for one in few.of("stripes", 5)} == {(3, 3)}
    assert all(name.startswith("stripes/train/good") for one in few.draws for name in one.references if "str" in name)
    (one, two) = few.of("dots", 1)
    assert (one.normal, one.anomalous, len(one.references)) == (4, 2, 1)
    assert one.references != two.references
    reason = "all 5 good pictures would be references"
    assert all(reason in one.undefined["image_auroc"] for one in few.of("dots", 5))
    dataset = open_dataset(data)
    pool = pool_of(dataset, "stripes", training_items(dataset, str(data), None), None, Reading())
    more, fewer = ({item.image for item in pool.drawn(number, 0, 0)} for number in (5, 2))
    assert fewer < more  # more shots of a draw hold those of fewer
    assert pool.drawn(5, 0, 0) == pool.drawn(5, 0, 0) != pool.drawn(5, 0, 1)
    assert pool.refusal(9) == "there are 8 good pictures to draw from"


def test_what_cannot_be_is_null_with_the_reason(found: Any) -> None:
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))["few_shot"]
    one = told["shots"]["1"]["classes"]["stripes"]
    assert one["recall_at_fpr"] is one["false_alarm_rate"] is None
    assert "a line takes 4 good pictures" in one["undefined"]["recall_at_fpr"]
    assert one["image_auroc"] is not None
    assert told["shots"]["5"]["classes"]["dots"]["image_auroc"] is None
    draws = [draw["image_auroc"] for draw in one["draws"]]
    assert one["image_auroc"] == pytest.approx(np.mean(draws))
    assert one["spread"]["image_auroc"] == pytest.approx(np.std(draws, ddof=1))
    both = [told["shots"]["1"]["classes"][name]["pixel_auroc"] for name in ("stripes", "dots")]
    assert told["shots"]["1"]["mean"]["pixel_auroc"] == pytest.approx(np.mean(both))


def test_tables_say_what_json_says(found: Any, tmp_path: Path) -> None:
    save(found, tmp_path)
    markdown, latex = (tmp_path / "metrics.md").read_text(), (tmp_path / "metrics.tex").read_text()
    row = found.few_shot.row("stripes", 5)
    cell = f"{100 * row.mean['image_auroc']:.1f} ± {100 * row.spread['image_auroc']:.1f}"
    assert f"| stripes | 5 | {cell} |" in markdown
    escaped = cell.replace("±", r"$\pm$")
    assert f"stripes & 5 & {escaped} &" in latex
    assert "mean (1 of 2) | 5 |" in markdown
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2


def test_each_picture_is_encoded_once_and_a_killed_run_goes_on(model: Any, data: Path, tmp_path: Path) -> None:
    encoded: list[int] = []
    run = model.encoder.run

    def counting(pixels: Any, request: Any) -> Any:
        encoded.append(len(pixels))
        return run(pixels, request)

    model.encoder.run = counting
    try:
        drawn: list[Any] = []

        def killed(draw: Any) -> None:
            drawn.append(draw)
            if len(drawn) == 5:
                raise KeyboardInterrupt

        progress = Progress(on_draw=killed)
        with pytest.raises(KeyboardInterrupt):
            _evaluated(model, data, (1, 4, 5), draws=2, work=tmp_path / "seen", progress=progress)
        first = len(encoded)
        result = _evaluated(model, data, (1, 4, 5), draws=2, work=tmp_path / "seen", drawn=drawn)
    finally:
        del model.encoder.run
    references = {name for one in result.few_shot.draws for name in one.references if "train" in name}
    assert first <= 13 + len(references)  # 13 pictures to judge
    assert len(encoded) <= 13 + 7 + len(references)  # those of a finished class are not kept
    assert not (tmp_path / "seen").exists()
    again = _evaluated(model, data, (1, 4, 5), draws=2)
    assert again.few_shot.to_dict() == result.few_shot.to_dict()


def test_vectors_come_back_as_they_were_however_they_lay_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = np.asfortranarray(rng.random((6, 4), np.float32))
    view = Seen(vectors, (2, 3), rng.random(6, np.float32), 0.1, rng.random((8, 4), np.float32).T, 0.3)
    store = SeenStore(tmp_path, {"weights_sha256": "a"})
    store.put("ab12", [view])
    (kept,) = store.get("ab12")
    np.testing.assert_array_equal(kept.described, view.described)
    np.testing.assert_array_equal(kept.anomaly_map, view.anomaly_map)


def test_a_damaged_or_missing_record_is_seen_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    view = Seen(
        rng.random((6, 4), np.float32),
        (2, 3),
        rng.random(6, np.float32),
        0.123456789,
        rng.random((8, 8), np.float32),
        0.3,
    )
    store = SeenStore(tmp_path, {"weights_sha256": "a", "model": "pocket"})
    store.put("ab12", [view, view])
    assert store.has("ab12")
    assert not store.has("ab13")
    for kept in store.get("ab12"):
        assert (kept.grid, kept.whole, kept.score) == ((2, 3), view.whole, pytest.approx(0.3))
        for name in ("described", "words", "anomaly_map"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(view, name))
    assert SeenStore(tmp_path, {"weights_sha256": "a", "model": "other name"}).has("ab12")
    assert not SeenStore(tmp_path, {"weights_sha256": "b"}).has("ab12")
    half = SeenStore(tmp_path, {"weights_sha256": "a"}, "fp16")
    half.put("ab12", [view])
    assert_allclose(half.get("ab12")[0].described, view.described, atol=1e-3)
    path = store.folder / "ab" / "ab12"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert not store.has("ab12")
    path.unlink()
    with pytest.raises(OutputError, match="vanished"):
        store.get("ab12")


def test_tiles_and_regions_go_through_lines_too(model: Any, data: Path) -> None:
    from anomalyclip.geometry import parse_layout

    geometry, areas = parse_layout({"tile": 64, "roi": "10,10,80,80"})
    result = _evaluated(model, data, (4,), geometry=geometry, areas=areas)
    plain = anomalyclip.evaluation.evaluate(
        model, open_dataset(data), settings=MEASURING, geometry=geometry, areas=areas
    )
    assert result.classes[0].values == pytest.approx(plain.classes[0].values)
    assert 0 <= result.few_shot.row("stripes", 4).mean["pixel_auroc"] <= 1


def test_a_judge_of_whole_batches_makes_no_line(model: Any) -> None:
    class Batches(type(model.judge)):
        whole_batch = True

    judge = copy.copy(model.judge)
    judge.__class__ = Batches
    with pytest.raises(ConfigError, match="whole batches"):
        source_of(model.with_judge(judge), FewShotSettings((4,)))
