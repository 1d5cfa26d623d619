"""Profiles over HTTP: the same thresholds as `anomalyclip.calibration` finds, in one request or in parts."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from anomalyclip.calibration import Profile, conformal_threshold, read_profile
from anomalyclip.errors import ConfigError
from anomalyclip.serve import ServeConfig, create_app
from anomalyclip.serve.profiles import Profiles
from anomalyclip.serve.refusals import Refused


@pytest.fixture(scope="module")
def normals(png):
    return [(f"{i}.png", png(i)) for i in range(12)]


@pytest.fixture(scope="module")
def predictions(small_clip, normals):
    return [small_clip.detect(Image.open(io.BytesIO(data))) for _, data in normals]


def test_thresholds_are_conformal(server, normals, predictions) -> None:
    answer = server.send_files(normals, "/v1/calibrate?name=line-1&rate=0.1&memory=false")
    assert answer.status == 200
    told = answer.json
    assert (told["images"], told["skipped"], told["images_needed"]) == (12, [], 9)
    assert told["smallest_rate"] == pytest.approx(1 / 13)
    wanted = conformal_threshold([p.score for p in predictions], 0.1)
    assert told["profile"]["image_threshold"] == pytest.approx(wanted, abs=1e-5)
    peaks = conformal_threshold([p.anomaly_map.max() for p in predictions], 0.1)
    assert told["profile"]["pixel_threshold"] == pytest.approx(peaks, abs=1e-5)
    (listed,) = [p for p in server.ask("GET", "/v1/profiles").json["profiles"] if p["name"] == "line-1"]
    assert listed == {**told["profile"], "revision": told["revision"], "earlier": []}


def test_in_parts_it_is_the_same_and_repeats_do_not_count(server, normals) -> None:
    first = server.send_files([*normals[:5], ("bad.png", b"x")], "/v1/calibrate?name=parts&rate=0.1&memory=false").json
    assert (first["images"], first["profile"]) == (5, None)
    assert first["skipped"][0]["path"] == "bad.png"
    assert server.send_files(normals[:1], "/v1/detect?profile=parts").status == 404
    again = server.send_files(normals[3:], "/v1/calibrate?name=parts&rate=0.1&memory=false&append=true").json
    assert again["images"] == 12
    assert ["same picture" in s["reason"] or "also given" in s["reason"] for s in again["skipped"]] == [True, True]
    whole = server.send_files(normals, "/v1/calibrate?name=whole&rate=0.1&memory=false").json["profile"]
    for key in ("image_threshold", "pixel_threshold"):
        assert again["profile"][key] == pytest.approx(whole[key], abs=1e-6)
    only_repeats = server.send_files(normals[:2], "/v1/calibrate?name=parts&rate=0.1&memory=false&append=true").json
    assert (only_repeats["images"], len(only_repeats["skipped"])) == (12, 2)


def test_a_profile_decides(server, normals) -> None:
    server.send_files(normals, "/v1/calibrate?name=use&rate=0.1")
    file = server.ask("GET", "/v1/profiles/use").json
    profile = Profile.model_validate(file["profiles"][0])
    for row in server.send_files(normals[:4], "/v1/detect?profile=use").json["results"]:
        assert row["decision"] == profile.decide(row["score"])
        assert row["p_value"] == pytest.approx(profile.p_value(row["score"]))
        assert row["settings"]["profile"] == "use"
        assert row["settings"]["pixel_threshold"] == profile.pixel_threshold
    row = server.send_files(normals[:1], "/v1/detect?profile=use&threshold=0").json["results"][0]
    assert (row["decision"], row["settings"]["threshold"]) == ("anomalous", 0), "the query has the last word"


def test_profiles_of_files_stay_and_others_go(serve, small_clip, normals) -> None:
    with serve() as up:
        up.send_files(normals, "/v1/calibrate?name=kept&rate=0.1&memory=false")
        given = Profile.model_validate(up.ask("GET", "/v1/profiles/kept").json["profiles"][0])
        assert up.ask("DELETE", "/v1/profiles/kept").status == 204
        assert up.ask("DELETE", "/v1/profiles/kept").status == 404
        assert up.ask("GET", "/v1/profiles").json == {"profiles": []}
    app = create_app(small_clip, ServeConfig(profile="kept"), [given])
    profiles = app.state.service.profiles
    assert profiles.get("kept") == given
    for refused in (lambda: profiles.remove("kept"), lambda: profiles.refuse_given("kept")):
        with pytest.raises(Exception, match="came with the server"):
            refused()
    app.state.service.close()


def test_images_that_were_too_few_are_in_nobodys_way(serve, normals) -> None:
    """They are listed nowhere, so who asks afresh cannot know their revision; who collects them can go on, too."""
    query = "/v1/calibrate?name=line&rate=0.1&memory=false"
    with serve() as up:
        few = up.send_files(normals[:3], f"{query}&revision=0").json
        assert (few["profile"], few["revision"]) == (None, 1)
        assert up.ask("GET", "/v1/profiles").json["profiles"] == []
        afresh = up.send_files(normals[:4], f"{query}&revision=0").json
        assert (afresh["images"], afresh["revision"]) == (4, 2)
        assert up.send_files(normals[3:5], f"{query}&append=true&revision=1").status == 409
        whole = up.send_files(normals[4:], f"{query}&append=true&revision=2").json
        assert (whole["images"], whole["profile"]["name"]) == (len(normals), "line")
        assert up.send_files(normals, f"{query}&revision=0").status == 409


def test_two_clients_do_not_overwrite_each_other(serve, normals) -> None:
    """The second to send is told that it does not know what is there; what it replaces all the same is kept."""
    query = "/v1/calibrate?name=line&rate=0.1&memory=false"
    with serve() as up:
        first = up.send_files(normals, f"{query}&revision=0").json
        assert (first["revision"], first["earlier"], first["replaced"]) == (1, [], None)
        refused = up.send_files(normals[:11], f"{query}&revision=0")
        assert (refused.status, refused.json["error"]["kind"]) == (409, "conflict")
        assert "it has revision 1" in refused.json["error"]["message"]
        assert up.send_files(normals[:1], f"{query}&append=true&revision=7").status == 409
        assert up.ask("GET", "/v1/profiles/line").json["profiles"][0]["made"] == first["profile"]["made"]
        second = up.send_files(normals[:11], f"{query}&revision=1").json
        assert (second["revision"], second["earlier"]) == (2, [1])
        assert second["replaced"] == first["profile"]
        grown = up.send_files(normals[11:], f"{query}&append=true&revision=2").json
        assert (grown["images"], grown["revision"], grown["earlier"], grown["replaced"]) == (12, 3, [1], None)
        earlier = up.ask("GET", "/v1/profiles/line?revision=1")
        assert earlier.json["profiles"][0]["made"] == first["profile"]["made"]
        assert up.ask("GET", "/v1/profiles/line?revision=2").status == 404
        for revision, status in ((2, 409), (3, 200)):
            sent = up.ask("POST", f"/v1/profiles?revision={revision}", earlier.body, content_type="application/json")
            assert sent.status == status
        assert [(one["revision"], one["earlier"]) for one in sent.json["profiles"]] == [(4, [1, 3])]
        for _ in range(4):
            up.send_files(normals, query)
        (listed,) = up.ask("GET", "/v1/profiles").json["profiles"]
        assert (listed["revision"], listed["earlier"]) == (8, [5, 6, 7])
    profile = Profile.model_validate(earlier.json["profiles"][0])
    replaced_go_before_others_are_refused(profile)


def replaced_go_before_others_are_refused(profile: Profile) -> None:
    size = 1000 * profile.count  # of one that is replaced; the one in force counts three times
    profiles = Profiles([], profile.provenance, 64, room=8 * size)
    for number in range(6):
        profiles.put([profile.model_copy(update={"name": f"line{number % 2}"})])
        assert sum(one.nbytes() for one in profiles._made.values()) <= 8 * size
    with pytest.raises(Refused, match="profiles of clients hold"):
        profiles.put([profile.model_copy(update={"name": "more"})])
    assert [one.name for one in profiles.all()] == ["line0", "line1"]


def test_a_profile_of_another_model_is_refused(small_clip, serve, normals) -> None:
    with serve() as up:
        up.send_files(normals, "/v1/calibrate?name=other&rate=0.1")
        content = up.ask("GET", "/v1/profiles/other").json["profiles"][0]
    content["provenance"]["weights_sha256"] = "0" * 64
    with pytest.raises(ConfigError, match="weights_sha256"):
        create_app(small_clip, ServeConfig(), [Profile.model_validate(content)])


@pytest.mark.parametrize("query", ["", "name=a/b", "name=x&rate=0", "name=x&rate=1", "name=x&pixel_rule=none"])
def test_bad_options(query, server, normals) -> None:
    assert server.send_files(normals[:1], f"/v1/calibrate?{query}").status == 422


def test_a_profile_with_a_memory_judges_by_it(serve, small_clip, png, tmp_path) -> None:
    """The same score as `Detector.detect` with the memory gives, and the words' own where no profile is named."""
    from anomalyclip.calibration.making import Maker
    from anomalyclip.calibration.measured import collect
    from anomalyclip.detect.inputs import iter_inputs
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

    for seed in range(5):
        (tmp_path / f"{seed}.png").write_bytes(png(seed))
    maker = Maker(
        small_clip, Geometry(), Areas(), rates=(0.2, 0.2), pixel_rule="image", name="line", memory=True, split=False,
        self_test=False, reading=Reading(), measure=lambda model, items, known: collect(model, items, known=known),
    )  # fmt: skip
    made = maker.make(list(iter_inputs([str(tmp_path)], recursive=False)), None, None)
    assert made.profile.memory is not None
    other = png(9)
    with serve(profiles=[made.profile]) as server:
        given = server.send_files([("a.png", other)], "/v1/detect?profile=line").json["results"][0]
        plain = server.send_files([("a.png", other)]).json["results"][0]
    picture = Image.open(io.BytesIO(other)).convert("RGB")
    assert given["score"] == pytest.approx(made.profile.judged(small_clip).detect(picture).score, abs=1e-6)
    assert plain["score"] == pytest.approx(small_clip.detect(picture).score, abs=1e-6)
    assert given["settings"]["memory_sha256"] == made.profile.memory.sha256


