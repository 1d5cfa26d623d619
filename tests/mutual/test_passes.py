"""Two passes over a batch: what is kept is what is scored, from Python too, with the memory of a line or without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.memory.fusion import statistics
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import APART
from anomalyclip.judges.mutual_fusion import KNOWN
from anomalyclip.mutual.passes import FirstPass, compared
from anomalyclip.mutual.scoring import Batch, score_batch
from anomalyclip.mutual.store import BatchStore, Shape, pixels_digest


@pytest.fixture(scope="module")
def model() -> Detector:
    return anomalyclip.load("pocket")


def _pictures(count: int, seed: int = 0) -> list[Image.Image]:
    """Grey plates with grain; the last has a bright scratch."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        pixels = np.clip(120 + 12 * rng.normal(size=(96, 96, 1)) + np.zeros(3), 0, 255)
        if number == count - 1:
            pixels[40:44, 10:80] = 250
        made.append(Image.fromarray(pixels.astype(np.uint8)))
    return made


@pytest.fixture(scope="module")
def passed(model: Detector, tmp_path_factory: pytest.TempPathFactory) -> tuple[FirstPass, list[np.ndarray]]:
    first = FirstPass(model, tmp_path_factory.mktemp("seen"))
    pixels = [model.preprocess(one) for one in _pictures(7)]
    for one in pixels:
        first.predict(one[None])
    return first, pixels


def test_the_first_pass_gives_the_words_verdict(model: Detector, passed: tuple[FirstPass, list[np.ndarray]]) -> None:
    first, pixels = passed
    scores, maps = first.predict(pixels[3][None])
    expected = model.predict(pixels[3][None])
    np.testing.assert_allclose(scores, expected[0], atol=1e-4)
    np.testing.assert_allclose(maps, expected[1], atol=1e-3)  # kept in halves
    first.seen[pixels_digest(pixels[3])] -= 1


def test_what_is_kept_is_the_encoders_own(model: Detector, passed: tuple[FirstPass, list[np.ndarray]]) -> None:
    first, pixels = passed
    digest = pixels_digest(pixels[0])
    own = first.source.describe(model.features(pixels[0][None], first.source.request))[0]
    np.testing.assert_allclose(first.store.described(digest), own, atol=1e-3)


def test_the_second_pass_finds_the_scratch_and_where_it_is(passed: tuple[FirstPass, list[np.ndarray]]) -> None:
    first, pixels = passed
    second = compared(first, partners=48, budget=2**29)
    scores, maps = second.predict(np.stack(pixels))
    assert int(np.argmax(scores)) == 6
    rows, _ = np.unravel_index(maps[6].argmax(), maps[6].shape)
    assert 0.3 < rows / len(maps[6]) < 0.6
    told = second.provenance()
    assert told["method"].endswith("+mutual")
    assert told["settings"]["batch"]["sha256"] == Batch.of(pixels_digest(one) for one in pixels).sha256
    with pytest.raises(InputError, match="changed since the batch was compared"):
        second.predict(pixels[0][None] + 1)


