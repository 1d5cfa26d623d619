"""Declarations are well formed, each range holds its ends and nothing beyond, and refusals read alike everywhere."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.errors import ConfigError
from anomalyclip.settings import FACES, SETTINGS, Setting, settings_of
from anomalyclip.settings.panels import PANELS
from anomalyclip.settings.reading import device_of, layers_of, names_of, scales_of

HERE = [(face, setting) for face in FACES for setting in settings_of(face).values()]
RANGED = list({(s.name, s.range): (face, s) for face, s in HERE if s.range is not None}.values())


def named(case: object) -> str:
    return case.name if isinstance(case, Setting) else str(case)


def _shown(end: float) -> str:
    return f"{end:,}" if isinstance(end, int) else f"{end:g}"


@pytest.mark.parametrize(("face", "setting"), HERE, ids=named)
def test_a_declaration_is_whole(face: str, setting: Setting) -> None:
    assert re.fullmatch(r"[a-z][a-z_]*", setting.name)
    assert setting.help
    assert setting.panel in PANELS
    assert not (setting.required and setting.default is not None)
    setting.value(setting.default)  # raises where it could not be given


@pytest.mark.parametrize("face", FACES)
def test_a_face_has_each_name_once(face: str) -> None:
    names = [setting.name for setting in SETTINGS if face in setting.where]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("face", "setting"), RANGED, ids=named)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_a_range_holds_its_ends_and_nothing_beyond(face: str, setting: Setting, data: st.DataObject) -> None:
    assert setting.range is not None
    low, high, unit, is_open = setting.range
    kind = st.integers if setting.type is int else st.floats
    wrap = (lambda value: (value,)) if setting.many else (lambda value: value)
    within = data.draw(
        kind(math.ceil(low), math.floor(high), **({"exclude_min": True, "exclude_max": True} if is_open else {}))
    )
    for value in (within,) if is_open else (low, high, within):
        assert setting.value(wrap(value)) == wrap(value)
    below = data.draw(kind(max_value=low - 1e-3 if setting.type is float else int(low) - 1))
    above = data.draw(kind(min_value=high * 1.001 + 1e-3 if setting.type is float else int(high) + 1))
    for value in (below, above):
        with pytest.raises(ConfigError) as in_python:
            setting.value(wrap(value))
        with pytest.raises(ConfigError) as on_the_command_line:
            setting.value(wrap(value), setting.flag)
        ends = f"between {_shown(low)} and {_shown(high)}" if is_open else f"from {_shown(low)} to {_shown(high)}"
        words = f"is out of range: expected {unit} {ends}"
        per_cent = f"; give {value / 100:g} for {value:g}%" if high <= 1 and value > 0 and value / 100 <= high else ""
        assert str(in_python.value) == f"{setting.name} {value:g} {words}{per_cent}"
        assert str(on_the_command_line.value) == f"{setting.flag} {value:g} {words}{per_cent}"


SHARES = ["anomaly_share", "fpr", "fpr_limit", "map_weight", "min_recall", "overlap", "pixel_fpr",
          "pixel_threshold", "threshold", "validation"]  # fmt: skip


@pytest.mark.parametrize("name", SHARES)
def test_shares_in_per_cent_are_told_as_shares(name: str) -> None:
    found = [setting for _, setting in RANGED if setting.name == name]
    assert found
    for setting in found:
        with pytest.raises(ConfigError, match=r"; give 0.05 for 5%$"):
            setting.value((5,) if setting.many else 5)


@pytest.mark.parametrize(("face", "setting"), RANGED, ids=named)
@pytest.mark.parametrize("value", [math.nan, math.inf, "high", True, [0.5]], ids=repr)
def test_what_is_no_number_is_refused(face: str, setting: Setting, value: object) -> None:
    if setting.many and value is True:
        return  # read as 1.0, as float() does
    with pytest.raises(ConfigError, match=setting.name):
        setting.value((value,) if setting.many else value)


def test_numpy_numbers_are_numbers() -> None:
    here = settings_of("model.detect")
    assert here["threshold"].value(np.float32(0.5)) == 0.5
    assert here["batch_size"].value(np.int64(4)) == 4
    with pytest.raises(ConfigError, match="whole number"):
        here["batch_size"].value(2.5)


@pytest.mark.parametrize("value", [10**400, 10**5000, -(10**400)], ids=["400", "5000", "-400"])
@pytest.mark.parametrize("name", ["batch_size", "threshold", "min_area"])
def test_whole_numbers_beyond_any_float_are_refused(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} of more than 308 digits is out of range: expected"):
        settings_of("detect")[name].value(value)


def test_words_are_held_to_their_choices() -> None:
    with pytest.raises(ConfigError, match=r"--runtime 'fast': expected one of auto, torch"):
        settings_of("detect")["runtime"].value("fast", "--runtime")
    with pytest.raises(ConfigError, match="keep_aspect 1: expected True or False"):
        settings_of("model.detect")["keep_aspect"].value(1)


@pytest.mark.parametrize("text", ["", "6,", "a", "0", "-1", "1.5", "6;12", "٣", "1 2", [], [0], [1.5], [True, 2]])
def test_bad_layers(text: object) -> None:
    with pytest.raises(ConfigError, match="--layers"):
        layers_of(text, "--layers")


def test_layers() -> None:
    assert layers_of("6, 12,24", "layers") == (6, 12, 24) == layers_of([6, 12, 24], "layers")
    with pytest.raises(ConfigError, match="twice"):
        layers_of("6,6", "layers")


def test_devices() -> None:
    for device in ("auto", "cpu", "cuda", "cuda:1", "mps", "xpu:0"):
        assert device_of(device, "device") == device
    for device in ("gpu", "cuda:", "cuda:x", "CPU"):
        with pytest.raises(ConfigError, match=device):
            device_of(device, "device")


def test_lists() -> None:
    assert scales_of("0.5, 1", "scales") == (0.5, 1.0) == scales_of((0.5, 1), "scales")
    assert names_of(" 1, dpam ,", "tables") == ("1", "dpam")
    for bad in ("1,x", "", 3):
        with pytest.raises(ConfigError, match="scales"):
            scales_of(bad, "scales")


HEAVY = ("torch", "numpy", "cv2", "PIL", "fastapi", "lightning", "matplotlib", "openvino", "onnxruntime")


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], *([verb, "--help"] for verb in ("detect", "calibrate", "evaluate"))], ids=str
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """The time of `--help` is that of its imports."""
    code = (
        "import sys, json\nfrom anomalyclip.cli import main\n"
        f"try: main({words!r})\nexcept SystemExit: pass\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
