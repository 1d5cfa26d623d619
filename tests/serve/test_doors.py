"""One way in for every door: a picture gives the number of its file, or is refused, wherever it comes in."""

from __future__ import annotations

import io
import json
import runpy
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.cluster.store import Store
from anomalyclip.cluster.worker import Plan
from anomalyclip.detect.inputs import iter_inputs
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io import read_image
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.reading import Reading

GREY = (110 + 60 * np.sin(np.mgrid[:48, :80][1] / 5)).astype(np.uint8)
RGB = np.dstack([GREY, (GREY * 0.6).astype(np.uint8), (GREY * 0.3).astype(np.uint8)])
EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_standalone.py"


def _turned(path: Path) -> None:
    notes = Image.Exif()
    notes[0x112] = 6
    Image.fromarray(RGB).save(path, exif=notes)


def _see_through(path: Path) -> None:
    rgba = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])
    rgba[:, :20] = 0
    Image.fromarray(rgba).save(path)


FORMS = {
    "plain.png": lambda path: Image.fromarray(RGB).save(path),
    "deep.png": lambda path: cv2.imwrite(str(path), GREY.astype(np.uint16) * 257),
    "unit.tif": lambda path: tifffile.imwrite(path, (GREY / 255).astype(np.float32)),
    "minus.tif": lambda path: tifffile.imwrite(path, GREY.astype(np.float32) - 150),
    "turned.png": _turned,
    "alpha.png": _see_through,
    "palette.png": lambda path: Image.fromarray(RGB).quantize(16).save(path),
    "bits.png": lambda path: Image.fromarray(GREY > 100).save(path),
    "lab.tif": lambda path: Image.fromarray(RGB).convert("LAB").save(path),
    "cmyk.jpg": lambda path: Image.fromarray(RGB).convert("CMYK").save(path),
    "pages.tif": lambda path: tifffile.imwrite(path, np.stack([GREY, 255 - GREY]), photometric="minisblack"),
}


def outcome(call) -> float | None:
    """The score; None for a refusal."""
    try:
        return float(call())
    except AnomalyClipError:
        return None


@pytest.fixture
def shown_to_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the stand-alone example feeds its session for a picture; None where it ends with a message."""
    fed: list[np.ndarray] = []

    class Session:
        def __init__(self, *args: object, **options: object) -> None: ...

        def run(self, names: list[str], given: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            fed.append(given["image"])
            return np.zeros(1), np.zeros((1, 70, 70))

    stub = types.SimpleNamespace(InferenceSession=Session)
    monkeypatch.setitem(sys.modules, "onnxruntime", stub)  # type: ignore[arg-type]
    sidecar = {"image_size": 70, "pixels": "uint8", "input": {"name": "image"}}
    (tmp_path / "anomalyclip.json").write_text(json.dumps(sidecar))

    def run(path: Path) -> np.ndarray | None:
        monkeypatch.setattr(sys, "argv", ["example", str(tmp_path), str(path), str(tmp_path / "heat.png")])
        try:
            runpy.run_path(str(EXAMPLE))
        except SystemExit:
            return None
        return fed.pop()[0]

    return run


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", FORMS)
def test_every_door_gives_the_number_of_the_file(name, server, small_clip, tmp_path, shown_to_the_example) -> None:
    path = tmp_path / name
    FORMS[name](path)
    data = path.read_bytes()
    loaded = Image.open(path)
    loaded.load()
    wanted = outcome(lambda: small_clip.detect(path).score)
    assert (wanted is None) == (name in ("minus.tif", "pages.tif"))
    plan = Plan(Store(str(tmp_path / "out")), {})
    items = list(iter_inputs([str(path)]))[:1]
    doors = {
        "bytes": lambda: small_clip.detect(data).score,
        "open file": lambda: small_clip.detect(Image.open(io.BytesIO(data))).score,
        "loaded": lambda: small_clip.detect(loaded).score,
        "stream": lambda: small_clip.detect(file_reader()(items[0])).score,
        "Ray": lambda: small_clip.detect(plan.read(items[0])).score,
    }
    if name == "unit.tif":  # floats without a stated scale: Ray's workers do not guess one each, they are told
        assert outcome(doors["Ray"]) is None
        told = Plan(Store(str(tmp_path / "out")), {}, reading=Reading(full_scale=parse_full_scale("1")))
        doors["Ray"] = lambda: small_clip.detect(told.read(items[0])).score
    if name != "pages.tif":
        scores = {door: outcome(call) for door, call in doors.items()}
        assert scores == pytest.approx(dict.fromkeys(scores, wanted), abs=1e-6), scores
        row = server.send_files([(name, data)]).json["results"][0]
        assert row["score"] == (None if wanted is None else pytest.approx(wanted, abs=1e-5))
        array = np.asarray(loaded) if loaded.mode in ("L", "RGB", "RGBA", "F", "1") and name != "turned.png" else None
        if array is not None:
            assert outcome(lambda: small_clip.detect(array).score) == pytest.approx(wanted, abs=1e-6)
    fed = shown_to_the_example(path)
    if fed is not None:
        shown = read_image(path).resize((70, 70), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(fed, np.asarray(shown))
    assert (fed is None) == (name in ("deep.png", "unit.tif", "minus.tif", "lab.tif", "cmyk.jpg", "pages.tif"))
