"""Every format and precision, run by its own runtime, against torch and the reference's golden numbers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from anomalyclip.encoders.formats import FORMATS
from anomalyclip.encoders.graph import GraphEncoder
from anomalyclip.encoders.sidecar import SIDECAR, read_artefact
from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.export.making import ExportOptions, check_options, export_model
from anomalyclip.hub.registry import POCKET_VERSION
from anomalyclip.opening import from_files, open_detector

# precision -> (scores, map values) may differ by so much
CLOSE = {"fp32": (1e-5, 1e-5), "fp16": (3e-4, 1e-3), "int8": (0.015, 0.1)}
CASES = [(spec.name, precision) for spec in FORMATS.values() for precision in spec.precisions]


@pytest.mark.parametrize(("fmt", "precision"), CASES)
def test_every_export_computes_what_torch_computes(model, exported, photos, fmt, precision):
    detector = open_detector(exported(fmt, precision), runtime=FORMATS[fmt].runtime, threads=1)
    scores, maps = detector.predict(np.stack([detector.preprocess(photo) for photo in photos]))
    expected_scores, expected_maps = model.predict(np.stack([model.preprocess(photo) for photo in photos]))
    score_gap, map_gap = CLOSE[precision]
    np.testing.assert_allclose(scores, expected_scores, rtol=0, atol=score_gap)
    np.testing.assert_allclose(maps, expected_maps, rtol=0, atol=map_gap)
    assert (scores.shape, maps.shape, scores.dtype, maps.dtype) == ((3,), (3, 42, 42), np.float32, np.float32)
    together = np.corrcoef(maps.ravel(), expected_maps.ravel())[0, 1]
    assert together > (0.98 if precision == "int8" else 0.9999)
    if precision != "fp32":
        assert not np.array_equal(maps, expected_maps)  # the precision asked for is the one that ran


def test_a_graph_of_normalised_pixels_equals_the_reference(clip_files, golden, tmp_path):
    """The golden images are normalised floats: they go into the graph as they are."""
    options = {"layers": [2, 4, 6], "image_size": 70, "dpam_blocks": 4}
    model = from_files(clip_files["model"], clip_files["prompts"], **options)
    export_model(model, tmp_path / "ir", ExportOptions("openvino", pixels="normalised", verification_images=1))
    scores, maps = open_detector(tmp_path / "ir", threads=1).predict(golden["images"])
    np.testing.assert_allclose(scores, golden["image_score"], atol=1e-5)
    np.testing.assert_allclose(3 * maps, golden["anomaly_map_sigma4"], atol=3e-5)  # ours is the layers' mean


def test_the_sidecar_says_what_it_is_and_where_it_is_from(model, exported):
    told = json.loads((exported("onnx", "int8") / SIDECAR).read_text())
    assert (told["format"], told["precision"], told["opset"]) == ("onnx", "int8", 18)
    assert told["provenance"] == json.loads(json.dumps(model.provenance()))
    assert told["input"]["shape"] == ["batch", 42, 42, 3]
    assert told["quantisation"]["images"] == 8
    assert {"anomalyclip", "torch", "onnx", "nncf"} <= set(told["made_with"])
    assert told["verification"]["correlation"] > 0.9
    assert told["files"]["model.onnx"]["bytes"] == (exported("onnx", "int8") / "model.onnx").stat().st_size


def test_the_onnx_file_is_well_formed_and_has_no_text_tower(exported):
    import onnx

    path = exported("onnx", "fp32") / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    graph = onnx.load(str(path))
    assert [entry.version for entry in graph.opset_import if entry.domain in ("", "ai.onnx")] == [18]
    assert [value.name for value in graph.graph.output] == ["score", "anomaly_map"]
    assert not any("token_embedding" in tensor.name for tensor in graph.graph.initializer)


def test_a_changed_file_is_refused(exported, tmp_path):
    folder = shutil.copytree(exported("openvino", "fp32"), tmp_path / "ir")
    read_artefact(folder)
    content = bytearray((folder / "model.bin").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.bin was changed after it was exported"):
        GraphEncoder(folder)
    (folder / "model.bin").unlink()
    with pytest.raises(InputError, match="is missing"):
        GraphEncoder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda told: told.update(version=2), "version"),
        (lambda told: told.update(files={"../model.xml": told["files"]["model.xml"]}), "files"),
        (lambda told: told.update(kind="other"), "kind"),
        (lambda told: told.update(extra=1), "extra"),
        (lambda told: told.update(files={}), "does not list model.xml"),
        (lambda told: told["provenance"].update(model="pocket"), r"earlier version of pocket: .*calibrate --again"),
        (
            lambda told: (told["provenance"].update(model="pocket"), told["made_with"].update(pocket="3")),
            "earlier version of pocket",
        ),
        (
            lambda told: (told["provenance"].update(model="pocket"), told["made_with"].update(pocket=POCKET_VERSION)),
            "earlier version of pocket",  # by its weights
        ),
    ],
)
def test_a_sidecar_that_says_something_else_is_refused(exported, tmp_path, change, message):
    told = json.loads((exported("openvino", "fp32") / SIDECAR).read_text())
    change(told)
    (tmp_path / SIDECAR).write_text(json.dumps(told))
    with pytest.raises(InputError, match=message):
        read_artefact(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"version": 1', '"version": 2, "version": 1', "'version' is there twice"),
        ('"version": 1', '"version": 2, "\\u0076ersion": 1', "'version' is there twice"),
        ('"image_size"', '"model": "a", "model": "b", "image_size"', "'model' is there twice"),
        ('"version": 1,', '"version": 1', "it is no JSON"),
        ('"provenance": {', f'"provenance": {{"deep": {"[" * 99_999}{"]" * 99_999}, ', "nested too deeply"),
    ],
)
def test_a_sidecar_edited_into_two_answers_or_none_is_refused(exported, tmp_path, old, new, message):
    text = (exported("openvino", "fp32") / SIDECAR).read_text()
    assert old in text
    (tmp_path / SIDECAR).write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"is no sidecar this version reads .*{message}"):
        read_artefact(tmp_path)


def test_an_export_replaces_only_exports_and_only_when_told(model, tmp_path):
    options = ExportOptions("torchscript", verification_images=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="is no export"):
        export_model(model, tmp_path / "mine", options, overwrite=True)
    export_model(model, tmp_path / "new", options)
    with pytest.raises(OutputError, match="add --overwrite"):
        export_model(model, tmp_path / "new", options)
    export_model(model, tmp_path / "new", options, overwrite=True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine", "new"]


def test_a_wrong_export_is_refused_and_leaves_nothing(model, tmp_path, monkeypatch):
    """A graph that computes something else than the model: its normalisation is off by a third."""
    from anomalyclip.export.graph import DetectorGraph

    def wrong(self, *args, **options):
        original(self, *args, **options)
        self.scale.mul_(0.7)

    original = DetectorGraph.__init__
    monkeypatch.setattr(DetectorGraph, "__init__", wrong)
    with pytest.raises(ConfigError, match="does not compute what torch computes"):
        export_model(model, tmp_path / "out", ExportOptions("torchscript", verification_images=1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "tflite"}, "unknown export format 'tflite'"),
        ({"format": "torchscript", "precision": "int8"}, "int8 exists for onnx, openvino"),
        ({"precision": "int8", "pixels": "normalised"}, "int8 graphs take uint8"),
        ({"calibration": Path("photos")}, "--calibration is for --precision int8"),
        ({"precision": "int8", "calibration_images": 0}, "at least one image"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        check_options(ExportOptions(**options))


def test_a_folder_without_images_cannot_quantise(model, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "broken.png").write_bytes(b"no image")
    options = ExportOptions("openvino", "int8", calibration=tmp_path / "empty", verification_images=1)
    told: list[str] = []
    with pytest.raises(InputError, match="holds no image that can be read"):
        export_model(model, tmp_path / "out", options, tell=told.append)
    assert not (tmp_path / "out").exists()
    assert not any("converting" in line for line in told), "it is told before the long work begins"


_LIGHT = """
import sys, runpy
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("anomalyclip", "torch", OTHER):
            raise ImportError(f"{name} is not available here")
OTHER = sys.argv[1]
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("fmt", "other"), [("onnx", "openvino"), ("openvino", "onnxruntime")])
def test_the_examples_need_neither_this_package_nor_torch(exported, model, photos, tmp_path, fmt, other):
    from PIL import Image

    script = Path(__file__).parents[2] / "examples" / f"{fmt}_standalone.py"
    photos[0].save(tmp_path / "part.png")
    arguments = [other, script, exported(fmt, "fp32"), tmp_path / "part.png", tmp_path / "heat.png"]
    ran = subprocess.run(
        [sys.executable, "-c", _LIGHT, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    told = re.search(r"score (\d\.\d+)", ran.stdout)
    assert told is not None
    assert float(told[1]) == pytest.approx(model.detect(photos[0]).score, abs=1e-4)
    with Image.open(tmp_path / "heat.png") as heat:
        assert heat.size == photos[0].size
    assert len(script.read_text().splitlines()) <= 40
