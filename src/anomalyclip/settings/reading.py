"""What text on the command line stands for, where it is more than a word or a number; Python gives the value itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anomalyclip.errors import ConfigError

_KINDS = ("image", "patches", "tokens", "stages")
#: What requests may say of these, so that whatever their description admits is taken. How two numbers of one field
#: stand to each other (BLACK below WHITE, no scale twice) no pattern says.
FRAMES = r"^(first|all|[1-9][0-9]{0,8})$"
_NUMBER, _ABOVE_0 = r"-?[0-9]{1,9}(\.[0-9]{1,6})?", r"([1-9][0-9]{0,8}(\.[0-9]{1,6})?|0\.[0-9]{0,5}[1-9])"
FULL_SCALE = rf"^({_ABOVE_0}|{_NUMBER}:{_NUMBER})$"
_SCALE = r"(0?\.06(2[5-9]|[3-9])[0-9]{0,3}|0?\.0[7-9][0-9]{0,4}|0?\.[1-9][0-9]{0,5}|([1-9]|1[0-5])(\.[0-9]{1,6})?|16)"
SCALES = rf"^{_SCALE}(,{_SCALE}){{0,7}}$"
BOX = r"^[0-9]{1,7},[0-9]{1,7},[1-9][0-9]{0,6},[1-9][0-9]{0,6}$"
_DEVICE = re.compile(r"auto|cpu|(cuda|mps|xpu)(:\d+)?")


def device_of(given: Any, spelled: str) -> str:
    """Raises ConfigError for anything that is not a device name."""
    if not _DEVICE.fullmatch(str(given)):
        raise ConfigError(f"{spelled} {str(given)!r}: expected auto, cpu, cuda, cuda:0, mps or the like")
    return str(given)


def layers_of(given: Any, spelled: str) -> tuple[int, ...]:
    """`6,12,18,24`, or block numbers, as (6, 12, 18, 24). Raises ConfigError."""
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else _listed(given)
    # isdecimal alone lets other scripts' digits through, which int() reads but nobody means.
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) < 1000 for part in parts) or not parts:
        raise ConfigError(
            f"{spelled} {_shown(given)}: expected block numbers from 1, separated by commas, such as 6,12,18,24"
        )
    layers = tuple(int(part) for part in parts)
    if len(set(layers)) < len(layers):
        raise ConfigError(f"{spelled} {_shown(given)} names a block twice; give each block once")
    return layers


def heads_of(given: Any, spelled: str) -> tuple[int, int]:
    """`16,12`, or two numbers, as (16, 12). Raises ConfigError."""
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else _listed(given)
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and 0 < int(part[:4]) < 1000 for part in parts):
        raise ConfigError(f"{spelled} {_shown(given)}: expected heads of the vision and the text tower, such as 16,12")
    return int(parts[0]), int(parts[1])


def scales_of(given: Any, spelled: str) -> tuple[float, ...]:
    """`0.5,1,2`, or numbers, as (0.5, 1.0, 2.0). Raises ConfigError."""
    try:
        scales = tuple(float(part) for part in (given.split(",") if isinstance(given, str) else given))
    except (ValueError, TypeError):
        scales = ()
    if not scales:
        raise ConfigError(
            f"{spelled} {_shown(given)}: expected numbers separated by commas, such as 0.5,1,2 (1 is as without it)"
        )
    if len(set(scales)) < len(scales):
        raise ConfigError(f"{spelled} {_shown(given)} names one twice; give each scale once")
    return scales


def frames_of(given: Any, spelled: str) -> int | None:
    """`first`, `all` or a number of pictures, as 1, None or that number. Raises ConfigError."""
    from anomalyclip.io.frames import parse_frames

    try:
        return parse_frames(given)
    except ConfigError as error:
        raise ConfigError(str(error).replace("frames is", f"{spelled} is", 1)) from None


def full_scale_of(given: Any, spelled: str) -> Any:
    """`4095` as 4095.0, `-20:40` as (-20.0, 40.0). Raises ConfigError."""
    from anomalyclip.io.full_scale import parse_full_scale

    return parse_full_scale(given, spelled)


def counts_of(given: Any, spelled: str) -> tuple[int, ...]:
    """`1,4,25`, or numbers, as (1, 4, 25), ascending. Raises ConfigError."""
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else _listed(given)
    if not parts or not all(part.isascii() and part.isdecimal() and 0 < int(part[:4]) <= 100 for part in parts):
        raise ConfigError(
            f"{spelled} {_shown(given)}: expected numbers of pictures from 1 to 100, separated by commas, such as "
            "1,4,25"
        )
    return tuple(sorted({int(part) for part in parts}))


def _listed(given: Any) -> list[str]:
    return [str(part) for part in given] if isinstance(given, Sequence) else [str(given)]


def _shown(given: Any) -> str:
    return repr(given) if isinstance(given, str) else str(list(given) if isinstance(given, Sequence) else given)


def names_of(given: Any, spelled: str) -> tuple[str, ...]:
    """`1, dpam` as ("1", "dpam"); empty text as ()."""
    parts = given.split(",") if isinstance(given, str) else given
    return tuple(name for part in parts if (name := part.strip()))


def kinds_of(given: Any, spelled: str) -> tuple[str, ...]:
    """`image,patches` as ("image", "patches"). Raises ConfigError for what is no kind of features."""
    kinds = names_of(given, spelled)
    if not kinds or set(kinds) - set(_KINDS) or len(set(kinds)) < len(kinds):
        raise ConfigError(f"{spelled} {_shown(given)}: expected some of {', '.join(_KINDS)}, separated by commas")
    return kinds


def sides_of(given: Any, spelled: str) -> tuple[int, ...]:
    """`1,8` -> (1, 8). Raises ConfigError."""
    parts = [part.strip() for part in given.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) <= 8192 for part in parts):
        raise ConfigError(
            f"{spelled} {given!r}: expected whole numbers from 1 to 8192, separated by commas, such as 1,8"
        )
    return tuple(dict.fromkeys(map(int, parts)))
