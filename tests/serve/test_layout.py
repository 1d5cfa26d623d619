"""Tiles, scales, proportions and regions by request: the numbers of the Python face, and bounds on them."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from anomalyclip.serve import laying


def scored(server, data: bytes, query: str):
    answer = server.send_files([("a.png", data)], f"/v1/detect?{query}")
    assert answer.status == 200, answer.body
    return answer.json["results"][0]


@pytest.mark.parametrize(
    ("query", "layout"),
    [
        ("tile=40", {"tile": 40}),
        ("tile=40&overlap=0.5&scales=0.5,1", {"tile": 40, "overlap": 0.5, "scales": (0.5, 1.0)}),
        ("keep_aspect=true", {"keep_aspect": True}),
        ("roi=10,5,60,40", {"roi": (10, 5, 60, 40)}),
        ("roi=10,5,60,40&tile=30", {"roi": (10, 5, 60, 40), "tile": 30}),
    ],
)
def test_the_numbers_are_those_of_the_python_face(query, layout, server, small_clip, png) -> None:
    data = png(3, (100, 60))
    wanted = small_clip.detect(Image.open(io.BytesIO(data)), **layout)
    row = scored(server, data, f"{query}&maps=npz&threshold=0.3")
    assert row["score"] == pytest.approx(wanted.score, abs=1e-5)
    shown = np.load(io.BytesIO(base64.b64decode(row["map"]["data"])))
    (values,) = (shown[name] for name in shown.files)
    np.testing.assert_allclose(values, wanted.anomaly_map, atol=1e-4)
    assert row["geometry"] == wanted.geometry
    told = row["settings"]
    assert all(told[name] == (list(value) if isinstance(value, tuple) else value) for name, value in layout.items())


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("overlap=0.5", "add tile"),
        ("tile=3", "tile"),
        ("roi=/etc/passwd", "roi"),
        ("roi=1,2,3", "roi"),
        ("scales=1,1", "twice"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(query, word, server, png) -> None:
    answer = server.send_files([("a.png", png(1))], f"/v1/detect?{query}")
    assert answer.status == 422
    assert word in answer.json["error"]["message"]


def test_a_request_may_ask_for_so_many_views_of_such_a_size(server, png, monkeypatch) -> None:
    monkeypatch.setattr(laying, "MOST_VIEWS", 6)
    data = png(2, (100, 60))
    assert "larger tiles" in scored(server, data, "tile=16")["error"]
    assert "smaller scales" in scored(server, data, "scales=8")["error"]
    assert "beyond the image" in scored(server, data, "roi=500,500,4,4")["error"]
    assert scored(server, data, "tile=60")["error"] is None


def test_a_profile_of_whole_images_does_not_judge_tiles(server, png) -> None:
    made = server.send_files([(f"{i}.png", png(i)) for i in range(4)], "/v1/calibrate?name=line&rate=0.3&memory=false")
    assert made.json["profile"] is not None
    answer = server.send_files([("a.png", png(9))], "/v1/detect?profile=line&tile=40")
    assert answer.status == 422
    assert "tile None then, 40 now" in answer.json["error"]["message"]
