"""The library of compiled kernels: found, checked against this package and this processor, and opened once."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from anomalyclip.errors import ConfigError
from anomalyclip.native.compile import FOLDER, LIBRARY, SWITCH

Feature: TypeAlias = Literal["avx512", "vnni"]

ABI = 2
"""What ``ac_abi_version`` in csrc/cpu.c must say: functions and their arguments are those that this package calls."""
BUILT = FOLDER / LIBRARY
_BITS: dict[Feature, int] = {"avx512": 1, "vnni": 2}
_NAMES: dict[Feature, str] = {"avx512": "AVX-512 (F, BW, VL, DQ)", "vnni": "AVX-512 VNNI"}
_REBUILD = "build it with `python -m anomalyclip.native.compile` (needs a C compiler)"


def kernels(path: Path = BUILT) -> ctypes.CDLL:
    """The library, opened once; calls through it release the interpreter's lock.

    Its functions may use AVX-512; ask :func:`why_not` before calling one that needs VNNI.

    Raises:
        ConfigError: switched off, not built, built for another version, or this processor has no AVX-512.
    """
    return _usable(path, "avx512")


def why_not(feature: Feature, path: Path = BUILT) -> str | None:
    """None if kernels that need ``feature`` can be called here, else the reason in one sentence; never raises."""
    try:
        _usable(path, feature)
    except ConfigError as error:
        return str(error)
    return None


def _usable(path: Path, feature: Feature) -> ctypes.CDLL:
    if os.environ.get(SWITCH) == "0":
        raise ConfigError(f"compiled kernels are switched off: unset {SWITCH} (it is 0) to use them")
    if not path.is_file():
        raise ConfigError(f"this installation has no compiled kernels ({path} is missing): {_REBUILD}")
    library = _open(path)
    if not library.ac_cpu_features() & _BITS[feature]:
        raise ConfigError(f"this processor has no {_NAMES[feature]}, which the kernels need: use another runtime here")
    return library


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
