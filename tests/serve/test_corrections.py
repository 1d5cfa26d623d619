"""Corrections over HTTP: what the profile learns is what `anomalyclip correct` teaches it, and can be taken back."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from anomalyclip.calibration import Profile
from anomalyclip.calibration.conformal import allowed_or_smallest, interpolated_threshold
from anomalyclip.calibration.files import from_content
from anomalyclip.calibration.selftest.painters import KINDS
from anomalyclip.judges.memory.fusion import Scale
from anomalyclip.serve import ServeConfig

ALARM, FAULTY = "said=false%20alarm", "said=faulty"


def drawn(seed: int, blot: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(90, 150, (48, 64, 3), dtype=np.uint8)
    pixels[10 : 10 + blot, 20 : 20 + blot] = (240, 20, 30)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


NORMALS = [(f"good {i}.png", drawn(i)) for i in range(12)]
ODD = [(f"odd {i}.png", drawn(50 + i, 14 + 6 * i)) for i in range(3)]


def whole(server, name: str) -> Profile:
    (profile,) = from_content(server.ask("GET", f"/v1/profiles/{name}").body, "x")
    return profile


def rows(server, name: str, files=ODD):
    return server.send_files(files, f"/v1/detect?profile={name}").json["results"]


def say(server, name: str, files, query: str):
    return server.send_files(files, f"/v1/profiles/{name}/corrections?{query}")


@pytest.fixture(scope="module")
def line(server):
    server.send_files(NORMALS, "/v1/calibrate?name=line&rate=0.1")
    return "line"


def test_a_false_alarm_joins_the_memory_and_can_be_taken_back(server, line) -> None:
    before, found = whole(server, line), rows(server, line)
    alone = [rows(server, line, [one])[0]["score"] for one in ODD]
    assert [row["score"] for row in found] == alone  # no picture's numbers hang on its batch
    answer = say(server, line, ODD[:1], f"{ALARM}&by=ann").json
    (picture,) = answer["pictures"]
    assert picture["digest"] == hashlib.blake2b(ODD[0][1], digest_size=16).hexdigest()
    after = whole(server, line)
    assert after.memory.pictures == (*before.memory.pictures, "odd 0.png")
    assert (after.count, answer["profile"]["corrections"]["false_alarms"]) == (13, 1)
    # What the server said before is what the memory says of the picture without itself.
    scale = Scale(before.memory.score_scale.typical, before.memory.score_scale.line)
    raw = scale.inverse(np.array([*before.image.scores, found[0]["score"]]))
    expected = Scale(float(np.median(raw)), interpolated_threshold(raw, allowed_or_smallest(13, before.image.rate)))
    np.testing.assert_allclose(after.image.scores, np.sort(expected(raw)), atol=2e-4)
    now = rows(server, line)
    assert (now[0]["decision"], picture["score_before"]) == ("normal", found[0]["score"])
    assert picture["score_after"] == pytest.approx(now[0]["score"], abs=1e-5)
    again = say(server, line, ODD[:1], FAULTY)
    assert (again.status, again.json["error"]["kind"]) == (409, "conflict")
    more = server.send_files(NORMALS[:1], f"/v1/calibrate?name={line}&rate=0.1&append=true")
    assert (more.status, "was corrected since" in more.json["error"]["message"]) == (409, True)
    back = server.ask("DELETE", f"/v1/profiles/{line}/corrections/{answer['number']}?by=bob")
    assert (back.status, whole(server, line)) == (200, before)
    assert [rows(server, line, [one])[0]["score"] for one in ODD] == alone
    entries = server.ask("GET", f"/v1/profiles/{line}/corrections").json["entries"]
    assert [(e["action"], e["by"], e["in_force"]) for e in entries] == [
        ("correct", "ann", False),
        ("undo", "bob", False),
    ]
    assert server.ask("DELETE", f"/v1/profiles/{line}/corrections/{answer['number']}").status == 404


def test_faulty_ones_set_the_operating_point_also_after_the_memory_grew(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=faults&rate=0.1")
    before = whole(server, "faults")
    scores = [row["score"] for row in rows(server, "faults")]
    say(server, "faults", ODD[1:], f"{FAULTY}&min_recall=0.5")
    after = whole(server, "faults")
    assert (after.image, after.memory.sha256) == (before.image, before.memory.sha256)
    assert after.operating.threshold == pytest.approx(min(scores[1:]), abs=1e-5), "k = floor(3 * 0.5) = 1: the lowest"
    third = say(server, "faults", ODD[:1], f"{ALARM}&min_recall=0.5").json
    grown = rows(server, "faults", ODD[1:])
    limit = min(whole(server, "faults").operating.threshold, min(row["score"] for row in grown))
    assert whole(server, "faults").operating.threshold == pytest.approx(limit, abs=1e-5)
    held = third["profile"]["corrections"]
    assert (held["false_alarms"], held["faulty"], held["numbers"]) == (1, 2, [1, 2])
    first = server.ask("DELETE", "/v1/profiles/faults/corrections/1")
    assert (first.status, "correction 2 came later" in first.json["error"]["message"]) == (409, True)
    table = list(
        csv.DictReader(io.StringIO(server.ask("GET", "/v1/profiles/faults/corrections?form=csv").body.decode()))
    )
    assert [(row["path"], row["said"]) for row in table] == [
        ("odd 1.png", "faulty"), ("odd 2.png", "faulty"), ("odd 0.png", "false alarm"),
    ]  # fmt: skip
    coco = json.loads(server.ask("GET", "/v1/profiles/faults/corrections?form=coco").body)
    assert {image["file_name"] for image in coco["images"]} == {"odd 0.png", "odd 1.png", "odd 2.png"}
    saved = server.ask("GET", "/v1/profiles/faults").json
    assert saved["profiles"][0]["corrections"]["faulty"] == 2
    saved["profiles"][0]["name"], saved["memories"] = "elsewhere", {"elsewhere": saved["memories"]["faults"]}
    assert server.send_json(saved, "/v1/profiles").status == 200
    assert say(server, "elsewhere", ODD[:1], ALARM).json["number"] == 3, (
        "numbers of another journal are not given twice"
    )


def test_a_region_joins_the_memory_alone(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=part&rate=0.1")
    before = whole(server, "part")
    answer = say(server, "part", ODD[:1], f"{ALARM}&region=20,10,14,14").json
    after = whole(server, "part")
    assert (after.count, len(after.memory.pictures)) == (12, 13)
    assert after.image_threshold == before.image_threshold
    assert answer["profile"]["corrections"]["regions"] == 1
    assert say(server, "part", ODD[:1], f"{ALARM}&region=60,10,14,14").status == 422


def test_without_a_memory_scores_set_the_thresholds(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=words&rate=0.1&memory=false")
    before = whole(server, "words")
    score = rows(server, "words", ODD[:1])[0]["score"]
    answer = say(server, "words", ODD[:1], ALARM).json
    np.testing.assert_allclose(whole(server, "words").image.scores, np.sort([*before.image.scores, score]), atol=1e-6)
    assert answer["profile"]["corrections"]["false_alarms"] == 1
    assert say(server, "words", ODD[1:2], f"{ALARM}&region=20,10,4,4").status == 422


def test_bad_pictures_and_late_clients_change_nothing(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=still&rate=0.1")
    revision = server.ask("GET", "/v1/profiles").json["profiles"]
    revision = next(one["revision"] for one in revision if one["name"] == "still")
    before = whole(server, "still")
    assert say(server, "still", [("bad.png", b"x")], ALARM).status == 422
    assert say(server, "still", ODD[:1], f"{ALARM}&revision={revision + 1}").status == 409
    assert say(server, "nobody", ODD[:1], ALARM).status == 404
    assert whole(server, "still") == before
    answer = say(server, "still", [ODD[0], ("bad.png", b"x")], f"{ALARM}&revision={revision}").json
    assert [one["path"] for one in answer["skipped"]] == ["bad.png"]
    assert answer["revision"] == revision + 1


def test_a_moved_threshold_is_kept_until_faults_are_told(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=moved&rate=0.1")
    drawn_line = whole(server, "moved")
    path = "/v1/profiles/moved/thresholds?threshold=0.9&pixel_threshold=0.8"
    told = server.ask("POST", f"{path}&by={quote('Bob B')}").json["profile"]
    assert (told["image_threshold"], told["pixel_threshold"], told["moved"]["by"]) == (0.9, 0.8, "Bob B")
    kept = whole(server, "moved")
    assert (kept.image, kept.decide(0.89), kept.decide(0.9)) == (drawn_line.image, "normal", "anomalous")
    alarm = say(server, "moved", ODD[:1], ALARM).json["profile"]
    assert alarm["moved"] is not None
    after = say(server, "moved", ODD[1:2], FAULTY).json["profile"]
    assert after["moved"] is None


def test_a_profile_of_a_file_is_corrected_here_alone(serve, server, line) -> None:
    given = whole(server, line)
    with serve(ServeConfig(profile=line), profiles=[given]) as up:
        assert say(up, line, ODD[:1], f"{ALARM}&revision=0").json["revision"] == 1
        assert [one["corrections"]["false_alarms"] for one in up.ask("GET", "/v1/profiles").json["profiles"]] == [1]
        assert rows(up, line, ODD[:1])[0]["decision"] == "normal"
        assert up.ask("DELETE", f"/v1/profiles/{line}").status == 422


def test_the_pictures_that_set_the_line_are_named_and_shown(server) -> None:
    """Before and after a false alarm, which is the highest score then; each is the threshold of the others."""
    server.send_files(NORMALS, "/v1/calibrate?name=setting&rate=0.1")
    first = whole(server, "setting")
    assert [one.score for one in first.setting] == sorted(first.image.scores)[:-4:-1]
    for one in first.setting:
        assert first.memory.pictures[one.picture] == one.name
        others = list(first.image.scores)
        others.remove(one.score)
        assert one.without == pytest.approx(interpolated_threshold(others, allowed_or_smallest(11, 0.1)), rel=1e-5)
        assert server.ask("GET", f"/v1/profiles/setting/pictures/{one.picture}").status == 200
    say(server, "setting", ODD[2:], ALARM)
    after = whole(server, "setting")
    assert [one.name for one in after.setting] == ["odd 2.png", *(one.name for one in first.setting[:2])]
    assert [one.score for one in after.setting] == pytest.approx(sorted(after.image.scores)[:-4:-1])
    assert after.memory.pictures[after.setting[0].picture] == "odd 2.png"


def test_painted_faults_tell_what_a_line_will_find(server) -> None:
    server.send_files(NORMALS, "/v1/calibrate?name=painted&rate=0.1")
    answer = server.send_files([*NORMALS[:3], ODD[0]], "/v1/profiles/painted/self-test").json
    test = answer["self_test"]
    assert [one["path"] for one in answer["skipped"]] == ["odd 0.png"]
    assert test["faults"] == len(test["tried"]) >= len(KINDS)
    assert test["found"] == pytest.approx(np.mean([one["score"] > 0.5 for one in test["tried"]]))
    kept = whole(server, "painted").self_test
    assert kept.model_dump(mode="json") == test, "it is saved with the profile"
    assert answer["revision"] == 1, "nobody who corrects is in its way"
    assert say(server, "painted", ODD[:1], ALARM).status == 200
    assert whole(server, "painted").self_test is None, "another line, not yet tried"
    refused = server.send_files(ODD[1:], "/v1/profiles/painted/self-test")
    assert (refused.status, "remembers no odd 1.png" in refused.json["error"]["message"]) == (422, True)
    server.send_files(NORMALS, "/v1/calibrate?name=bare&rate=0.1&memory=false")
    assert server.send_files(NORMALS[:1], "/v1/profiles/bare/self-test").status == 422
