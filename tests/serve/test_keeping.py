"""Corrections and profiles outlive the server: another one on the same folder goes on where the first one ended."""

from __future__ import annotations

import json
import shutil

import pytest
from tests.serve.test_corrections import ALARM, FAULTY, NORMALS, ODD, rows, say, whole

from anomalyclip.calibration import read_profile
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.serve import ServeConfig
from anomalyclip.serve.keeping import Keeper

GOOD = NORMALS[:6]
JUDGED = ("score", "decision", "p_value", "regions")


def judged(server, name: str):
    """Each in a request of its own: the last digits depend on what shares a pass."""
    return [{key: row[key] for key in JUDGED} for one in ODD[:2] for row in rows(server, name, [one])]


def test_a_server_goes_on_where_another_one_ended(serve, tmp_path) -> None:
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config) as first:
        assert first.ask("GET", "/v1/models").json["models"]
        assert first.ask("GET", "/v1/models").json["kept"] is True
        first.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
        begun, untouched = judged(first, "line"), whole(first, "line")
        alarm = say(first, "line", ODD[:1], f"{ALARM}&by=ann").json["number"]
        assert say(first, "line", ODD[1:2], f"{FAULTY}&by=bob").status == 200
        revision = say(first, "line", ODD[2:], f"{FAULTY}&by=bob").json["revision"]
        profile, found = whole(first, "line"), judged(first, "line")
        entries = first.ask("GET", "/v1/profiles/line/corrections").json["entries"]
        with pytest.raises(ConfigError, match="another server keeps its profiles there"), serve(config):
            pass
    assert read_profile(tmp_path / "kept" / "line.json").image == profile.image, "a file for detect, too"
    with serve(config) as second:
        assert whole(second, "line") == profile
        assert judged(second, "line") == found
        (listed,) = second.ask("GET", "/v1/profiles").json["profiles"]
        assert listed["revision"] == revision
        assert second.ask("GET", "/v1/profiles/line/corrections").json["entries"] == entries
        assert say(second, "line", ODD[1:2], FAULTY).status == 409, "it was said before, to the other server"
        # Both faulty pictures still count: a further false alarm draws the line of all three anew.
        for number in (3, 2):
            assert second.ask("DELETE", f"/v1/profiles/line/corrections/{number}").status == 200
        assert say(second, "line", ODD[1:2], FAULTY).json["number"] == 4, "no number is given twice"
        assert second.ask("DELETE", "/v1/profiles/line/corrections/4").status == 200
    with serve(config) as third:
        assert third.ask("DELETE", f"/v1/profiles/line/corrections/{alarm}").status == 200
        assert (whole(third, "line"), judged(third, "line")) == (untouched, begun)
        third.send_files(GOOD[:5], "/v1/calibrate?name=line&rate=0.2")
        assert third.ask("GET", "/v1/profiles/line/corrections").json["entries"] == [], "another line"
        folder = tmp_path / "kept" / "line.line.corrections"
        assert [len(one.read_text().splitlines()) for one in folder.glob("journal-until-*.jsonl")] == [8]
        assert third.ask("DELETE", "/v1/profiles/line").status == 204
    with serve(config) as fourth:
        assert fourth.ask("GET", "/v1/profiles").json["profiles"] == []


def test_what_is_known_of_faulty_pictures_is_kept(serve, tmp_path) -> None:
    """A line corrected across two servers is the line that one server makes of the same corrections."""

    def teach(server) -> None:
        say(server, "line", ODD[:1], ALARM)

    with serve(ServeConfig(drain_seconds=0)) as one:
        one.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
        say(one, "line", ODD[1:], FAULTY)
        teach(one)
        wanted = whole(one, "line")
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config) as first:
        first.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
        say(first, "line", ODD[1:], FAULTY)
    with serve(config) as second:
        teach(second)
        found = whole(second, "line")
    same = {"image", "pixel", "operating", "corrections", "setting"}
    assert found.model_dump(include=same) == wanted.model_dump(include=same)


