"""Features kept between evaluations: the encoder runs once per image, numbers stay, damage is seen, disks fill up."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.cli import main
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.data.dataset import Dataset
from anomalyclip.errors import OutputError
from anomalyclip.evaluation import METRICS, CacheSettings, EvaluationSettings, evaluate
from anomalyclip.evaluation.gallery import draw
from anomalyclip.evaluation.plots import write_plots
from anomalyclip.features import FeatureCache
from anomalyclip.native.library import BUILT, _open
from anomalyclip.opening import open_for
from anomalyclip.training import TrainConfig, train

Tree = Callable[..., Path]
CLASSES = ("metal_nut", "wood")
QUICK = EvaluationSettings(resamples=0, exact_pixels=True)


@pytest.fixture
def data(tree: Tree, dataset_of: Callable[[Path], Dataset], tmp_path: Path) -> Dataset:
    return dataset_of(tree(tmp_path / "data", dict.fromkeys(CLASSES, (3, 3))))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many images each pass through the vision tower had: every way in goes through `with_stages`."""
    seen: list[int] = []
    original = VisionTransformer.with_stages

    def with_stages(self: VisionTransformer, pixels, stages):  # type: ignore[no-untyped-def]
        seen.append(len(pixels))
        return original(self, pixels, stages)

    monkeypatch.setattr(VisionTransformer, "with_stages", with_stages)
    return seen


def judge(small_files: dict[str, Path], prompts: str | Path = "clip"):  # type: ignore[no-untyped-def]
    return open_for(CLASSES, small_files["clip"], prompts=prompts, image_size=70, device="cpu", offline=True)