def test_calibrate_makes_a_memory_as_the_command_does(serve, small_clip, png, tmp_path) -> None:
    """Sent in parts it is the very memory that `model.calibrate` makes of all; regions name their neighbour."""
    good = [(f"{seed}.png", png(seed)) for seed in range(6)]
    for name, data in good:
        (tmp_path / name).write_bytes(data)
    expected = small_clip.calibrate(tmp_path, fpr=0.2)
    other = png(9)
    with serve() as up:
        first = up.send_files(good[:3], "/v1/calibrate?name=line&rate=0.2").json
        assert (first["images"], first["profile"], first["notes"]) == (3, None, [])
        told = up.send_files(good[2:], "/v1/calibrate?name=line&rate=0.2&append=true").json
        assert (told["images"], len(told["skipped"])) == (6, 1)
        assert told["profile"]["remembered"] == 6
        row = up.send_files([("a.png", other)], "/v1/detect?profile=line&pixel_threshold=0.01").json["results"][0]
        picture = Image.open(io.BytesIO(other)).convert("RGB")
        assert row["score"] == pytest.approx(small_clip.detect(picture, profile=expected).score, abs=1e-5)
        assert row["p_value"] == expected.p_value(row["score"])
        nearest = row["regions"][0]["nearest"]
        assert nearest["picture"] == f"{nearest['number']}.png"
        shown = up.ask("GET", f"/v1/profiles/line/pictures/{nearest['number']}")
        with Image.open(io.BytesIO(shown.body)) as image:
            assert (image.format, image.size) == ("JPEG", (64, 48))
        assert up.ask("GET", "/v1/profiles/line/pictures/6").status == 404
        saved = up.ask("GET", "/v1/profiles/line").body
        light = up.ask("GET", "/v1/profiles/line?memory=false").json
    assert "memories" not in light
    (tmp_path / "one.json").write_bytes(saved)
    profile = read_profile(tmp_path / "one.json")
    assert small_clip.detect(picture, profile=profile).score == pytest.approx(row["score"], abs=1e-6)
    with serve() as up:
        brought = up.ask("POST", "/v1/profiles", saved, content_type="application/json")
        assert brought.status == 200, brought.body
        again = up.send_files([("a.png", other)], "/v1/detect?profile=line").json["results"][0]
        assert again["score"] == pytest.approx(row["score"], abs=1e-6)
        for content in (
            saved.replace(b'"memories":{"line":"', b'"memories":{"line":"AAAA'),
            b"{}",
            b"\xff",
            saved[:-9],
        ):
            refused = up.ask("POST", "/v1/profiles", content, content_type="application/json")
            assert refused.status == 400, refused.body
        elsewhere = saved.replace(expected.provenance["weights_sha256"].encode(), b"0" * 64)
        refused = up.ask("POST", "/v1/profiles", elsewhere, content_type="application/json")
        assert (refused.status, "another model" in refused.json["error"]["message"]) == (422, True)
        assert up.ask("POST", "/v1/profiles", light_of(light), content_type="application/json").status == 422