def test_a_kept_profile_of_another_version_of_the_model_is_named_with_its_file(serve, tmp_path) -> None:
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config) as first:
        first.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
    file = tmp_path / "kept" / "line.json"
    told = json.loads(file.read_text())
    told["profiles"][0]["provenance"]["weights_sha256"] = "a" * 64
    file.write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=r"weights_sha256 a{12}\.\.\. then.* Move .*line\.json away"), serve(config):
        pass
    for state in (b'{"revision": "x"}', b"[]", b"[" * 100_000):
        (tmp_path / "kept" / "line.line.corrections" / "state.json").write_bytes(state)
        with pytest.raises(InputError, match=r"state\.json cannot be read .*; remove it"):
            list(Keeper(tmp_path / "kept").load([]))
    told["profiles"].append(told["profiles"][0] | {"name": "other"})
    file.write_text(json.dumps(told))
    with pytest.raises(InputError, match=r"line\.json holds 2 profiles, .*: move it out of the --keep folder"):
        list(Keeper(tmp_path / "kept").load([]))


def test_a_profile_is_corrected_as_it_was_when_the_server_began(serve, tmp_path) -> None:
    with serve(ServeConfig(drain_seconds=0)) as maker:
        maker.send_files(GOOD, "/v1/calibrate?name=own&rate=0.2")
        whole(maker, "own").save(tmp_path / "own.json")
    with serve(ServeConfig(drain_seconds=0), profiles=[read_profile(tmp_path / "own.json")]) as server:
        (memory,) = tmp_path.glob("own.own.memory*")
        memory.write_bytes(b"calibrated anew meanwhile")
        assert say(server, "own", ODD[:1], ALARM).status == 200
        assert whole(server, "own").corrections is not None


def test_a_profile_of_the_servers_own_is_corrected_beside_its_file(serve, small_clip, tmp_path) -> None:
    with serve(ServeConfig(drain_seconds=0)) as maker:
        for name, files in (("own", GOOD), ("anew", GOOD[:5])):
            maker.send_files(files, f"/v1/calibrate?name={name}&rate=0.2")
        own, anew = whole(maker, "own"), whole(maker, "anew")
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config, profiles=[own]) as first:
        say(first, "own", ODD[:1], ALARM)
        found = judged(first, "own")
    with serve(config, profiles=[own]) as second:
        assert judged(second, "own") == found
    other = anew.model_copy(update={"name": "own"}).holding(anew.memory_bytes())
    with pytest.raises(InputError, match="was made anew since people corrected it"), serve(config, profiles=[other]):
        pass
    with serve(config) as third:
        assert judged(third, "own") == found, "without --profile it goes on with what is kept"


def test_killed_between_two_writes_and_damaged(serve, tmp_path) -> None:
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config) as first:
        first.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
        before = whole(first, "line")
        shutil.copytree(tmp_path / "kept", tmp_path / "then")
        say(first, "line", ODD[:1], ALARM)
    folder = tmp_path / "kept"
    for path in (tmp_path / "then").glob("line.*"):  # the journal and the way back were written, the profile was not
        if path.is_file():
            shutil.copy(path, folder / path.name)
    with serve(config) as second:
        assert whole(second, "line") == before
        (entry,) = second.ask("GET", "/v1/profiles/line/corrections").json["entries"]
        assert entry["in_force"] is False
        assert say(second, "line", ODD[:1], ALARM).json["number"] == 2
    for damage in (b"no archive", b"PK\x03\x04 cut short"):
        (folder / "line.line.corrections" / "0002.npz").write_bytes(damage)
        with pytest.raises(InputError, match=r"0002\.npz is damaged"), serve(config):
            pass


def test_a_folder_that_cannot_be_written_changes_nothing(serve, tmp_path, monkeypatch) -> None:
    config = ServeConfig(keep=tmp_path / "kept", drain_seconds=0)
    with serve(config) as server:
        server.send_files(GOOD, "/v1/calibrate?name=line&rate=0.2")
        before = whole(server, "line")
        state = tmp_path / "kept" / "line.line.corrections" / "state.json"
        state.unlink()
        state.mkdir()  # nothing can take a folder's place
        refused = say(server, "line", ODD[:1], ALARM)
        assert (refused.status, refused.json["error"]["kind"]) == (500, "failed")
        assert "cannot write its --keep folder" in refused.json["error"]["message"]
        assert str(tmp_path) not in json.dumps(refused.json), "no path of the server's goes out"
        assert "folder: Is a directory" in refused.json["error"]["message"], "why, told by the system"
        assert whole(server, "line") == before
