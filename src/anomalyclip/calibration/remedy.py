"""What to do where a profile meets other settings than it was calibrated with: the options that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import CALIBRATE, DETECT, WATCH


def remedy(made: Mapping[str, Any], then: Mapping[str, Any], different: Iterable[str], face: str = DETECT) -> str:
    """A sentence. made: the profile's provenance; then: its settings and hashes, flat; different: those that differ.

    face: where it is to be used, see `anomalyclip.settings.faces`; options that it lacks are told with the verbs that
    have them.

    >>> remedy({"model": "pocket"}, {"roi": [0, 0, 9, 9]}, ["roi", "tile"])
    'Use what it was made with (--roi 0,0,9,9 and no --tile)'
    >>> remedy({"model": "pocket"}, {"roi": [0, 0, 9, 9]}, ["roi"], "serve")
    'serve has no --roi: use the profile with detect or watch (--roi 0,0,9,9)'
    """
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


def _spelled(value: Any) -> str:
    """As an option takes it."""
    if isinstance(value, list):
        return ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    if value == "by name":
        return "DIR"
    return "FILE" if isinstance(value, str) and len(value) == 64 else str(value)
