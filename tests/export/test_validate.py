"""Exports against the model they came from."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from anomalyclip.cli import main
from anomalyclip.comparison.drift import drift
from anomalyclip.detect import iter_inputs
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.detector import Detector
from anomalyclip.errors import InputError
from anomalyclip.opening import open_detector
from anomalyclip.reopening import reopen


@pytest.fixture
def pictures(photos, tmp_path):
    (tmp_path / "pictures").mkdir()
    for i, photo in enumerate(photos):
        photo.save(tmp_path / "pictures" / f"{i}.png")
    (tmp_path / "pictures" / "broken.png").write_bytes(b"no image")
    return tmp_path / "pictures"


def validate(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["validate", *map(str, words)])
    return int(ended.value.code or 0)


def changed(model: Detector, **settings: object) -> Detector:
    other = replace(model.settings, **settings)
    words = type(model.judge)(model.judge.text, other)
    return Detector(model.encoder, words, other)


def test_drift_is_what_numpy_finds(exported, model, pictures):
    export, other = open_detector(exported("onnx", "fp32")), changed(model, tau=0.6)
    items = list(iter_inputs([str(pictures)]))
    found = drift(export, other, items, precision="fp32", threshold=0.5, read=file_reader())
    assert len(found.failed) == 1
    assert "broken.png" in found.failed[0][0]
    for one in found.images:
        mine, theirs = (detector.detect(one.path) for detector in (export, other))
        assert one.score == pytest.approx(mine.score, abs=1e-6)
        assert one.reference == pytest.approx(theirs.score, abs=1e-6)
        maps = [d.predict(d.preprocess(file_reader()(i))[None])[1][0] for d in (export, other)
                for i in items if i.path == one.path]  # fmt: skip
        assert one.map == pytest.approx(np.abs(maps[0] - maps[1]).max(), abs=1e-6)
        assert one.map_mean == pytest.approx(np.abs(maps[0] - maps[1]).mean(), abs=1e-6)
        assert one.correlation == pytest.approx(np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1], abs=1e-4)
        assert one.flipped == ((one.score >= 0.5) != (one.reference >= 0.5))
    assert found.problems(0)


def test_the_command(exported, model, pictures, monkeypatch, capsys):
    folder = exported("onnx", "fp32")
    monkeypatch.setattr("anomalyclip.reopening.reopen", lambda record, **options: model)
    assert validate(folder, "--data", pictures, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["problems"] == []
    assert told["worst"]["score"] < 1e-4
    assert len(told["images"]) == 3
    score = told["images"][0]["reference"]
    monkeypatch.setattr("anomalyclip.reopening.reopen", lambda record, **options: changed(model, tau=0.7))
    assert validate(folder, "--data", pictures, "--threshold", score) == 3
    out = capsys.readouterr()
    assert "drift: a score differs by" in out.err
    assert "largest difference of a pixel" in out.out
    assert "left out: " in out.err


def spoil(export: Path, share: float) -> None:
    """Noise of `share` of their spread on all large weights, as a conversion that went wrong would leave them."""
    graph, rng = onnx.load(export / "model.onnx"), np.random.default_rng(0)
    for tensor in graph.graph.initializer:
        if (values := numpy_helper.to_array(tensor)).dtype == np.float32 and values.size > 1000:
            noise = rng.normal(0, share * values.std(), values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values + noise, tensor.name))
    onnx.save(graph, export / "model.onnx")


def test_weights_that_changed_are_told_by_the_exit_code(factory, pictures, tmp_path, capsys):
    """The real command on a real file, before and after; a file that is not the one that was written is refused."""
    export = tmp_path / "export"
    shutil.copytree(factory / "export", export)
    assert validate(export, "--data", pictures) == 0
    spoil(export, 0.5)
    assert validate(export, "--data", pictures) == 2
    sidecar = json.loads((export / "anomalyclip.json").read_text())
    content = (export / "model.onnx").read_bytes()
    sidecar["files"]["model.onnx"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (export / "anomalyclip.json").write_text(json.dumps(sidecar))
    capsys.readouterr()
    assert validate(export, "--data", pictures) == 3
    assert "drift: " in capsys.readouterr().err


def test_refusals(exported, model, pictures, tmp_path, capsys):
    assert validate(tmp_path, "--data", pictures) == 2
    assert "holds no export" in capsys.readouterr().err
    assert validate(exported("onnx", "fp32"), "--data", pictures) == 2
    assert "the model tiny cannot be opened again" in capsys.readouterr().err
    only = list(iter_inputs([str(pictures / "broken.png")]))
    with pytest.raises(InputError, match="no image could be compared"):
        drift(model, model, only, precision="fp32", threshold=0.5, read=file_reader())


def test_a_record_of_other_weights_is_refused():
    told = open_detector("pocket", runtime="onnx").provenance()
    assert reopen(told).provenance() == told
    with pytest.raises(InputError, match="the weights of pocket here are not those of the record"):
        reopen({**told, "weights_sha256": "0" * 64})
    with pytest.raises(InputError, match="names no single model"):
        reopen({"classes": {}})
