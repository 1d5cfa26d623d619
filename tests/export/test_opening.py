"""One door: which runtime opens what, what is converted once, and what is refused."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from anomalyclip.encoders.choosing import faster_runtime
from anomalyclip.encoders.graph import GraphEncoder
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.export.conversions import known_conversion
from anomalyclip.opening import open_detector

OPTIONS = {"layers": [2, 4, 6], "image_size": 70, "map_weight": 0.25, "device": "cpu", "threads": 1}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A cache of conversions, empty at first."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ANOMALYCLIP_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def converted(home, clip_files):
    """The small CLIP before, the same converted, and what was said: a conversion takes seconds, so there is one."""
    before, said = open_detector(**clip_files, **OPTIONS), io.StringIO()
    with contextlib.redirect_stderr(said):
        return before, open_detector(**clip_files, **OPTIONS, runtime="openvino"), said.getvalue()


def test_auto_is_torch_until_the_model_was_converted(converted, clip_files, photos, capsys, monkeypatch):
    before, first, said = converted
    assert isinstance(before.encoder, TorchEncoder)
    assert "once; it is kept in" in said
    monkeypatch.setattr("anomalyclip.judges.choosing.choose_judges", None)  # from here on, nothing may load the weights
    later = open_detector(**clip_files, **OPTIONS)
    assert isinstance(later.encoder, GraphEncoder)
    assert later.runtime == "openvino"
    assert later.encoder.folder == first.encoder.folder
    assert capsys.readouterr().err == ""
    expected, _ = before.predict(before.preprocess(photos[0])[None])
    found, _ = later.predict(later.preprocess(photos[0])[None])
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_another_setting_or_file_is_another_conversion(converted, clip_files, golden_folder, tmp_path, monkeypatch):
    _, first, _ = converted
    shutil.copytree(first.encoder.folder.parent, tmp_path / "home" / "exports")
    monkeypatch.setenv("ANOMALYCLIP_HOME", str(tmp_path / "home"))
    copy = tmp_path / "clip.safetensors"
    shutil.copy(clip_files["model"], copy)
    for config in Path(clip_files["model"]).parent.glob("open_clip_config.json"):
        shutil.copy(config, copy.with_name(config.name))
    asked = {"model": str(copy), "prompts": clip_files["prompts"], **OPTIONS}
    loading = {name: value for name, value in asked.items() if name not in ("device", "threads")}
    loading["class_name"] = "object"
    assert known_conversion("openvino", "fp32", loading) is None  # another path; its content is known
    opened = open_detector(**asked, runtime="openvino")
    assert opened.encoder.folder == tmp_path / "home" / "exports" / first.encoder.folder.name
    assert known_conversion("openvino", "fp32", loading) == opened.encoder.folder
    assert known_conversion("openvino", "fp32", loading | {"sigma": 2.0}) is None
    assert known_conversion("openvino", "int8", loading) is None
    assert known_conversion("openvino", "fp32", loading | {"reading": "activation gelu"}) is None
    os.utime(copy, ns=(1, 1))  # as a new file of the same name would have
    assert known_conversion("openvino", "fp32", loading) is None
    again = open_detector(**asked, runtime="openvino")
    assert again.encoder.folder == opened.encoder.folder  # the content decides: nothing was converted again
    (opened.encoder.folder / "model.bin").write_bytes(b"damaged")
    assert known_conversion("openvino", "fp32", loading) is None


@pytest.mark.parametrize("main_file", [False, True])
def test_an_artefact_runs_on_its_own_runtime(exported, main_file):
    folder = exported("onnx", "fp32")
    detector = open_detector(folder / "model.onnx" if main_file else str(folder), threads=1)
    assert isinstance(detector.encoder, GraphEncoder)
    assert detector.runtime == "onnx"
    assert detector.settings.layers == (1, 2)
    assert detector.image_size == 42
    assert not detector.sizes.resizes  # one input size: geometry must know
    assert detector.provenance()["runtime"] == "onnx"
    assert "precision" not in detector.provenance()  # fp32: a profile made with torch stays valid


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"runtime": "openvino"}, ConfigError, "runs on onnx, not on openvino"),
        ({"runtime": "native"}, ConfigError, "runs on onnx, not on native"),
        ({"precision": "int8"}, ConfigError, "was exported in fp32"),
        ({"sigma": 2.0}, ConfigError, "sigma of the export .* cannot be changed"),
        ({"device": "mps"}, ConfigError, "onnx runtime runs on auto, cpu, cuda"),
        ({"runtime": "tensorrt"}, ConfigError, "unknown runtime 'tensorrt'"),
    ],
)
def test_what_an_artefact_cannot_do_is_refused(exported, options, error, message):
    with pytest.raises(error, match=message):
        open_detector(exported("onnx", "fp32"), **options)


def test_files_that_can_run_code_are_opened_on_request_only(exported):
    folder = exported("torchscript", "fp32")
    with pytest.raises(ConfigError, match="can run code that is in it"):
        open_detector(folder)
    assert open_detector(folder, runtime="torch", device="cpu").runtime == "torch"


def test_an_export_refuses_pixels_it_was_not_made_for(exported, model, photos):
    detector = open_detector(exported("onnx", "fp32"), threads=1)
    with pytest.raises(InputError, match=r"takes uint8 \(B, 3, 42, 42\), got float32"):
        detector.predict(model.preprocess(photos[0])[None])


def test_detect_is_the_same_whatever_runs_the_model(exported, model, photos):
    detector = open_detector(exported("onnx", "fp32"), threads=1)
    for layout in ({}, {"tile": 42, "overlap": 0.5}):
        expected = model.detect(photos, threshold=0.5, **layout)
        found = detector.detect(photos, batch_size=2, threshold=0.5, **layout)
        for mine, theirs in zip(found, expected, strict=True):
            assert mine.score == pytest.approx(theirs.score, abs=1e-5)
            assert mine.decision == theirs.decision
            np.testing.assert_allclose(mine.anomaly_map, theirs.anomaly_map, atol=1e-5)
    with pytest.raises(ConfigError, match="takes one input size only"):
        detector.detect(photos[0], keep_aspect=True)


def test_half_precision_on_a_cpu_is_bf16(clip_files, photos):
    detector = open_detector(**clip_files, **OPTIONS, runtime="torch", precision="bf16")
    plain = open_detector(**clip_files, **OPTIONS, runtime="torch")
    assert detector.encoder.facts.rounding == "bf16"
    assert detector.sizes.resizes
    scores, maps = detector.predict(detector.preprocess(photos[0])[None])
    expected_scores, expected_maps = plain.predict(plain.preprocess(photos[0])[None])
    assert (scores.dtype, maps.dtype) == (np.float32, np.float32)
    assert 0 < np.abs(maps - expected_maps).max() < 0.1
    assert abs(scores - expected_scores).max() < 0.1
    assert detector.provenance()["precision"] == "bf16"
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        open_detector(**clip_files, **OPTIONS, runtime="torch", precision="fp16")
    with pytest.raises(ConfigError, match="not in 'int8'"):
        open_detector(**clip_files, **OPTIONS, runtime="torch", precision="int8")


def test_the_hint_is_for_those_it_helps():
    assert "--runtime openvino" in str(faster_runtime("auto", "torch", "cpu"))
    assert faster_runtime("torch", "torch", "cpu") is None
    assert faster_runtime("auto", "torch", "cuda") is None
    assert faster_runtime("auto", "onnx", "cpu") is None
