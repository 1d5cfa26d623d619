"""Whole runs on the golden small CLIP: the same numbers with and without a cache, interrupted or not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.losses import GlocalLoss
from anomalyclip.opening import from_files, load
from anomalyclip.prompts import load_prompts
from anomalyclip.training import read_config, train
from anomalyclip.training.module import PromptTraining
from anomalyclip.training.reporter import Reporter


def learned(path):
    return load_prompts(path).tensors


def assert_equal(a, b, atol=0.0):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=atol)


@pytest.fixture
def steps(monkeypatch):
    """The learned tensors after each step of every run."""
    seen = []
    original = PromptTraining.on_train_batch_end

    def record(self, *args):
        seen.append(self.student.learned())
        original(self, *args)

    monkeypatch.setattr(PromptTraining, "on_train_batch_end", record)
    return seen


def test_cached_steps_equal_streamed_steps(config, dataset, steps):
    """Issue 4: with the fp32 cache the parameters after each step equal the uncached run's within 1e-6."""
    cached = train(config, datasets=[dataset])
    streamed = train(replace(config, cache=False, output=f"{config.output}2"), datasets=[dataset])
    assert len(steps) == 12
    for a, b in zip(steps[:6], steps[6:], strict=True):
        assert_equal(a, b, atol=1e-6)
    assert not torch.equal(steps[0]["ctx_pos"], steps[5]["ctx_pos"])
    assert cached.history == streamed.history


def test_half_precision_cache_is_close(config, dataset):
    full = train(replace(config, epochs=1), datasets=[dataset]).history[0]["loss"]
    half = train(replace(config, epochs=1, cache_dtype="fp16", output=f"{config.output}2"), datasets=[dataset])
    assert half.history[0]["loss"] == pytest.approx(full, rel=1e-3)


