"""Decisions of a profile, its life as JSON, and its refusal of other models."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from anomalyclip.calibration import Profile, check_name, read_profile, read_profiles, write_profiles
from anomalyclip.calibration import files as files_module
from anomalyclip.calibration.conformal import just_above
from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.settings.faces import REST

SCORES = np.linspace(0.1, 0.5, 19)
POINT = {
    "by": "recall", "wanted": 0.9, "threshold": 0.25, "anomalies": 5, "recall": (1, 0.5, 1),
    "false_positive_rate": (0.1, 0.05, 0.2), "guaranteed": False,
}  # fmt: skip


@given(st.floats(0, 1, width=32))
def test_decision_is_p_value_at_most_rate(score: float) -> None:
    profile = _profile(SCORES)
    assert (profile.decide(score) == "anomalous") is (profile.p_value(score) <= 0.1)


def _profile(scores: Any) -> Profile:
    values = tuple(float(v) for v in np.float32(scores))
    threshold = just_above(values[17])  # of 19 at 10%: two may lie above
    return Profile(
        made="", provenance={}, image={"rate": 0.1, "threshold": threshold, "scores": values},
        pixel={"rule": "image", "rate": 0.1, "threshold": threshold, "peaks": values},
    )  # fmt: skip


def test_the_operating_point_decides(profile_of: Callable[..., Profile]) -> None:
    plain, chosen = profile_of(SCORES), profile_of(SCORES, operating=POINT)
    assert (plain.decide(0.3), chosen.decide(0.3), chosen.image_threshold) == ("normal", "anomalous", 0.25)
    assert chosen.pixel_threshold == plain.pixel_threshold
    assert plain.threshold_at(0.1) == plain.image_threshold
    assert plain.threshold_at(0.5) < plain.threshold_at(0.05)


def test_it_shows_itself_in_a_line(profile_of: Callable[..., Profile]) -> None:
    profile = profile_of(SCORES, name="camera-3")
    assert str(profile) == repr(profile)
    assert len(str(profile)) < 200
    assert "'camera-3'" in str(profile)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_no_decision_on_what_is_no_number(profile_of: Callable[..., Profile], score: float) -> None:
    with pytest.raises(InputError, match="not a number"):
        profile_of(SCORES).decide(score)


def test_through_a_file(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    first, second = profile_of(SCORES, name="camera-3"), profile_of(SCORES / 2, name="b", operating=POINT)
    file = tmp_path / "both.json"
    write_profiles(file, [first, second])
    assert read_profile(f"{file}:camera-3").model_dump() == first.model_dump()
    found = {name: profile.model_dump() for name, profile in read_profiles(file).items()}
    assert found == {"camera-3": first.model_dump(), "b": second.model_dump()}
    write_profiles(tmp_path / "one.json", [profile_of(SCORES, name="c")])
    assert read_profile(tmp_path / "one.json").name == "c"
    assert read_profile(f"{tmp_path}:b").model_dump() == second.model_dump(), "a folder of files"
    with pytest.raises(
        ConfigError, match=r"profiles b, camera-3, and no name was given: choose one, as .*both.json:NAME"
    ):
        read_profile(file)
    with pytest.raises(ConfigError, match="no profile 'x'"):
        read_profile(f"{file}:x")
    write_profiles(tmp_path / "again.json", [profile_of(SCORES, name="c")])
    with pytest.raises(InputError, match="two profiles named 'c'"):
        read_profiles(tmp_path)
    with pytest.raises(OutputError):
        write_profiles(tmp_path / "missing" / "p.json", [first])


def test_a_colon_in_a_name_that_exists(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    file = tmp_path / "a:b.json"
    write_profiles(file, [profile_of(SCORES)])
    assert read_profile(file).name == "default"
    assert read_profile(f"{file}:default").name == "default"


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda c: c["profiles"][0]["image"]["scores"].reverse(), "ascend"),
        (lambda c: c["profiles"][0]["image"]["scores"].pop(), "18 scores and 19 peaks"),
        (lambda c: c["profiles"][0]["image"].update(threshold="high"), r"image\.threshold"),
        (lambda c: c["profiles"][0]["image"].update(rate=0), r"image\.rate"),
        (lambda c: c["profiles"][0].update(name="../x"), "name"),
        (lambda c: c["profiles"][0].update(shell="rm"), "shell"),
        (lambda c: c["profiles"][0].pop("pixel"), "pixel"),
        (lambda c: c.update(version=2), "has version 2, this program reads version 1"),
        (lambda c: c.update(version=True), "has version True, this program reads version 1"),
        (lambda c: c["profiles"][0]["provenance"].update(settings="none"), r"\(provenance\.settings is no object"),
        (lambda c: c.update(format="other"), "no file of profiles"),
        (lambda c: c.update(profiles={}), "no file of profiles"),
        (lambda c: c.update(profiles=[]), "holds no profile"),
    ],
)
def test_damage_is_named(
    profile_of: Callable[..., Profile], tmp_path: Path, damage: Callable[[Any], Any], what: str
) -> None:
    file = tmp_path / "p.json"
    write_profiles(file, [profile_of(SCORES)])
    content = json.loads(file.read_text())
    damage(content)
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=what):
        read_profile(file)


def test_a_value_twice_is_refused(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    write_profiles(file, [profile_of(SCORES)])
    text = file.read_text()
    assert text.count('"threshold":') == 2
    file.write_text(text.replace('"threshold":', '"threshold": 0.1, "threshold":', 1))
    with pytest.raises(InputError, match="damaged: 'threshold' is there twice in one of its objects"):
        read_profile(file)


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "empty").mkdir()
    for name, what in {
        "a.json": "no JSON",
        "deep.json": "no JSON",
        "none.json": "no profile at",
        "empty": "no profile",
    }.items():
        with pytest.raises(InputError, match=what):
            read_profile(tmp_path / name)
    with pytest.raises(InputError, match="pipe or device"):
        read_profile("/dev/zero")
    monkeypatch.setattr(files_module, "MAX_BYTES", 1)
    with pytest.raises(InputError, match="larger than"):
        read_profile(tmp_path / "a.json")


def test_other_models_are_refused(profile_of: Callable[..., Profile]) -> None:
    profile = profile_of(SCORES)
    same: dict[str, Any] = deepcopy(profile.provenance)
    same |= {"model": "renamed.safetensors", "prompts": "p.pt", "version": "9"}
    same["settings"]["layers"] = (2, 4)
    profile.check_model(same)
    with pytest.raises(ConfigError, match=r"weights_sha256 aaaaaaaaaaaa... then, cccccccccccc... now.*calibrate"):
        profile.check_model({**same, "weights_sha256": "c" * 64})
    with pytest.raises(ConfigError, match="image_size 70 then, 140 now"):
        profile.check_model({**same, "settings": {**same["settings"], "image_size": 140}})
    with pytest.raises(ConfigError, match="tile None then, 512 now"):
        profile.check_model({**same, "settings": {**same["settings"], "tile": 512}})


@pytest.mark.parametrize(("others", "place"), [([], "{}"), (["b"], "{}:line")])
def test_another_version_of_its_model_is_told_with_the_one_way_on(
    profile_of: Callable[..., Profile], tmp_path: Path, others: list[str], place: str
) -> None:
    recipe = {"sources": [{"path": "/good/1.png", "sha256": "0" * 64}], "fpr": 0.1}
    found = profile_of(SCORES, name="line", recipe=recipe)
    write_profiles(tmp_path / "a.json", [found, *(profile_of(SCORES, name=name) for name in others)])
    profile = read_profile(f"{tmp_path / 'a.json'}:line")
    with pytest.raises(ConfigError) as raised:
        profile.check_model({**profile.provenance, "weights_sha256": "c" * 64})
    assert f"`anomalyclip calibrate --again {place.format(tmp_path / 'a.json')}`" in str(raised.value)
    assert "The weights of" in str(raised.value)
    assert "Use what it was made with" not in str(raised.value), "that name is another model now"
    with pytest.raises(ConfigError) as raised:
        profile.check_model({**profile.provenance, "weights_sha256": "c" * 64}, REST)
    assert str(tmp_path) not in str(raised.value), "no path of the server's goes out"
    with pytest.raises(ConfigError, match="from good pictures: calibrate again"):
        profile_of(SCORES).check_model({**profile.provenance, "weights_sha256": "c" * 64})


def test_names() -> None:
    assert check_name("camera-3.left") == "camera-3.left"
    for name in ("", "a/b", "a b", "é", "x" * 101, "a\n"):
        with pytest.raises(ConfigError, match="--name"):
            check_name(name)


def test_profiles_do_not_change(profile_of: Callable[..., Profile]) -> None:
    with pytest.raises(ValidationError):
        profile_of(SCORES).name = "b"  # type: ignore[misc]
