"""Uploads of several pictures: a row each, up to what a request may hold."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from anomalyclip.io.frames import count_frames_of
from anomalyclip.io.isolation import Survey
from anomalyclip.serve.config import Limits, ServeConfig
from anomalyclip.serve.uploads import Upload, pictures_of


def stack(*levels: int, kind: str = "TIFF") -> bytes:
    pictures = [Image.new("L", (40, 30), level) for level in levels]
    buffer = io.BytesIO()
    pictures[0].save(buffer, kind, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def test_a_row_per_picture(serve: Callable[..., Any], png: Callable[..., bytes]) -> None:
    with serve(ServeConfig(limits=Limits(max_files=5, queue=8))) as up:
        whole = up.send_files([("one.png", png()), ("s.tif", stack(10, 90, 200)), ("bad.tif", b"II*\0")])
        rows = whole.json["results"]
        assert [(row["path"], row["frame"]) for row in rows] == [
            ("one.png", None),
            ("s.tif#frame=0", 0),
            ("s.tif#frame=1", 1),
            ("s.tif#frame=2", 2),
            ("bad.tif", None),
        ]
        assert [row["error"] is None for row in rows] == [True, True, True, True, False]
        single = up.send_files([("b.png", stack(90, kind="PNG"))]).json["results"][0]
        assert rows[2]["score"] == pytest.approx(single["score"], abs=1e-5)
        crowded = up.send_files([("s.tif", stack(*range(9)))]).json["results"]
        assert [row["frame"] for row in crowded] == [0, 1, 2, 3, None]
        assert "holds 9 pictures, of which this request has room for 4" in crowded[-1]["error"]


def test_the_pictures_of_a_request_are_bounded() -> None:
    data = stack(*range(40), kind="GIF")
    uploads = [Upload(f"{n}.gif", lambda: data) for n in range(4)]
    surveys = [Survey(count_frames_of(data), decoded=1000, pixels=100)] * 4
    assert len(pictures_of(uploads, surveys, 32)) == 32
    assert len(pictures_of(uploads[:1], surveys[:1], 40)) == 40
