"""`/v1/part` and `/v1/report`: what they give, and that whatever else they are sent is refused in the promised JSON."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from anomalyclip.serve.reporting import MOST_ROWS

ROW = {"path": "a.png", "width": 64, "height": 48, "score": 0.5, "decision": "normal"}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def refusal(answer) -> tuple[int, str]:
    """Its status and kind, having looked at its form."""
    error = answer.json["error"]
    assert set(answer.json) == {"error"}
    assert set(error) == {"kind", "message"}
    assert "\n" not in error["message"]
    assert "Traceback" not in error["message"]
    return answer.status, error["kind"]


def test_a_part_is_the_picture_s_own_pixels(server, png) -> None:
    answer = server.send_files([("a.png", png())], "/v1/part?box=8,4,100,100")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(answer.body)) as found, Image.open(io.BytesIO(png())) as whole:
        assert found.size == (56, 44), "a box ends where the picture does"
        difference = np.asarray(found, float) - np.asarray(whole.crop((8, 4, 64, 48)), float)
        assert abs(difference).mean() < 8, "JPEG's loss on noise, no other place"
    small = server.send_files([("a.png", png())], "/v1/part?box=0,0,64,48&side=16")
    assert Image.open(io.BytesIO(small.body)).size == (16, 12)


@pytest.mark.parametrize(
    "query",
    [
        "", "?box=", "?box=1,2,3", "?box=1,2,3,4,5", "?box=a,b,c,d", "?box=-1,0,5,5", "?box=0,0,5.5,5",
        "?box=0,0,1e9,1",
        "?box=64,0,1,1", "?box=0,48,1,1", "?box=99999999999999999999,0,1,1", "?box=0,0,5,5%0a", "?box=0,0,5,5;0,0,5,5",
        "?box=0,0,5,5&side=0", "?box=0,0,5,5&side=99999", "?box=0,0,5,5&side=x", "?box=0,0,5,5&frame=-1",
        "?box=0,0,5,5&frame=99999999999", "?box=0,0,5,5&profile=../x", "?box=%00", "?box=" + "9" * 5000 + ",0,1,1",
    ],
)  # fmt: skip
def test_parts_that_are_none(server, png, query) -> None:
    assert refusal(server.send_files([("a.png", png())], f"/v1/part{query}")) == (422, "invalid")


def test_a_part_of_no_size_or_of_an_unknown_profile(server, png) -> None:
    answer = server.send_files([("a.png", png())], "/v1/part?box=0,0,0,0")
    assert answer.status == 422
    assert refusal(server.send_files([("a.png", png())], "/v1/part?box=0,0,5,5&profile=unknown")) == (404, "not_found")


def test_a_part_of_a_frame_that_is_not_there_is_not_another_s(server, png) -> None:
    path = "/v1/part?box=0,0,5,5&frame="
    assert refusal(server.send_files([("a.png", png())], f"{path}3")) == (422, "invalid")
    buffer = io.BytesIO()
    levels = [Image.new("L", (8, 8), level) for level in range(50)]  # more than one request may have pictures
    levels[0].save(buffer, "TIFF", save_all=True, append_images=levels[1:])
    answer = server.send_files([("a.tif", buffer.getvalue())], f"{path}40")
    assert abs(np.asarray(Image.open(io.BytesIO(answer.body)), int) - 40).max() <= 2
    assert refusal(server.send_files([("a.tif", buffer.getvalue())], f"{path}50")) == (422, "invalid")


@pytest.mark.parametrize("data", [b"", b"junk", b"\x89PNG\r\n\x1a\n", b"<svg/>", b"PK\x03\x04"], ids=repr)
def test_parts_of_what_is_no_picture(server, data) -> None:
    assert refusal(server.send_files([("a.png", data)], "/v1/part?box=0,0,5,5")) == (422, "invalid")


def test_parts_of_two_files_or_of_none(server, png) -> None:
    path = "/v1/part?box=0,0,5,5"
    assert refusal(server.send_files([("a.png", png()), ("b.png", png())], path)) == (422, "invalid")
    assert refusal(server.send_files([], path))[0] in (400, 422)
    assert refusal(server.ask("POST", path, b"x", content_type="text/plain")) == (415, "media_type")
    assert refusal(server.ask("POST", path, b"{", content_type="application/json")) == (400, "malformed")
    assert refusal(server.ask("GET", path)) == (405, "method")


def test_a_report_is_a_page_of_its_own(server) -> None:
    answer = server.send_json({"rows": [{**ROW, "image": PIXEL, "path": "<script>alert(1)</script>"}]}, "/v1/report")
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == "sandbox"
    assert "attachment" in answer.headers["content-disposition"]
    assert b"<script>alert" not in answer.body


@pytest.mark.parametrize(
    "changed",
    [
        {"path": None}, {"path": 3}, {"path": "x" * 5000}, {"score": 1.5}, {"score": -0.1}, {"score": "NaN"},
        {"decision": "odd"}, {"unknown": 1}, {"notes": ["x"] * 21}, {"notes": ["x" * 5000]}, {"frame": 1.5},
        {"regions": [{"box": [1, 2, 3], "peak": 0.5}]}, {"regions": [{"box": [1, 2, 3, 4], "peak": 2}]},
        {"regions": [{"box": [1, 2, 3, 4], "peak": 0.5}] * 1001}, {"regions": "all"}, {"image": "http://evil.example/"},
        {"image": "data:text/html;base64,PGI+"}, {"image": 'data:image/png;base64,AA=="onload="'},
        {"heat": "data:image/svg+xml;base64,AA=="}, {"heat": "data:image/png;base64," + "A" * 2**20},
    ],
    ids=lambda one: str(one)[:40],
)  # fmt: skip
def test_rows_that_are_none(server, changed) -> None:
    assert refusal(server.send_json({"rows": [{**ROW, **changed}]}, "/v1/report")) == (422, "invalid")


@pytest.mark.parametrize(
    "body", [{}, {"rows": []}, {"rows": {}}, [], 1, None, {"rows": [ROW], "threshold": 2}, {"rows": [ROW], "more": 1}],
    ids=str,
)  # fmt: skip
def test_reports_that_are_none(server, body) -> None:
    assert refusal(server.send_json(body, "/v1/report")) == (422, "invalid")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"rows": [' * 50_000, b'{"rows": NaN}', b"\0"],
    ids=lambda one: repr(one[:12]),
)  # fmt: skip
def test_reports_of_broken_or_deep_json(server, data) -> None:
    status, kind = refusal(server.ask("POST", "/v1/report", data, content_type="application/json"))
    assert (status, kind) in {(400, "malformed"), (422, "invalid")}


def test_reports_are_json_and_bounded(server) -> None:
    assert refusal(server.ask("POST", "/v1/report", b"{}", content_type="text/plain")) == (415, "media_type")
    assert refusal(server.send_files([("a", b"{}")], "/v1/report")) == (415, "media_type")
    many = json.dumps({"rows": [{"path": ""}] * (MOST_ROWS + 1)}).encode()
    assert refusal(server.ask("POST", "/v1/report", many, content_type="application/json")) == (422, "invalid")


def test_names_that_are_no_text_come_back_as_escapes(server) -> None:
    data = b'{"rows": [{"path": "a\\ud800b.png"}]}'
    answer = server.ask("POST", "/v1/report", data, content_type="application/json")
    assert answer.status in (200, 400, 422)
    answer.body.decode("utf-8")
