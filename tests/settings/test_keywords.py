"""Python's keywords: the declared ones, shown by `help`, and refused in the words of the command line."""

from __future__ import annotations

import inspect
import io
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import anomalyclip
from anomalyclip.calibration.calling import calibrate_detector
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, KeywordError
from anomalyclip.geometry import Layout
from anomalyclip.opening import from_files, load, open_detector
from anomalyclip.settings import Setting, settings_of
from anomalyclip.settings.faces import LOAD, PYTHON
from anomalyclip.settings.scoring import NAMES, ModelSettings, ScoringKeywords, settings_from

PICTURE = np.zeros((40, 50, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> Detector:
    return load("pocket", device="cpu", threads=1)


def ranged(face: str) -> list[Setting]:
    return [one for one in settings_of(face).values() if one.range is not None and not one.many]


def outside(setting: Setting) -> Any:
    assert setting.range is not None
    low, high = setting.range[:2]
    if setting.type is int:
        return st.one_of(st.integers(max_value=int(low) - 1), st.integers(min_value=int(high) + 1))
    numbers = {"allow_nan": False, "allow_infinity": False}
    return st.one_of(
        st.floats(max_value=low, exclude_max=True, **numbers), st.floats(min_value=high, exclude_min=True, **numbers)
    )


def test_keywords_are_the_declarations() -> None:
    assert set(ScoringKeywords.__annotations__) == set(NAMES)
    assert set(Layout.__annotations__) == {one.name for one in settings_of(PYTHON).values() if one.part == "layout"}
    assert set(inspect.signature(load).parameters) == set(settings_of(LOAD))
    assert set(inspect.signature(Detector.detect).parameters) == {"self", "inputs", *settings_of(PYTHON)}


@pytest.mark.parametrize("layers", ["4", 4, ["4"], (4,)])
def test_layers_are_read_as_on_the_command_line(layers: Any) -> None:
    assert load("pocket", layers=layers).settings.layers == (4,)


@pytest.mark.parametrize("given", [None, 3, b"pocket", ["pocket"]])
def test_what_is_no_name_of_a_model_is_told(given: Any) -> None:
    with pytest.raises(ConfigError, match="is no name and no path"):
        load(given)


@pytest.mark.parametrize("wrong", [{"class_name": 3}, {"offline": "no"}, {"device": 0}, {"threads": "2"}])
def test_what_load_cannot_take_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{next(iter(wrong))} .*expected "):
        load("pocket", **wrong)


def test_help_shows_the_defaults_of_calibrate() -> None:
    shown, real = (inspect.signature(one).parameters for one in (Detector.calibrate, calibrate_detector))
    names = set(shown) - {"self", "pictures", *Layout.__annotations__}
    assert names == set(real) - {"model", "pictures", "layout"}
    assert {name: shown[name].default for name in names} == {name: real[name].default for name in names}


@pytest.mark.parametrize("function", [load, open_detector, from_files, Detector.detect], ids=lambda f: f.__name__)
def test_help_shows_every_keyword_with_its_type(function: Any) -> None:
    parameters = inspect.signature(function).parameters.values()
    assert not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)
    assert all(one.annotation is not inspect.Parameter.empty for one in parameters if one.name != "self")
    assert "map_weight" in str(inspect.signature(load))
    assert "float | None" in str(inspect.signature(load).parameters["map_weight"].annotation)


@pytest.mark.parametrize("setting", ranged(PYTHON), ids=lambda one: one.name)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_detect_refuses_what_the_command_line_refuses(model: Detector, setting: Setting, data: st.DataObject) -> None:
    value = data.draw(outside(setting))
    with pytest.raises(ConfigError) as in_python:
        model.detect(PICTURE, **{setting.name: value})
    with pytest.raises(ConfigError) as on_the_command_line:
        settings_of("detect")[setting.name].value(value, setting.flag)
    assert str(in_python.value) == str(on_the_command_line.value).replace(setting.flag, setting.name, 1)


@pytest.mark.parametrize("setting", ranged(LOAD), ids=lambda one: one.name)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_load_refuses_before_anything_is_read(setting: Setting, data: st.DataObject) -> None:
    value = data.draw(outside(setting))
    with pytest.raises(ConfigError, match=f"^{setting.name} .* is out of range: expected"):
        load("no-such-model", **{setting.name: value})


@pytest.mark.parametrize(
    ("wrong", "meant"), [("treshold", "threshold"), ("keepaspect", "keep_aspect"), ("batchsize", "batch_size")]
)
def test_a_misspelt_keyword_of_detect_is_named(model: Detector, wrong: str, meant: str) -> None:
    with pytest.raises(KeywordError, match=f"no keyword '{wrong}'; did you mean {meant}\\?") as raised:
        model.detect(PICTURE, **{wrong: 0.5})
    assert isinstance(raised.value, TypeError)


def test_a_misspelt_keyword_of_load_is_named() -> None:
    for wrong, meant in (("map_wieght", "map_weight"), ("devise", "device"), ("imagesize", "image_size")):
        with pytest.raises(KeywordError, match=f"did you mean {meant}"):
            load("pocket", **{wrong: 1})  # type: ignore[misc]
    with pytest.raises(KeywordError, match="there are "):
        load("pocket", qqqqqq=1)  # type: ignore[call-arg]


def test_none_is_the_default(model: Detector) -> None:
    """Programs hand on what they were not told: `detect(batch_size=args.batch_size)`."""
    unsaid: dict[str, Any] = dict.fromkeys(settings_of(PYTHON))
    np.testing.assert_array_equal(model.detect([PICTURE], **unsaid)[0].anomaly_map, model.detect(PICTURE).anomaly_map)
    parameters = inspect.signature(load).parameters
    opened = load(**{name: None for name in parameters if name != "model"})
    assert (opened.runtime, opened.settings) == (model.runtime, model.settings)
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(2)]
    names = set(inspect.signature(Detector.calibrate).parameters) - {"self", "pictures"}
    profile = model.calibrate(pictures, fpr=0.4, **dict.fromkeys(names - {"fpr"}))
    assert profile.name == "default"
    assert [one.decision for one in model.detect(pictures, profile=profile, batch_size=None, axis=None)]


