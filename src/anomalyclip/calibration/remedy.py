"""What to do where a profile meets other settings than it was calibrated with: the options that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anomalyclip.io.names import printable
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import CALIBRATE, DETECT, LOAD, PYTHON, PYTHON_BATCH, WATCH


def remedy(made: Mapping[str, Any], then: Mapping[str, Any], different: Iterable[str], face: str = DETECT) -> str:
    """A sentence. made: the profile's provenance; then: its settings and hashes, flat; different: those that differ.

    face: where it is to be used, see `anomalyclip.settings.faces`; options that it lacks are told with the verbs that
    have them.

    >>> remedy({"model": "pocket"}, {"roi": [0, 0, 9, 9]}, ["roi", "tile"])
    'Use what it was made with (--roi 0,0,9,9 and no --tile)'
    >>> remedy({"model": "pocket"}, {"roi": [0, 0, 9, 9]}, ["roi"], "serve")
    'serve has no --roi: use the profile with detect or watch (--roi 0,0,9,9)'
    >>> remedy({"model": "pocket"}, {"roi": [0, 0, 9, 9], "sigma": 4.0}, ["roi", "tile", "sigma"], "model.detect")
    "Use what it was made with (anomalyclip.load('pocket', sigma=4.0) and detect(..., roi=(0, 0, 9, 9)) without tile)"
    """
    if face in (PYTHON, PYTHON_BATCH):
        return f"Use what it was made with ({_calls(made, then, list(different), face)})"
    has, declared = settings_of(face), settings_of(CALIBRATE)
    given, left_out, lacking = [], [], []
    for name in different:
        setting = has.get(name) or declared.get(name)
        if setting is None:
            continue
        option = f"{name}=" if "/" in face and name in has else f"{setting.flag} "  # a request's, or the command line's
        value = then.get(name)
        if value in (None, False):
            left_out.append(f"no {option.rstrip(' =')}")
        else:
            given.append(setting.flag if value is True else option + _spelled(value))
        if name not in has:
            lacking.append(setting.flag)
    if any(name not in declared for name in different):
        names = (("--model", "model"), ("--prompts", "prompts"))
        given[:0] = [f"{option} {made[key]}" for option, key in names if made.get(key)]
    listed = " and ".join([" ".join(given)] * bool(given) + left_out)
    if lacking:
        return f"{face} has no {', '.join(lacking)}: use the profile with {DETECT} or {WATCH} ({listed})"
    return f"Use what it was made with ({listed})"


def anew(face: str, file: str = "") -> str:
    """How a profile is made anew where it is used. file: as `--again` takes it, where that is known; who sends requests
    is told of no path of the server's.

    >>> anew("detect", "line.json")
    '`anomalyclip calibrate --again line.json`'
    """
    named = file and "/" not in face
    verb = f"`anomalyclip calibrate --again {file}`" if named else "`anomalyclip calibrate --again` and its file"
    return f"model.calibrate, or {verb}" if face in (PYTHON, PYTHON_BATCH) else verb


def other_content(made: Mapping[str, Any], now: Mapping[str, Any], different: Iterable[str]) -> str:
    """What goes by the name that it had and holds something else, as another version of a model; "" where nothing does.

    >>> other_content({"model": "pocket", "prompts": "a"}, {"model": "pocket", "prompts": "b"}, ["weights_sha256"])
    'the weights of pocket are no longer those that they were'
    """
    parts = (("weights", "model"), ("prompts", "prompts"))
    names = {part: made.get(key) for part, key in parts if made.get(key) == now.get(key) is not None}
    changed = [f"the {part} of {printable(str(names[part]))}" for part in names if f"{part}_sha256" in different]
    return f"{' and '.join(changed)} are no longer those that they were" if changed else ""


def _calls(made: Mapping[str, Any], then: Mapping[str, Any], different: Sequence[str], here: str) -> str:
    """In Python's words: what `load` and `detect` are to be given, and what is to be left out."""
    faces = {LOAD: settings_of(LOAD), here: settings_of(PYTHON) | settings_of(here)}
    given: dict[str, list[str]] = {LOAD: [], here: []}
    left_out = []
    for name in different:
        face = next((one for one, has in faces.items() if name in has), None)
        if face is None:
            continue
        if then.get(name) in (None, False):
            left_out.append(name)
        else:
            given[face].append(f"{name}={_written(then[name])}")
    if made.get("prompts") and any(all(name not in has for has in faces.values()) for name in different):
        given[LOAD].insert(0, f"prompts={made['prompts']!r}")
    calls = []
    if given[LOAD]:
        calls.append(f"{LOAD}({', '.join([repr(made.get('model')), *given[LOAD]])})")
    if given[here]:
        calls.append(f"{here.rpartition('.')[2]}({', '.join(['...', *given[here]])})")
    without = [f"without {' and '.join(left_out)}"] * bool(left_out)
    return " ".join([" and ".join(calls)] * bool(calls) + without)


def _written(value: Any) -> str:
    """As Python takes it; masks are known by their hash alone."""
    if isinstance(value, list):
        return repr(tuple(value))
    if value == "by name":
        return "FOLDER"
    return "MASK" if isinstance(value, str) and len(value) == 64 else repr(value)


def _spelled(value: Any) -> str:
    """As an option takes it."""
    if isinstance(value, list):
        return ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    if value == "by name":
        return "DIR"
    return "FILE" if isinstance(value, str) and len(value) == 64 else str(value)
