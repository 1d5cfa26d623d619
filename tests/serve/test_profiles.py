"""Profiles over HTTP: the same thresholds as `anomalyclip.calibration` finds, in one request or in parts."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from anomalyclip.calibration import Profile, conformal_threshold
from anomalyclip.errors import ConfigError
from anomalyclip.serve import ServeConfig, create_app


@pytest.fixture(scope="module")
def normals(png):
    return [(f"{i}.png", png(i)) for i in range(12)]


@pytest.fixture(scope="module")
def predictions(small_clip, normals):
    return [small_clip.detect(Image.open(io.BytesIO(data))) for _, data in normals]


def test_thresholds_are_conformal(server, normals, predictions) -> None:
    answer = server.send_files(normals, "/v1/calibrate?name=line-1&rate=0.1")
    assert answer.status == 200
    told = answer.json
    assert (told["images"], told["skipped"], told["images_needed"]) == (12, [], 9)
    assert told["smallest_rate"] == pytest.approx(1 / 13)
    wanted = conformal_threshold([p.score for p in predictions], 0.1)
    assert told["profile"]["image_threshold"] == pytest.approx(wanted, abs=1e-5)
    peaks = conformal_threshold([p.anomaly_map.max() for p in predictions], 0.1)
    assert told["profile"]["pixel_threshold"] == pytest.approx(peaks, abs=1e-5)
    (listed,) = [p for p in server.ask("GET", "/v1/profiles").json["profiles"] if p["name"] == "line-1"]
    assert listed == told["profile"]


def test_in_parts_it_is_the_same_and_repeats_do_not_count(server, normals) -> None:
    first = server.send_files([*normals[:5], ("bad.png", b"x")], "/v1/calibrate?name=parts&rate=0.1").json
    assert (first["images"], first["profile"]) == (5, None)
    assert first["skipped"][0]["path"] == "bad.png"
    assert server.send_files(normals[:1], "/v1/detect?profile=parts").status == 404
    again = server.send_files(normals[3:], "/v1/calibrate?name=parts&rate=0.1&append=true").json
    assert again["images"] == 12
    assert ["same picture" in s["reason"] or "also given" in s["reason"] for s in again["skipped"]] == [True, True]
    whole = server.send_files(normals, "/v1/calibrate?name=whole&rate=0.1").json["profile"]
    for key in ("image_threshold", "pixel_threshold"):
        assert again["profile"][key] == pytest.approx(whole[key], abs=1e-6)
    only_repeats = server.send_files(normals[:2], "/v1/calibrate?name=parts&rate=0.1&append=true").json
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
        up.send_files(normals, "/v1/calibrate?name=kept&rate=0.1")
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
        self_test=False, reading=Reading(),
        measure=lambda model, items, known: collect(model, items, known=known),
    )  # fmt: skip
    made = maker.make(list(iter_inputs([str(tmp_path)], recursive=False)), None, None)
    made.write_memory(tmp_path / "line.json")
    assert made.profile.memory is not None
    other = png(9)
    with serve(profiles=[made.profile]) as server:
        given = server.send_files([("a.png", other)], "/v1/detect?profile=line").json["results"][0]
        plain = server.send_files([("a.png", other)]).json["results"][0]
    picture = Image.open(io.BytesIO(other)).convert("RGB")
    assert given["score"] == pytest.approx(made.profile.judged(small_clip).detect(picture).score, abs=1e-6)
    assert plain["score"] == pytest.approx(small_clip.detect(picture).score, abs=1e-6)
    assert given["settings"]["memory_sha256"] == made.profile.memory.sha256