def test_keywords_of_the_other_door_are_told() -> None:
    with pytest.raises(KeywordError, match="load takes no 'streams'; "):
        load("pocket", streams=2)  # type: ignore[call-arg]


def test_bytes_are_read_as_the_file_is(model: Detector, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
    held = io.BytesIO()
    image.save(held, "PNG")
    (tmp_path / "part.png").write_bytes(held.getvalue())
    from_file = model.detect(tmp_path / "part.png")
    for given_as in (held.getvalue(), bytearray(held.getvalue()), memoryview(held.getvalue())):
        found = model.detect(given_as)
        assert (found.score, found.path) == (from_file.score, None)
        np.testing.assert_array_equal(found.anomaly_map, from_file.anomaly_map)
    with pytest.raises(anomalyclip.AnomalyClipError, match="image"):
        model.detect(b"no picture")


def test_a_detector_says_in_two_lines_what_it_is(model: Detector) -> None:
    first, second = repr(model).splitlines()
    assert "pocket" in first
    assert first.endswith(f"on {model.runtime}, cpu")
    assert f"image_size={model.image_size}" in second
    assert "map_weight=0.4, glance=160" in second


def test_the_package_lists_its_public_names() -> None:
    assert dir(anomalyclip) == sorted(anomalyclip.__all__)
    assert {"load", "Prediction", "AnomalyClipError"} <= set(dir(anomalyclip))


def test_a_record_gives_the_settings_back() -> None:
    made = ModelSettings(image_size=70, layers=(2, 4), map_share=0.05)
    assert settings_from(made.recorded()) == made
    assert "map_share" not in ModelSettings(image_size=70, layers=(2,)).recorded()
    assert set(get_type_hints(ModelSettings)) == set(NAMES)


def test_a_float_for_a_whole_number_is_told_as_such(model: Detector) -> None:
    with pytest.raises(ConfigError, match=r"^tile 64\.0 is no whole number: expected a whole number, pixels"):
        model.detect(PICTURE, tile=64.0)  # type: ignore[arg-type]
