"""Settings, order, held-out share, loggers, folders: the parts of a run one by one."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.errors import ConfigError
from anomalyclip.training import TrainConfig, read_config, train
from anomalyclip.training import loggers as loggers_module
from anomalyclip.training.batches import epoch_batches, share_of
from anomalyclip.training.config import write_config
from anomalyclip.training.folder import run_folder
from anomalyclip.training.samples import Sample, digest_of, hold_out
from anomalyclip.training.trainer import check_extra


def samples_of(sizes):
    """One group per size, labels alternating."""
    return [
        Sample(Path(f"{group}/{index}"), None, group % 2, True, ("data", str(group // 2)), f"{group}-{index}", None)
        for group, size in enumerate(sizes)
        for index in range(size)
    ]


def test_defaults_are_the_published_hyper_parameters():
    config = TrainConfig(data=("x",), output="y")
    assert (config.learning_rate, config.betas, config.batch_size) == (1e-3, (0.5, 0.999), 8)
    assert (config.epochs, config.seed) == (15, 111)
    assert (config.recipe.pixel_weight, config.recipe.level) == (4.0, "both")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs 0 is out of range: expected passes from 1 to 100,000"),
        ({"learning_rate": 0.0}, "learns nothing"),
        ({"learning_rate": float("nan")}, "learning_rate nan is out of range"),
        ({"validation": 1.0}, "validation 1 is out of range"),
        ({"level": "images"}, "level 'images': expected one of both, image, pixel"),
        ({"cache_dtype": "fp8"}, "cache_dtype 'fp8': expected one of"),
        ({"betas": (0.5, 1.0)}, "betas"),
        ({"data": ()}, "no data set given"),
        ({"loggers": ("neptune",)}, "loggers 'neptune': expected one of csv"),
        ({"level": "pixel", "pixel_weight": 0}, "nothing to train"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(TrainConfig(data=("x",), output="y"), **changes)


def test_config_survives_yaml(tmp_path):
    config = TrainConfig(data=("a: b", "c"), output="ü", layers=(6, 12), betas=(0.1, 0.2), depth=3, validation=0.25)
    write_config(tmp_path / "config.yaml", config, {"found": 3})
    assert read_config(tmp_path / "config.yaml") == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "holds no settings"),
        ("data: [x]\noutput: y\nlearing_rate: 1\n", "unknown settings: learing_rate"),
        ("data: [x]\noutput: y\nepochs: many\n", "epochs.*'many'"),
        ("a: [\n", "as YAML"),
        ("!!python/object/apply:os.system ['true']\n", "as YAML"),
    ],
)
def test_a_bad_config_file_is_refused(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(tmp_path / "config.yaml")


@given(count=st.integers(1, 60), size=st.integers(1, 12), epoch=st.integers(0, 5), data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_epoch_sees_every_sample_once_and_can_go_on_anywhere(count, size, epoch, data):
    batches = epoch_batches(count, size, seed=111, epoch=epoch)
    assert sorted(itertools.chain(*batches)) == list(range(count))
    assert all(len(batch) == size for batch in batches[:-1])
    first = data.draw(st.integers(0, len(batches)))
    assert epoch_batches(count, size, seed=111, epoch=epoch, first=first) == batches[first:]


def test_epochs_and_seeds_differ_in_order():
    orders = {str(epoch_batches(40, 8, seed=seed, epoch=epoch)) for seed, epoch in itertools.product((1, 2), (0, 1, 2))}
    assert len(orders) == 6


@given(count=st.integers(1, 40), ranks=st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_devices_share_every_batch(count, ranks):
    batches = epoch_batches(count, 8, seed=0, epoch=0)
    shares = [share_of(batches, rank, ranks) for rank in range(ranks)]
    assert all(len(share) == len(batches) for share in shares)
    for index, batch in enumerate(batches):
        seen = [sample for share in shares for sample in share[index]]
        assert set(seen) == set(batch)
        assert len(seen) == max(len(batch), ranks)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12), share=st.floats(0, 0.9))
@settings(max_examples=60, deadline=None)
def test_the_held_out_share_is_stratified(sizes, share):
    samples = samples_of(sizes)
    training, held = hold_out(samples, share, seed=5)
    assert sorted(training + held, key=str) == sorted(samples, key=str)
    left = Counter((sample.group, sample.label) for sample in training)
    assert len(left) == len(sizes)  # every group keeps one to learn from
    taken = Counter((sample.group, sample.label) for sample in held)
    for group, size in enumerate(sizes):
        expected = share * size
        assert taken[("data", str(group // 2)), group % 2] <= expected + len(sizes)
    assert not held or share > 0


def test_the_held_out_share_is_right_in_total_and_seeded():
    samples = samples_of([4] * 30)
    _, held = hold_out(samples, 0.1, seed=5)
    assert len(held) == 12  # though a tenth of each group alone would be none
    assert hold_out(samples, 0.1, seed=5)[1] == held
    assert hold_out(samples, 0.1, seed=6)[1] != held


def test_a_digest_knows_content_not_places():
    samples = samples_of([3])
    moved = [replace(sample, image=Path("elsewhere")) for sample in samples]
    assert digest_of(samples) == digest_of(moved)
    for changes in ({"image_sha256": "x"}, {"mask_sha256": "x"}, {"label": 1}, {"known": False}):
        assert digest_of([replace(samples[0], **changes), *samples[1:]]) != digest_of(samples)
    assert digest_of(samples[::-1]) != digest_of(samples)


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_a_missing_logger_is_named_before_anything_is_done(config, dataset, monkeypatch, name):
    monkeypatch.setattr(loggers_module, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=f"pip install {name}"):
        train(replace(config, loggers=("csv", name)), datasets=[dataset])
    assert not config.folder.exists()


def test_a_logger_that_does_not_start_is_named(config, dataset, monkeypatch):
    def fail(**options):
        raise RuntimeError("api_key not\n configured")

    monkeypatch.setattr(loggers_module, "find_spec", lambda _: True)
    monkeypatch.setattr("lightning.pytorch.loggers.WandbLogger", fail)
    with pytest.raises(ConfigError, match="the logger wandb does not start: api_key not configured"):
        train(replace(config, loggers=("wandb",)), datasets=[dataset])


def test_loggers_are_lightnings_and_get_every_step(config, dataset, monkeypatch):
    seen = []

    class Fake:
        def __init__(self, **options):
            assert options["save_dir"] == str(config.folder)
            self.name = self.version = "fake"

        def log_hyperparams(self, values):
            assert values["batch_size"] == 5

        def log_metrics(self, values, step):
            seen.append((step, values))

        def __getattr__(self, name):
            return lambda *args, **kwargs: None

    monkeypatch.setattr(loggers_module, "find_spec", lambda _: True)
    monkeypatch.setattr("lightning.pytorch.loggers.TensorBoardLogger", Fake)
    train(replace(config, loggers=("tensorboard",)), datasets=[dataset])
    steps = [step for step, values in seen if "train/loss" in values]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert [step for step, values in seen if "epoch/loss" in values] == [3, 6]


def test_a_missing_extra_gives_the_pip_command(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'anomalyclip\[train\]'"):
        check_extra()


def test_one_process_per_folder(tmp_path):
    with (
        run_folder(tmp_path / "run", overwrite=False) as folder,
        pytest.raises(ConfigError, match="another process"),
        run_folder(folder, overwrite=True),
    ):
        pass


def test_a_device_lightning_refuses_is_explained(config, dataset):
    with pytest.raises(ConfigError, match=r"strategy 'no-such'"):
        train(replace(config, strategy="no-such"), datasets=[dataset])
