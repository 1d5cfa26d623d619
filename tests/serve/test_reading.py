"""Requests say how their images are read, as `detect --full-scale`, `--axis` and `--frames` do."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.io.reading import Reading
from anomalyclip.serve import ServeConfig

GREY = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint16)


def deep(factor: int = 1) -> bytes:
    out = io.BytesIO()
    Image.fromarray(GREY * 16 * factor).save(out, format="PNG")
    return out.getvalue()


def scored(server, query: str = "", data: bytes | None = None):
    return server.send_files([("a.png", deep() if data is None else data)], f"/v1/detect?{query}").json["results"]


def test_the_scale_of_a_request_gives_the_number_of_the_python_face(server, small_clip) -> None:
    values = np.asarray(Image.open(io.BytesIO(deep())))
    for query, scale in (("", None), ("full_scale=4095", 4095), ("full_scale=100:2000", (100, 2000))):
        (row,) = scored(server, query)
        wanted = small_clip.detect(values.astype(np.uint16), full_scale=scale)
        assert row["score"] == pytest.approx(wanted.score, abs=1e-6)
        assert row["settings"].get("full_scale") == (list(scale) if isinstance(scale, tuple) else scale)
    answer = server.send_files([("a.png", deep())], "/v1/detect?full_scale=5:1")
    assert answer.status == 422
    assert "BLACK:WHITE" in answer.json["error"]["message"]


def test_the_servers_own_scale_and_a_profiles(serve, small_clip, png) -> None:
    with serve(ServeConfig(reading=Reading(full_scale=4095.0))) as server:
        assert scored(server)[0]["score"] == pytest.approx(scored(server, "full_scale=4095")[0]["score"], abs=1e-6)
        query = "/v1/calibrate?name=line&rate=0.3&memory=false&full_scale=2000"
        made = server.send_files([(f"{i}.png", deep(i + 1)) for i in range(4)], query)
        assert made.json["profile"] is not None
        by_profile, asked = scored(server, "profile=line")[0], scored(server, "full_scale=2000")[0]
        assert by_profile["score"] == pytest.approx(asked["score"], abs=1e-6)
        assert by_profile["settings"]["full_scale"] == 2000
        contradicting = server.send_files([("a.png", deep())], "/v1/detect?profile=line&full_scale=300")
        assert contradicting.status == 422
        assert "2000" in contradicting.json["error"]["message"]
        more = server.send_files([("b.png", deep(9))], "/v1/calibrate?name=line&rate=0.3&memory=false&append=true")
        assert more.status == 409


def test_frames_of_a_file(server) -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, np.stack([GREY, GREY + 9, GREY + 99]).astype(np.uint8), photometric="minisblack")
    pages = out.getvalue()
    assert [row["frame"] for row in scored(server, data=pages)] == [0, 1, 2]
    assert [row["frame"] for row in scored(server, "frames=2", pages)] == [0, 1]
    assert [row["frame"] for row in scored(server, "frames=first", pages)] == [0]
    assert server.send_files([("a.tif", pages)], "/v1/detect?frames=0").status == 422


def test_the_first_picture_of_a_request_decides_the_scale_of_floats(server) -> None:
    def floats(top: float, side: int = 50) -> bytes:
        out = io.BytesIO()
        tifffile.imwrite(out, np.linspace(0, top, side * 40, dtype=np.float32).reshape(40, side))
        return out.getvalue()

    def answers(files: list[tuple[str, bytes]]) -> list[str | None]:
        return [row["error"] for row in server.send_files(files, "/v1/detect").json["results"]]

    # The first is the slowest to decode, so that it is through last.
    large, unit, dark = floats(200, 2000), floats(1.0), floats(0.9)
    found = answers([("a.tif", large), ("b.tif", unit), ("c.tif", dark), ("d.tif", floats(180))])
    assert [error is None for error in found] == [True, False, False, True]
    assert "those read before it ended at 255" in str(found[1])
    assert answers([("b.tif", unit), ("c.tif", dark)]) == [None, None], "another request"