def light_of(content: dict) -> bytes:
    """A profile whose memory was left behind."""
    return json.dumps(content).encode()


def test_a_rate_that_the_images_do_not_support_keeps_the_good_profile(serve, png) -> None:
    good = [(f"{seed}.png", png(seed)) for seed in range(6)]
    with serve() as up:
        made = up.send_files(good, "/v1/calibrate?name=line&rate=0.2").json["profile"]
        for query in ("rate=0.01", "rate=0.01&append=true", "rate=0.01&memory=false"):
            told = up.send_files(good, f"/v1/calibrate?name=line&{query}").json
            assert (told["profile"], told["kept"]) == (None, made)
            listed = {**made, "revision": told["revision"], "earlier": []}
            assert up.ask("GET", "/v1/profiles").json["profiles"] == [listed]
        row = up.send_files(good[:1], "/v1/detect?profile=line").json["results"][0]
        assert "memory_sha256" in row["settings"]


def test_pictures_beyond_those_remembered_set_the_line(small_clip, png, monkeypatch) -> None:
    """Of ten pictures the first six are remembered: scores of the others are those of strangers to that memory."""
    from anomalyclip.calibration import growing
    from anomalyclip.calibration.gathering import Gatherer
    from anomalyclip.calibration.making import line_profile
    from anomalyclip.detect.inputs import InputItem
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.judges.memory.source import source_for

    monkeypatch.setattr(growing, "MOST", 6)
    pictures = [Image.open(io.BytesIO(png(seed))).convert("RGB") for seed in range(10)]
    items = [InputItem(f"{seed}.png", str(seed), bytes([seed])) for seed in range(10)]
    source = source_for(small_clip.encoder.facts)
    gatherer = Gatherer(small_clip, source, Geometry(), Areas(), lambda item: pictures[item.key[0]])
    line = growing.Growing(source, small_clip.settings.sigma)
    for start in (0, 4, 8):
        assert line.add(gatherer.gather(items[start : start + 4]).pictures) == []
    assert (line.count, len(line.pictures)) == (10, 6)
    found = line.remembered(0.2, 0.2)
    profile = line_profile(found, small_clip.provenance(), name="x", rates=(0.2, 0.2), pixel_rule="image")
    for seed in range(6, 10):
        score = small_clip.detect(pictures[seed], profile=profile).score
        assert found.measured.scores[seed] == pytest.approx(score, abs=1e-5)
    above = sum(score >= profile.image_threshold for score in found.measured.scores)
    assert above == 2, "2.2 of 11 lie above on average"
