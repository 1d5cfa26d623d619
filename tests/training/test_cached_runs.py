"""Whole runs on the feature cache: damaged records are rebuilt, and the encoder runs once."""

from __future__ import annotations

from dataclasses import replace

from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.training import train
from anomalyclip.training.module import PromptTraining


def test_a_run_rebuilds_damaged_records_only(config, dataset, monkeypatch):
    """All kinds of records are damaged between two runs; the second encodes these images again, and learns the same."""
    encoded, original = [], TorchEncoder.encode

    def encode(self, pixels, request):
        encoded.append(len(pixels))
        return original(self, pixels, request)

    monkeypatch.setattr(TorchEncoder, "encode", encode)
    first = train(replace(config, epochs=1), datasets=[dataset])
    assert sum(encoded) == 12
    root = config.folder.parent / "cache"
    records = sorted(path for path in root.rglob("*") if len(path.name) == 64)
    features = [path for path in records if "masks" not in str(path)]
    masks = [path for path in records if "masks" in str(path)]
    assert (len(features), len(masks)) == (12, 6)
    features[0].write_bytes(features[0].read_bytes()[:1000])
    for path in (features[1], masks[0]):
        data = bytearray(path.read_bytes())
        data[-5] ^= 255
        path.write_bytes(data)
    encoded.clear()
    second = train(replace(config, epochs=1, output=f"{config.output}2"), datasets=[dataset])
    assert sum(encoded) == 2
    assert second.history == first.history
    assert second.prompts.read_bytes() == first.prompts.read_bytes()


def test_the_encoder_runs_once(config, dataset, monkeypatch):
    """Whatever the number of epochs, and not at all in a second run."""
    calls, original = [], TorchEncoder.encode
    monkeypatch.setattr(TorchEncoder, "encode", lambda *args: calls.append(1) or original(*args))
    monkeypatch.setattr(PromptTraining, "_features", _never_pixels(PromptTraining._features))
    train(replace(config, epochs=3), datasets=[dataset])
    train(replace(config, epochs=3, output=f"{config.output}2"), datasets=[dataset])
    assert len(calls) == 12


def _never_pixels(original):
    def features(self, batch):
        assert batch.pixels is None
        return original(self, batch)

    return features
