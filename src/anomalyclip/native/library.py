"""The library of compiled kernels: found, checked against this package and this processor, and opened once."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from anomalyclip.errors import ConfigError
from anomalyclip.native.compile import FOLDER, LIBRARY, SWITCH
from anomalyclip.native.targets import MARK, TARGETS, Build, Kind, choose

ABI = 10
"""What ``ac_abi_version`` in csrc/cpu.c must say: functions and their arguments are those that this package calls."""
BUILT = FOLDER / LIBRARY
_REBUILD = "build it with `python -m anomalyclip.native.compile` (needs a C compiler)"


class Layout(NamedTuple):
    """How the int8 kernels of a target hold operands.

    Attributes:
        panel: columns of packed weights that lie together.
        depth: neighbours of a column that lie together: panels are (columns / panel, inner / depth, panel, depth).
        tile: rows that a kernel works on at once; callers fill up to a multiple.
        code: bytes in which an activation of 8 bits is held.
        shift: what is taken from every code; with 128 they are signed.
    """

    panel: int
    depth: int
    tile: int
    code: int
    shift: int


def fields(kind: type, names: str) -> list[tuple[str, type]]:
    """Fields of a C structure that follow each other, of one kind; names are parted by blanks."""
    return [(name, kind) for name in names.split()]


class Kernels:
    """The functions of one kind for this processor, by their names without the target: ``kernels("fp32").ac_...``."""

    def __init__(self, library: ctypes.CDLL, build: Build, features: int) -> None:
        self._library, self.suffix, self.features = library, build.suffix, features

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, f"{name}_{self.suffix}")
        setattr(self, name, found)  # asked for once
        return found

    @property
    def layout(self) -> Layout:
        """Of the kind "int8"."""
        numbers = (ctypes.c_int32 * len(Layout._fields))()
        self.ac_layout(numbers)
        return Layout(*numbers)


def kernels(kind: Kind, path: Path = BUILT) -> Kernels:
    """The fastest kernels of a kind that this processor can run; calls through them release the interpreter's lock.

    Raises:
        ConfigError: switched off, not built, built for another version, or this processor cannot run them, nor those
            that ANOMALYCLIP_KERNELS names.
    """
    switch = os.environ.get(SWITCH, "")
    if switch == "0":
        raise ConfigError(f"compiled kernels are switched off: unset {SWITCH} (it is 0) to use them")
    if switch not in ("", "1", *TARGETS):
        raise ConfigError(f"{SWITCH} is {switch!r}: expected 0, 1 or one of {', '.join(TARGETS)}")
    if not path.is_file():
        raise ConfigError(f"this installation has no compiled kernels ({path} is missing): {_REBUILD}")
    library = _open(path)
    forced = switch if switch in TARGETS else None
    built = lambda build: hasattr(library, f"{MARK[kind]}_{build.suffix}")  # noqa: E731
    features = library.ac_cpu_features()
    return Kernels(library, choose(kind, features, forced, built), features)


def why_not(kind: Kind, path: Path = BUILT) -> str | None:
    """None if kernels of this kind can be called here, else the reason in one sentence; never raises."""
    try:
        kernels(kind, path)
    except ConfigError as error:
        return str(error)
    return None


@cache
def _open(path: Path) -> ctypes.CDLL:
    """The library at ``path``; only its functions of cpu.c, which runs anywhere, have been called."""
    try:
        library = ctypes.CDLL(str(path))
        found = library.ac_abi_version()
    except (OSError, AttributeError) as error:
        raise ConfigError(f"the compiled kernels cannot be loaded ({error}): {_REBUILD}") from error
    if found != ABI:
        raise ConfigError(f"{path} has interface {found} of the compiled kernels, expected {ABI}: {_REBUILD} again")
    return library
