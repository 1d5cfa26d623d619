"""`POST /v1/detect`: the same numbers as Python's `detect`, whatever the body; one bad file fails alone."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.detect.result import COLUMNS
from anomalyclip.geometry.regions import find_regions

FAR = "../../../etc/passwd"


def _expected(small_clip, data):
    return small_clip.detect(Image.open(io.BytesIO(data)))


def test_rows_are_those_of_the_python_face(server, small_clip, png) -> None:
    files = [(f"{i}.png", png(i, size)) for i, size in enumerate([(64, 48), (30, 90), (1, 1)])]
    answer = server.send_files(files, "/v1/detect?threshold=0.26&pixel_threshold=0.6&min_area=5")
    assert answer.status == 200
    rows = answer.json["results"]
    assert [row["path"] for row in rows] == ["0.png", "1.png", "2.png"]
    for row, (_, data) in zip(rows, files, strict=True):
        wanted = _expected(small_clip, data)
        assert tuple(row) == COLUMNS
        assert row["score"] == pytest.approx(wanted.score, abs=1e-5)
        assert (row["width"], row["height"]) == (wanted.width, wanted.height)
        assert row["decision"] == ("anomalous" if wanted.score >= 0.26 else "normal")
        regions = find_regions(wanted.anomaly_map, 0.6, min_area=5)
        assert [r["box"] for r in row["regions"]] == [r["box"] for r in regions]
        assert {"threshold": 0.26, "pixel_threshold": 0.6, "min_area": 5, "image_size": 70}.items() <= row[
            "settings"
        ].items()


def test_json_and_form_agree(server, png) -> None:
    data = png(3)
    encoded = base64.b64encode(data).decode()
    by_form = server.send_files([("a.png", data)]).json["results"]
    images = [{"name": "a.png", "data": encoded}, {"data": f"data:image/png;base64,{encoded}"}]
    by_json = server.send_json({"images": images}).json["results"]
    score = pytest.approx(by_form[0]["score"], abs=1e-6)  # another batch size, another order of sums
    assert by_json == [{**by_form[0], "score": score}, {**by_form[0], "score": score, "path": "image-2"}]


@pytest.mark.parametrize("query", ["maps=tiff16", "maps=npz", "maps=png"])
def test_maps_are_the_models(query, server, small_clip, png) -> None:
    data = png(4, (50, 40))
    row = server.send_files([("a.png", data)], f"/v1/detect?{query}").json["results"][0]
    wanted = _expected(small_clip, data).anomaly_map
    assert (row["map"]["width"], row["map"]["height"], row["map"]["format"]) == (50, 40, query[5:])
    file = io.BytesIO(base64.b64decode(row["map"]["data"]))
    if query == "maps=tiff16":
        np.testing.assert_allclose(tifffile.imread(file).astype(np.float32), wanted, atol=5e-4)
    elif query == "maps=npz":
        np.testing.assert_allclose(np.load(file)["anomaly_map"], wanted, atol=1e-5)
    else:
        np.testing.assert_allclose(np.asarray(Image.open(file))[..., 3], wanted * 255, atol=0.6)


def test_maps_and_previews_keep_to_their_bounds(serve, png) -> None:
    from anomalyclip.serve import Limits, ServeConfig

    with serve(ServeConfig(limits=Limits(max_map_values=600))) as up:
        files = [("a.png", png(0, (90, 30)))] * 2
        rows = up.send_files(files, "/v1/detect?maps=tiff16").json["results"]
        sizes = [(row["map"]["width"], row["map"]["height"]) for row in rows]
        assert sizes == [(30, 10), (30, 10)], "600 numbers for two maps, in the image's proportions"
        row = up.send_files(files[:1], "/v1/detect?maps=tiff16&map_side=9&preview=45").json["results"][0]
        assert (row["map"]["width"], row["map"]["height"]) == (9, 3)
        preview = base64.b64decode(row["preview"].removeprefix("data:image/jpeg;base64,"))
        assert Image.open(io.BytesIO(preview)).size == (45, 15)
        assert row["digest"] == hashlib.blake2b(files[0][1], digest_size=16).hexdigest()


def test_a_bad_file_fails_alone(server, png) -> None:
    cut = png(0)[:500]
    files = [("text.png", b"no image"), ("good.png", png(0)), ("cut.png", cut), ("empty", b"")]
    rows = server.send_files(files, "/v1/detect?threshold=0.5&maps=png&preview=9").json["results"]
    assert [row["error"] is None for row in rows] == [False, True, False, False]
    for row, words in zip((rows[0], rows[2], rows[3]), ("not an image", "truncated", "0 bytes"), strict=True):
        assert words in row["error"]
        assert [row[key] for key in ("width", "height", "score", "decision", "regions")] == [None] * 4 + [[]]
        assert "map" not in row
    bad = server.send_json({"images": [{"data": "%%%"}, {"data": "data:nothing"}]}).json["results"]
    assert ["no base64" in bad[0]["error"], "no comma" in bad[1]["error"]] == [True, True]


@pytest.mark.parametrize(
    "name", [FAR, "/etc/passwd", "C:\\boot.ini", "a/../../b.png", "%2e%2e/x", "nul\x00", "x" * 999]
)
def test_names_are_words_and_never_paths(name, server, png) -> None:
    row = server.send_json({"images": [{"name": name, "data": base64.b64encode(png(0)).decode()}]}).json["results"][0]
    assert row["error"] is None
    assert row["path"] == name.replace("\x00", "\\x00")[:4096]
    assert "root:" not in json.dumps(row)


def test_undecodable_names_come_back_as_escapes(server, png, form) -> None:
    body = form([("caf.png", png(0))]).replace(b"caf.png", b"caf\xe9.png")
    kind = "multipart/form-data; boundary=anomalyclip-test"
    row = server.ask("POST", "/v1/detect", body, content_type=kind).json["results"][0]
    assert row["path"] in ("café.png", "caf\\xe9.png")


@pytest.mark.parametrize(
    ("path", "content", "kind", "status", "error"),
    [
        ("/v1/detect", b"x", "text/plain", 415, "media_type"),
        ("/v1/detect", b"x", "", 415, "media_type"),
        ("/v1/detect", b"not json", "application/json", 400, "malformed"),
        ("/v1/detect", b"[]", "application/json", 422, "invalid"),
        ("/v1/detect", b'{"images": []}', "application/json", 422, "invalid"),
        ("/v1/detect", b'{"images": [{"data": 5}]}', "application/json", 422, "invalid"),
        ("/v1/detect", b"x", "multipart/form-data", 400, "malformed"),
        ("/v1/detect", b"--b\r\nno end", "multipart/form-data; boundary=b", 400, "malformed"),
        ("/v1/detect", '{"images": []}'.encode("utf-16"), "application/json", 400, "malformed"),
        ("/v1/detect?threshold=0.1&threshold=0.2", b"{}", "application/json", 422, "invalid"),
        ("/v1/detect", b"--b--\r\n", "multipart/form-data; boundary=b", 422, "invalid"),
        ("/v1/detect?threshold=2", b"{}", "application/json", 422, "invalid"),
        ("/v1/detect?threshold=nan", b"{}", "application/json", 422, "invalid"),
        ("/v1/detect?treshold=0.5", b"{}", "application/json", 422, "invalid"),
        ("/v1/detect?profile=none", b"{}", "application/json", 404, "not_found"),
        ("/v1/nothing", b"{}", "application/json", 404, "not_found"),
        ("/healthz", b"", "", 405, "method"),
    ],
)
def test_refusals_say_what_is_wrong(path, content, kind, status, error, server) -> None:
    answer = server.ask("POST", path, content, **({"content_type": kind} if kind else {}))
    assert (answer.status, answer.json["error"]["kind"]) == (status, error)
    assert "\n" not in answer.json["error"]["message"]
    assert answer.headers["content-type"] == "application/json"


def test_a_body_without_its_last_boundary_loses_no_file(server, png, form) -> None:
    """Of two files the second would be left out, and the answer would look whole."""
    kind = "multipart/form-data; boundary=anomalyclip-test"
    body = form([("a.png", png(0)), ("b.png", png(1))])
    for cut in (len(body) - 30, len(body) - 500, body.index(b"b.png") + 5):
        answer = server.ask("POST", "/v1/detect", body[:cut], content_type=kind)
        assert (answer.status, answer.json["error"]["kind"]) == (400, "malformed")
        assert "ends before its last boundary" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "named",
    [b"filename*=UTF-8''pr%C3%BCf.png", b"filename=\"=?utf-8?B?cHLDvGYucG5n?=\"; filename*=utf-8''pr%C3%BCf.png"],
    ids=["alone", "as .NET sends it"],
)
def test_names_in_the_extended_form_come_whole(named, server, png, form) -> None:
    kind = "multipart/form-data; boundary=anomalyclip-test"
    body = form([("a.png", png(0))]).replace(b'filename="a.png"', named)
    (row,) = server.ask("POST", "/v1/detect", body, content_type=kind).json["results"]
    assert (row["path"], row["error"]) == ("prüf.png", None)


def test_keys_that_are_twice_in_json_lose_no_picture(server, png) -> None:
    data = base64.b64encode(png(0)).decode()
    one = json.dumps({"name": '"data": and "images":', "data": data})
    for body, status in (
        (f'{{"images": [{one}, {one}]}}', 200),
        (f'{{"images": [{one}], "images" : [{one}]}}', 400),
        (f'{{"images": [{{"data": "{data}", "data": "{data}"}}]}}', 400),
        (f'{{"images": [{{"data": "{data}", "d\\u0061ta": "{data}"}}]}}', 400),
        (f'{{"images": [{{"name": "a", "data": "{data}", "\\u006eame": "b"}}]}}', 400),
    ):
        answer = server.ask("POST", "/v1/detect", body.encode(), content_type="application/json")
        assert (answer.status, b"is there twice in one of its objects" in answer.body) == (status, status == 400)


def test_a_packed_body_is_told_as_such(server, png, form) -> None:
    kind = "multipart/form-data; boundary=anomalyclip-test"
    body = gzip.compress(form([("a.png", png(0))]))
    answer = server.ask("POST", "/v1/detect", body, content_type=kind, content_encoding="gzip")
    assert (answer.status, answer.json["error"]["message"]) == (415, "the body is packed (gzip); send it as it is")


def test_json_as_editors_and_mime_write_it(server, png) -> None:
    """A byte order mark, and base64 in lines of 76."""
    plain = server.send_json({"images": [{"data": base64.b64encode(png(0)).decode()}]}).json["results"]
    lines = json.dumps({"images": [{"data": base64.encodebytes(png(0)).decode()}]}).encode()
    answer = server.ask("POST", "/v1/detect", b"\xef\xbb\xbf" + lines, content_type="application/json")
    assert answer.json["results"] == plain


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/readyz"])
def test_head_answers_as_get_does_without_a_body(path, server) -> None:
    head, get = server.ask("HEAD", path), server.ask("GET", path)
    assert (head.status, head.headers["content-length"]) == (200, get.headers["content-length"])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("full_scale=abc", "full_scale 'abc': expected the stored value of white, above 0"),
        ("frames=-1", "frames is '-1', expected first, all, or how many pictures"),
        ("roi=1,2,3", "roi: expected X,Y,W,H in whole pixels, such as 10,20,64,48"),
        ("profile=../x", "profile: expected up to 100 letters, digits and _"),
        ("threshold=0.1&threshold=0.2", "threshold is given twice in the address; give it once"),
    ],
)
def test_refused_values_are_told_in_words(query, says, server) -> None:
    answer = server.ask("POST", f"/v1/detect?{query}", b"{}", content_type="application/json")
    assert answer.status == 422
    assert answer.json["error"]["message"].startswith(says)


def test_a_path_that_is_asked_wrongly_says_how_it_is_asked(server) -> None:
    answer = server.ask("GET", "/v1/detect")
    assert answer.json["error"]["message"] == "GET is no method of this path, which takes POST"


def test_a_wrong_field_is_named(server, png, form) -> None:
    kind = "multipart/form-data; boundary=anomalyclip-test"
    answer = server.ask("POST", "/v1/detect", form([("a.png", png(0))], field="file"), content_type=kind)
    assert answer.status == 422
    assert "'file' is unknown" in answer.json["error"]["message"]
    assert "'files'" in answer.json["error"]["message"]


def test_a_setting_in_the_form_is_told_where_settings_stand(server, png, form) -> None:
    """Also what `curl -F files=a.png` sends, without its @."""
    kind = "multipart/form-data; boundary=anomalyclip-test"
    text = b'--anomalyclip-test\r\nContent-Disposition: form-data; name="threshold"\r\n\r\n0.5\r\n'
    answer = server.ask("POST", "/v1/detect", text + form([("a.png", png(0))]), content_type=kind)
    assert answer.status == 422
    assert "curl -F files=@part.png" in answer.json["error"]["message"]
    assert "?threshold=0.5" in answer.json["error"]["message"]


def test_too_many_files(server, png) -> None:
    small = png(0, (2, 2))
    answer = server.send_files([("a.png", small)] * 33)
    assert (answer.status, answer.json["error"]["kind"]) == (422, "invalid")
    assert "32" in answer.json["error"]["message"]
    answer = server.send_json({"images": [{"data": base64.b64encode(small).decode()}] * 33})
    assert (answer.status, answer.json["error"]["kind"]) == (422, "invalid")


def test_models_say_what_is_served(server, small_clip) -> None:
    (entry,) = server.ask("GET", "/v1/models").json["models"]
    assert entry["name"] == small_clip.name
    assert entry["settings"]["weights_sha256"] == small_clip.weights_sha256
