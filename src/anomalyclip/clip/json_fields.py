"""Fields of the JSON files beside weights, read one by one: typed, in range, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalyclip.clip.limits import shown
from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.errors import ConfigError, InputError, WeightsError
from anomalyclip.io.json_objects import loads_once

MAX_BYTES = 8 * 2**20  # of any JSON file beside weights; the largest index of shards has a tenth
_KINDS: dict[Any, str] = {bool: "true or false", int: "a whole number"}


def read_json(path: Path) -> Any:
    """A JSON file of bounded size and depth.

    Raises:
        WeightsError: unreadable, too large, too deep, no JSON, or a name twice in one object.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightsError(f"{path} has more than {MAX_BYTES // 2**20} MiB, no config has; download it again")
        return loads_once(path.read_bytes())
    except (OSError, ValueError, RecursionError, InputError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise WeightsError(f"{path} is not readable JSON ({reason}); remove it or download it again") from error


def preprocessing_of(pixels: Mapping[str, Any], path: Path) -> Preprocessing:
    """From checked values; raises :class:`WeightsError` where one cannot be."""
    try:
        return Preprocessing(**pixels)
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}") from error


def unsupported(path: Path, name: str, value: Any, expected: str) -> WeightsError:
    """The refusal of a field whose meaning this package lacks."""
    return WeightsError(
        f"{path.name} says {name} = {shown(value)}, which this package does not support ({expected}); features would "
        f"be wrong. Use a model without it ({path})"
    )


def mapping(value: Any, path: Path, name: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: {name} must be a JSON object, got {shown(value)}")
    return value


def typed(values: Mapping[str, Any], name: str, default: Any, kind: Any, path: Path) -> Any:
    """A field of one type."""
    value = values.get(name, default)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise WeightsError(f"{path}: {name} must be {_KINDS.get(kind, 'a number')}, got {shown(value)}")
    return value


def whole(values: Mapping[str, Any], name: str, path: Path) -> int:
    """A whole number, 0 or more."""
    value: int = typed(values, name, None, int, path)
    if not 0 <= value <= 2**31:
        raise WeightsError(f"{path}: {name} must lie in 0..{2**31}, got {shown(value)}")
    return value


def number(value: Any, path: Path) -> float:
    """A number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise WeightsError(f"{path}: expected a number, got {shown(value)}")
    return float(value)


def side(value: Any, path: Path) -> int:
    """A side in pixels, also where the config says it for both directions."""
    sides = set(value.values()) if isinstance(value, dict) else set(value) if isinstance(value, list) else {value}
    if len(sides) != 1:
        raise unsupported(path, "image or patch size", value, "expected a square")
    return whole({"size": sides.pop()}, "size", path)


def triple(value: Any, name: str, path: Path) -> tuple[float, ...]:
    """Three numbers; one stands for all."""
    if isinstance(value, list) and len(value) == 3:
        return tuple(number(each, path) for each in value)
    if isinstance(value, list | bool) or not isinstance(value, int | float):
        raise WeightsError(f"{path}: {name} must be three numbers, got {shown(value)}")
    return (number(value, path),) * 3