def test_a_killed_runs_records_are_taken_and_others_are_not(
    model: Detector, passed: tuple[FirstPass, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, pixels = passed
    again = FirstPass(model, first.store.folder)
    again.predict(pixels[0][None])  # tells the width
    monkeypatch.setattr("anomalyclip.mutual.passes.see", None)
    again.predict(pixels[1][None])
    digest = pixels_digest(pixels[1])
    other = BatchStore(first.store.folder, "other weights")
    assert not other.has(digest, first.store.shapes[digest])
    record = next(first.store.folder.rglob(f"{digest}.f2"))
    whole = record.read_bytes()
    record.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert not BatchStore(first.store.folder, again.store._made_by).has(digest, first.store.shapes[digest])
    record.write_bytes(whole)


def test_tiles_are_not_pictures(model: Detector, tmp_path: Path) -> None:
    from anomalyclip.geometry import Geometry

    with pytest.raises(ConfigError, match="not several views of one"):
        FirstPass(model, tmp_path).check(Geometry(tile=64))


def test_python_scores_a_list(model: Detector) -> None:
    pictures = _pictures(7)
    found = model.detect_batch(pictures, threshold=0.5)
    assert int(np.argmax([one.score for one in found])) == 6
    assert found[6].decision == "anomalous"
    assert found[6].anomaly_map.shape == (96, 96)
    turned = model.detect_batch(pictures[::-1])
    np.testing.assert_allclose([one.score for one in turned[::-1]], [one.score for one in found], atol=1e-4)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"partners": 1}, ConfigError, "partners 1 is out of range"),
        ({"tile": 64}, ConfigError, "not several views of one"),
        ({"friends": 3}, ConfigError, "no keyword 'friends'"),
    ],
)
def test_bad_keywords_are_named(model: Detector, options: dict, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        model.detect_batch(_pictures(5), **options)


def test_with_a_line_scores_have_its_scale(model: Detector, tmp_path: Path) -> None:
    from anomalyclip.calibration import read_profile
    from anomalyclip.cli import main

    good = tmp_path / "good"
    good.mkdir()
    for number, picture in enumerate(_pictures(9, seed=5)[:8]):
        picture.save(good / f"{number}.png")
    with pytest.raises(SystemExit):
        main(["calibrate", str(good), "--fpr", "0.2", "--no-self-test", "-q", "-o", str(tmp_path / "line.json")])
    profile = read_profile(tmp_path / "line.json")
    found = model.detect_batch(_pictures(7), profile=profile)
    assert found[6].decision == "anomalous"
    assert int(np.argmax([one.score for one in found])) == 6
    assert all(one.p_value is None for one in found)
    assert np.median([one.score for one in found]) < 0.5


def _apart(a: int, b: int) -> bool:
    """Patches of a grid of 4 x 4 whose neighbourhoods share nothing; in the middle, none are."""
    return max(abs(a // 4 - b // 4), abs(a % 4 - b % 4)) >= APART


def test_scoring_equals_the_formula(tmp_path: Path) -> None:
    """Everything from the kept numbers, by hand: all pairs, sorted, deviations of the lower half."""
    rng = np.random.default_rng(0)
    store, names = BatchStore(tmp_path, ""), [f"{number:032x}" for number in range(8)]
    patches = {name: unit(rng.normal(size=(16, 5)).astype(np.float32)) for name in names}
    words = {name: rng.random(16, np.float32) for name in names}
    whole = {name: float(rng.random()) for name in names}
    for name in names:
        from anomalyclip.judges.memory.seen import Seen

        seen = Seen(patches[name], (4, 4), words[name], whole[name], rng.random((8, 8), np.float32), whole[name])
        store.put(name, seen, 0.5, None)
    verdicts = score_batch(store, Batch.of(names), sigma=0)
    kept = {name: store.described(name) for name in names}
    parts: list[list[float]] = []
    foreign: list[float] = []
    for name in names:
        near = np.sort([1 - (kept[name] @ kept[other].T).max(axis=1) for other in names if other != name], axis=0)
        distances = near[2:5].mean(axis=0)  # 30% to 60% of 7 others
        np.testing.assert_allclose(verdicts.distances[name], distances, atol=1e-5)
        own = [
            min((1 - kept[name][a] @ kept[name][b] for b in range(16) if _apart(a, b)), default=np.inf)
            for a in range(16)
        ]
        novel = np.minimum(distances, own)
        alone = statistics(distances[None], words[name][None], np.array([whole[name]]))[0]
        parts.append([*alone, novel.max(), (novel * words[name]).max()])
        foreign.append(np.log(np.median(distances) / np.median(own)))
    assert np.mean(foreign) < KNOWN  # so that each of the five counts a fifth
    table = np.array(parts)
    middle = np.median(table, axis=0)
    raw = ((table - middle) / (middle - np.quantile(table, 0.16, axis=0))).mean(axis=1)
    order = np.argsort(raw)
    assert order.tolist() == np.argsort([verdicts.scores[name] for name in names]).tolist()
    assert store.shapes[names[0]] == Shape((4, 4), 5, (8, 8), False)