def test_what_a_run_leaves(config, dataset, golden_folder):
    result = train(config, datasets=[dataset])
    names = {path.name for path in result.folder.iterdir() if not path.name.startswith(".")}
    files = "checkpoint.pt config.yaml environment.json loss.png metrics.csv prompts.safetensors"
    assert names == set(files.split())
    assert replace(read_config(result.folder / "config.yaml"), output=config.output) == config
    rows = list(csv.DictReader((result.folder / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert float(rows[0]["loss"]) == pytest.approx(
        float(rows[0]["loss_image"]) + 4 * float(rows[0]["loss_pixel"]), rel=1e-4
    )
    assert json.loads((result.folder / "environment.json").read_text())["packages"]["torch"]
    with Image.open(result.folder / "loss.png") as picture:
        assert picture.size == (840, 504)
    metadata = load_prompts(result.prompts).metadata
    assert (metadata.layers, metadata.image_size, metadata.dpam_blocks) == ((2, 4, 6), 70, 4)
    assert metadata.training["images"] == metadata.training["images_with_pixel_truth"] == 12

    clip = golden_folder / "clip_small_openai.safetensors"
    direct = from_files(clip, result.prompts)
    pixels = torch.zeros(1, 3, 70, 70)
    for model in (load(clip, prompts=result.folder, device="cpu"), load(result.folder, device="cpu")):
        assert model.settings == direct.settings
        torch.testing.assert_close(model.predict(pixels)[1], direct.predict(pixels)[1])


def test_the_same_seed_gives_the_same_prompts_and_another_seed_others(config, dataset):
    first, again, other = (
        train(replace(config, epochs=1, seed=seed, output=f"{config.output}{name}"), datasets=[dataset])
        for name, seed in (("a", 111), ("b", 111), ("c", 112))
    )
    assert_equal(learned(first.prompts), learned(again.prompts))
    assert not torch.equal(learned(first.prompts)["ctx_pos"], learned(other.prompts)["ctx_pos"])


class _Kill(BaseException):
    pass


@pytest.mark.parametrize("at", [2, 4])
def test_an_interrupted_run_ends_like_an_uninterrupted_one(config, dataset, monkeypatch, at):
    """Stopped between checkpoints, in the first and in the second epoch."""
    whole = train(replace(config, output=f"{config.output}2"), datasets=[dataset])
    config = replace(config, checkpoint_steps=1 if at == 2 else 2)
    original, count = PromptTraining.training_step, 0

    def stop(self, batch, batch_idx=0):
        nonlocal count
        count += 1
        if count > at:
            raise _Kill
        return original(self, batch, batch_idx)

    monkeypatch.setattr(PromptTraining, "training_step", stop)
    with pytest.raises(_Kill):
        train(config, datasets=[dataset])
    monkeypatch.setattr(PromptTraining, "training_step", original)
    assert not (config.folder / "prompts.safetensors").exists()
    resumed = train(config, datasets=[dataset])
    assert_equal(learned(whole.prompts), learned(resumed.prompts))
    assert resumed.history == whole.history


def test_more_epochs_continue_a_finished_run(config, dataset, steps):
    whole = train(replace(config, output=f"{config.output}2"), datasets=[dataset])
    train(replace(config, epochs=1), datasets=[dataset])
    steps.clear()
    assert_equal(learned(train(config, datasets=[dataset]).prompts), learned(whole.prompts))
    assert len(steps) == 3
    assert train(config, datasets=[dataset]).history == whole.history  # finished: nothing is trained again
    assert len(steps) == 3


def test_another_run_in_the_folder_is_refused_or_replaced(config, dataset):
    config = replace(config, epochs=1)
    train(config, datasets=[dataset])
    with pytest.raises(ConfigError, match=r"learning_rate was 0.001, now 0.01.*--overwrite"):
        train(replace(config, learning_rate=0.01), datasets=[dataset])
    fewer = replace(dataset, items=dataset.items[:-1])
    with pytest.raises(ConfigError, match="images, masks or labels have changed"):
        train(config, datasets=[fewer])
    assert train(replace(config, overwrite=True), datasets=[fewer]).images == 11


def test_a_damaged_checkpoint_is_named(config, dataset):
    config = replace(config, epochs=1)
    train(config, datasets=[dataset])
    path = config.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"checkpoint\.pt.*--overwrite"):
        train(config, datasets=[dataset])


def test_a_folder_with_other_things_is_left_alone(config, dataset, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        train(replace(config, output=str(tmp_path / "mine"), overwrite=True), datasets=[dataset])
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        train(replace(config, output=str(tmp_path / "file")), datasets=[dataset])


def test_validation_keeps_the_best_prompts(config, dataset):
    result = train(replace(config, validation=0.4, learning_rate=0.5, epochs=3), datasets=[dataset])
    values = [row["val_loss"] for row in result.history]
    assert result.images == 7
    best = load_prompts(result.best)
    assert best.metadata.training["epochs"] == 1 + values.index(min(values))
    assert load_prompts(result.prompts).metadata.training["epochs"] == 3


def test_two_data_sets_at_once_share_features_of_equal_images(config, dataset, tree):
    other = replace(dataset, name="again", items=dataset.items[:4])
    notes = []

    class Listening(Reporter):
        def note(self, line):
            notes.append(line)

    result = train(replace(config, epochs=1), datasets=[dataset, other], reporter=Listening())
    assert result.images == 16
    assert any("0 of 12 images there" in note for note in notes)
    assert load_prompts(result.prompts).metadata.training["data"] == ["tiles", "again"]


def test_image_level_data_trains_the_global_term(config, image_only, dataset):
    both = train(replace(config, epochs=1), datasets=[image_only])
    image = train(replace(config, epochs=1, level="image", output=f"{config.output}2"), datasets=[dataset])
    assert both.history == image.history
    assert both.history[0]["loss_pixel"] == 0
    assert_equal(learned(both.prompts), learned(image.prompts))
    with pytest.raises(InputError, match="no image has a mask"):
        train(replace(config, level="pixel", output=f"{config.output}3"), datasets=[image_only])


def test_pixel_level_leaves_the_global_term_out(config, dataset, image_only):
    mixed = replace(dataset, items=dataset.items[:6] + image_only.items[6:])
    result = train(replace(config, epochs=1, level="pixel"), datasets=[mixed])
    row = result.history[0]
    assert result.images == 6
    assert row["loss"] == pytest.approx(4 * row["loss_pixel"])


def test_a_loss_that_is_no_number_stops_with_advice(config, dataset, monkeypatch):
    nan = torch.tensor(float("nan"))
    monkeypatch.setattr(
        "anomalyclip.training.students.training_loss", lambda *_, **__: GlocalLoss(nan, nan, nan, (), (), ())
    )
    with pytest.raises(ConfigError, match=r"epoch 1, step 1; lower the learning rate"):
        train(config, datasets=[dataset])
    assert not (config.folder / "checkpoint.pt").exists()


def test_mixed_precision_is_close(config, dataset):
    full, mixed = (
        train(replace(config, precision=name, output=f"{config.output}{name}"), datasets=[dataset]).history[0]["loss"]
        for name in ("32-true", "bf16-mixed")
    )
    assert mixed == pytest.approx(full, rel=0.05)
    assert mixed != full
