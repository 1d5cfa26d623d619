"""The embedded model stays itself when it leaves the package: ONNX in float, OpenVINO in int8."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import anomalyclip
from anomalyclip.data.synthetic import render
from anomalyclip.export import ExportOptions, export_model
from anomalyclip.opening import open_detector

# format, precision -> (scores differ by at most, map values differ by at most, an image's maps correlate by at least)
LIMITS = {("onnx", "fp32"): (1e-5, 2e-5, 0.99999), ("openvino", "int8"): (0.03, 0.06, 0.995)}


@pytest.fixture(scope="module")
def pocket():
    return anomalyclip.load("pocket", runtime="torch", device="cpu", threads=1)


@pytest.fixture(scope="module")
def pictures():
    """Renders that no export is quantised or verified with."""
    return [Image.fromarray(render(920_000 + seed, 320, anomalous=bool(seed % 2)).image) for seed in range(4)]


@pytest.mark.parametrize(("fmt", "precision"), LIMITS)
def test_pocket_stays_itself(pocket, pictures, tmp_path, capfd, fmt, precision):
    told: list[str] = []
    options = ExportOptions(fmt, precision, calibration_images=4, verification_images=1)
    export_model(pocket, tmp_path / "out", options, tell=told.append)
    assert not [line for line in told if line.startswith("warning")]
    assert capfd.readouterr().out == ""  # stdout is for data, whatever a quantiser has to say
    detector = open_detector(tmp_path / "out", threads=1)
    assert detector.encoder.artefact.made_with["pocket"] == "4"  # without it the folder would not open
    visual = pocket.encoder.visual
    weights, blocks = (4 * sum(each.numel() for each in part.parameters()) for part in (visual, visual.transformer))
    size = sum(record.bytes for record in detector.encoder.artefact.files.values())
    assert size < weights + 4.5e6 - (blocks if precision == "int8" else 0)  # most are the stem's, kept in float
    score_gap, map_gap, correlation = LIMITS[fmt, precision]
    for picture in pictures:
        found, expected = detector.detect(picture), pocket.detect(picture)
        assert found.score == pytest.approx(expected.score, abs=score_gap)
        assert np.abs(found.anomaly_map - expected.anomaly_map).max() <= map_gap
        assert np.corrcoef(found.anomaly_map.ravel(), expected.anomaly_map.ravel())[0, 1] >= correlation
