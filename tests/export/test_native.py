"""The native runtime as users meet it: the embedded model, the door that opens it, the command, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.cli import main
from anomalyclip.data.synthetic import render
from anomalyclip.detector import Detector
from anomalyclip.encoders.choosing import prefers_native
from anomalyclip.encoders.native import NativeEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.native import why_not
from anomalyclip.native.compile import SWITCH
from anomalyclip.opening import open_detector, open_for

needs_kernels = pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))

OPTIONS = {"layers": [2, 4, 6], "image_size": 70, "map_weight": 0.25, "threads": 1}


@needs_kernels
def test_pocket_stays_itself():
    pocket = anomalyclip.load("pocket", runtime="torch", device="cpu", threads=1)
    encoder = NativeEncoder(pocket.encoder.visual, name=pocket.name, weights_sha256=pocket.weights_sha256)
    detector = Detector(encoder, pocket.judge, pocket.settings)
    pictures = [Image.fromarray(render(920_000 + seed, 320, anomalous=bool(seed % 2)).image) for seed in range(4)]
    for picture, found in zip(pictures, detector.detect(pictures, batch_size=2), strict=True):
        expected = pocket.detect(picture)
        assert found.score == pytest.approx(expected.score, abs=0.02)
        assert np.abs(found.anomaly_map - expected.anomaly_map).max() <= 0.05
        assert np.corrcoef(found.anomaly_map.ravel(), expected.anomaly_map.ravel())[0, 1] >= 0.998


@needs_kernels
def test_a_trained_model_in_all_its_layers(clip_files, photos):
    plain = open_detector(**clip_files, **OPTIONS, device="cpu", runtime="torch")
    detector = open_detector(**clip_files, **OPTIONS, runtime="native")
    assert detector.runtime == "native"
    assert detector.sizes == plain.sizes
    for layout in ({}, {"tile": 70, "overlap": 0.5}, {"keep_aspect": True}):
        for found, expected in zip(detector.detect(photos, **layout), plain.detect(photos, **layout), strict=True):
            assert found.score == pytest.approx(expected.score, abs=0.05)  # random weights: all cosines are near 0
            assert np.abs(found.anomaly_map - expected.anomaly_map).max() < 0.05
    scores, maps = detector.predict(np.stack([detector.preprocess(photo) for photo in photos]))
    assert (scores.dtype, maps.dtype, maps.shape) == (np.float32, np.float32, (3, 70, 70))


@needs_kernels
def test_what_it_says_of_itself_keeps_other_profiles_away(clip_files):
    plain = open_detector(**clip_files, **OPTIONS, device="cpu", runtime="torch").provenance()
    told = open_detector(**clip_files, **OPTIONS, runtime="native").provenance()
    added = {"runtime": "native", "precision": "int8", "quantised": "row by row"}
    assert told == plain | added


@needs_kernels
def test_the_float_weights_of_the_blocks_are_dropped(clip_files):
    detector = open_detector(**clip_files, **OPTIONS, precision="int8", runtime="native")
    visual = detector.encoder.visual
    assert all(weight.is_meta for weight in visual.transformer.parameters())
    assert not visual.proj.is_meta


@needs_kernels
def test_int8_takes_it_for_plain_transformers_only(clip_files, monkeypatch):
    assert open_detector(**clip_files, **OPTIONS, precision="int8").runtime == "native"
    assert not prefers_native("pocket")  # half of its time goes into the stem, which stays in float here
    assert not prefers_native("no/such/file")  # whoever loads it will say so
    monkeypatch.setenv(SWITCH, "0")
    assert not prefers_native(clip_files["model"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "fp32"}, r"computes in int8, not in fp32 \(in fp32 it runs pocket alone.* use --runtime torch"),
        ({"device": "cuda"}, "runs on the CPU, not on 'cuda'"),
        ({"compiled": True}, "leave compile out"),
    ],
)
def test_what_it_cannot_do_is_refused_before_anything_is_loaded(options, message):
    with pytest.raises(ConfigError, match=message):
        open_detector("no/such/file", runtime="native", **options)


def test_without_kernels_it_says_why_and_what_else_runs(monkeypatch):
    monkeypatch.setenv(SWITCH, "0")
    with pytest.raises(ConfigError, match=f"unset {SWITCH} .*--runtime torch, or openvino"):
        open_detector("no/such/file", runtime="native")


@needs_kernels
def test_the_command(tmp_path, photos):
    for number, photo in enumerate(photos):
        photo.save(tmp_path / f"{number}.png")
    pictures, output = [str(tmp_path / f"{number}.png") for number in range(3)], tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(["detect", *pictures, "--runtime", "native", "--threads", "2", "--output", str(output), "--no-report"])
    assert ended.value.code in (0, None)
    rows = [json.loads(line) for line in (output / "results.jsonl").read_text().splitlines()]
    pocket = anomalyclip.load("pocket", runtime="torch", device="cpu", threads=1)
    assert len(rows) == 3
    for row in rows:
        assert row["settings"]["runtime"] == "native"
        expected = pocket.detect(tmp_path / Path(row["path"]).name).score
        assert float(row["score"]) == pytest.approx(expected, abs=0.02)


@needs_kernels
def test_evaluation_takes_it_when_it_is_asked_for(clip_files):
    detector = open_for(["bolt"], **clip_files, image_size=70, runtime="native", class_agnostic=True, threads=1)
    assert detector.runtime == "native"
