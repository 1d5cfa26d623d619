"""Checks of single values that came from a file: right type, sane range, one line that names them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from anomalyclip.errors import ConfigError


def check_number(name: str, value: Any, low: int, high: int) -> None:
    """A whole number in ``low..high``; raises :class:`ConfigError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number in {low}..{high}, got {shown(value)}")


def check_positive(name: str, value: Any, high: float) -> None:
    """A number above 0, at most ``high``; raises :class:`ConfigError`."""
    if not _is_real(value) or not 0 < value <= high:
        raise ConfigError(f"{name} must be a number above 0, at most {high:g}, got {shown(value)}")


def check_triple(name: str, value: Any, low: float, high: float) -> None:
    """Three numbers in ``low..high``; raises :class:`ConfigError`."""
    three = isinstance(value, tuple) and len(value) == 3
    if not three or not all(_is_real(each) and low <= each <= high for each in value):
        raise ConfigError(f"{name} must be three numbers in {low:g}..{high:g}, of pixels in 0..1, got {shown(value)}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """One of the names; raises :class:`ConfigError`."""
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {shown(value)}")


def shown(value: Any, most: int = 60) -> str:
    """``repr``, cut: what came from a file may be endless."""
    text = f"{value:.6g}" if isinstance(value, float) else repr(value) if not _is_huge(value) else "a huge number"
    return text if len(text) <= most else text[:most] + "..."


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > 128


def _is_real(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and not _is_huge(value) and math.isfinite(value)
    )