@pytest.mark.parametrize("prompts", ["learned", "clip", "winclip"])
def test_with_fp32_no_number_changes(
    prompts: str, small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    models = judge(small_files, small_files["prompts"] if prompts == "learned" else prompts)
    cache = CacheSettings(tmp_path / "cache", "fp32")
    without = evaluate(models, data, settings=QUICK)
    encoded.clear()
    first = evaluate(models, data, settings=QUICK, cache=cache)
    assert sum(encoded) == 12
    again = evaluate(models, data, settings=QUICK, cache=cache)
    assert sum(encoded) == 12
    assert first.classes == again.classes
    for a, b in zip(without.classes, again.classes, strict=True):
        assert a.values == pytest.approx(b.values, abs=1e-9)
        assert [row.score for row in a.rows] == pytest.approx([row.score for row in b.rows], abs=1e-6)
    assert without.settings == again.settings


def test_other_words_on_the_same_tower_run_no_encoder(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    cache = CacheSettings(tmp_path / "cache", "fp32")
    evaluate(judge(small_files), data, settings=QUICK, cache=cache)
    encoded.clear()
    other = judge(small_files, "clip-ac")
    cached = evaluate(other, data, settings=QUICK, cache=cache)
    assert encoded == []
    fresh = evaluate(other, data, settings=QUICK)
    assert [row.score for row in cached.rows] == pytest.approx([row.score for row in fresh.rows], abs=1e-6)
    evaluate(judge(small_files, "winclip-ensemble"), data, settings=QUICK, cache=cache)  # two paths: other features
    assert sum(encoded) == 24  # `fresh`, and these


def test_half_precision_moves_scores_by_less_than_it_says(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    models, cache = judge(small_files), CacheSettings(tmp_path / "cache")
    without, first, again = (evaluate(models, data, settings=QUICK, cache=one) for one in (None, cache, cache))
    assert sum(encoded) == 24
    assert first.classes == again.classes  # what was kept was scored at once
    assert [row.score for row in first.rows] == pytest.approx([row.score for row in without.rows], abs=1e-3)
    assert first.settings["features"] == "fp16"


def test_training_and_evaluation_share_features(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    config = TrainConfig(
        data=("unused",), output=str(tmp_path / "run"), model=str(small_files["clip"]), image_size=70, epochs=1,
        cache_dir=str(tmp_path / "cache"), device="cpu",
    )  # fmt: skip
    result = train(config, datasets=[data])
    assert sum(encoded) == 12
    evaluate(judge(small_files, result.prompts), data, settings=QUICK, cache=CacheSettings(tmp_path / "cache"))
    assert sum(encoded) == 12


def test_changed_and_damaged_files_are_encoded_again(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    models, cache = judge(small_files), CacheSettings(tmp_path / "cache", "fp32")
    first = evaluate(models, data, settings=QUICK, cache=cache)
    records = sorted(path for path in (tmp_path / "cache").rglob("*") if len(path.name) == 64)
    damaged = bytearray(records[0].read_bytes())
    damaged[-3] ^= 1
    records[0].write_bytes(damaged)
    records[1].write_bytes(records[1].read_bytes()[:100])
    Image.fromarray(np.full((48, 60, 3), 7, np.uint8)).save(data.items[0].image)
    encoded.clear()
    again = evaluate(models, data, settings=QUICK, cache=cache)
    assert 2 <= sum(encoded) <= 3  # the changed image's old record may be one of the damaged ones
    assert again.rows[1:] == first.rows[1:]
    assert again.rows[0].score != first.rows[0].score
    fresh = evaluate(models, data, settings=QUICK)
    assert [row.score for row in again.rows] == pytest.approx([row.score for row in fresh.rows], abs=1e-6)


def test_an_unreadable_image_is_told_as_without_a_cache(
    small_files: dict[str, Path], data: Dataset, tmp_path: Path
) -> None:
    data.items[0].image.write_bytes(b"broken")
    models, cache = judge(small_files), CacheSettings(tmp_path / "cache", "fp32")
    for one in (None, cache, cache):
        (problem,) = evaluate(models, data, settings=QUICK, cache=one).problems
        assert problem.image == "metal_nut/test/good/000.png"


def test_a_full_disk_stops_the_run(
    small_files: dict[str, Path], data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no image's fault, so none is reported as such."""

    def full(*_: object) -> None:
        raise OutputError(f"cannot write: {errno.errorcode[errno.ENOSPC]}")

    monkeypatch.setattr(FeatureCache, "put", full)
    with pytest.raises(OutputError, match="ENOSPC"):
        evaluate(judge(small_files), data, settings=QUICK, cache=CacheSettings(tmp_path / "cache"))


def test_the_gallery_uses_the_cache(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path
) -> None:
    models, cache = judge(small_files), CacheSettings(tmp_path / "cache", "fp32")
    result = evaluate(models, data, settings=QUICK, cache=cache)
    encoded.clear()
    assert len(write_plots(tmp_path / "plots", result, models, data, cache)) == 4
    cached = draw(models, data, result, result.rows[4], cache)
    assert encoded == []
    fresh = draw(models, data, result, result.rows[4])
    assert cached is not None
    assert fresh is not None
    difference = np.abs(np.asarray(cached, np.int16) - np.asarray(fresh, np.int16))
    assert difference.max() <= 2


def test_the_command_tells_the_size_and_reuses(
    small_files: dict[str, Path], data: Dataset, encoded: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(prompts: str, *more: str) -> int:
        chosen = ["--model", str(small_files["clip"]), "--image-size", "70", "--device", "cpu", "--offline"]
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", str(data.root), *chosen, "--prompts", prompts, "--resamples", "0", *more])
        return int(ended.value.code or 0)

    folder = ["--cache-dir", str(tmp_path / "cache")]
    assert run("clip", *folder, "-o", str(tmp_path / "one")) == 0
    assert "feature cache" in capsys.readouterr().err
    count = sum(encoded)
    assert run("clip-ac", *folder, "-o", str(tmp_path / "two")) == 0
    assert sum(encoded) == count == 12
    told = json.loads((tmp_path / "two/metrics.json").read_text())
    assert told["settings"]["features"] == "fp16"
    assert all(told["mean"][name] is not None for name in METRICS)
    assert run("clip", *folder, "--no-cache") == 2
    assert "contradict" in capsys.readouterr().err


@pytest.mark.skipif(not BUILT.is_file(), reason="no kernels were compiled")
def test_native_is_refused_in_one_line_where_the_processor_cannot(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_open(BUILT), "ac_cpu_features", lambda: 0)
    folder = tree(tmp_path / "data", {"wood": (1, 1)})
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(folder), "--runtime", "native", "--cache", "--cache-dir", str(tmp_path / "cache")])
    told = capfd.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    assert len(told) == 1, told
    assert told[0].startswith("error: this processor has neither ")
    assert "--runtime torch" in told[0]
    assert not (tmp_path / "cache").exists()
