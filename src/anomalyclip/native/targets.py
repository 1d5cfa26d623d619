"""Which compiled kernels a processor can run: a table, and the choice from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

from anomalyclip.errors import ConfigError

Kind: TypeAlias = Literal["fp32", "int8"]
"""Kernels come in two kinds; a processor may run one of them alone."""

AVX2, AVX_VNNI, AVX512, AVX512_VNNI, NEON, DOTPROD, I8MM, AMD = (1 << bit for bit in range(8))
"""The bits of ``ac_cpu_features`` in csrc/cpu.c."""

MARK: dict[Kind, str] = {"fp32": "ac_attention_f32", "int8": "ac_encode_u8"}
"""A function by which a library shows that it holds the kernels of a kind."""


class Build(NamedTuple):
    """Kernels of one kind in the library: what their functions' names end with, and the features they need."""

    suffix: str
    needs: int


TARGETS: dict[str, dict[Kind, Build]] = {
    "avx512": {"fp32": Build("avx512", AVX512), "int8": Build("avx512vnni", AVX512 | AVX512_VNNI)},
    "avxvnni": {"fp32": Build("avx2", AVX2), "int8": Build("avxvnni", AVX2 | AVX_VNNI)},
    "avx2": {"fp32": Build("avx2", AVX2), "int8": Build("avx2", AVX2)},
    "i8mm": {"fp32": Build("neon", NEON), "int8": Build("i8mm", NEON | DOTPROD | I8MM)},
    "dotprod": {"fp32": Build("neon", NEON), "int8": Build("dotprod", NEON | DOTPROD)},
}
"""By the value of ANOMALYCLIP_KERNELS that asks for them, the fastest first."""

_MULTIPLIES_FASTER = {"avx2": AMD}
"""Builds whose products of fp32 matrices beat torch's (MKL, OpenBLAS), with the features under which that was measured.

MKL knows Intel's processors best; AVX-512 and ARM were not at hand to measure.
"""

_WANTED: dict[Kind, str] = {
    "fp32": "neither AVX2 with FMA nor NEON",
    "int8": "neither AVX2 with FMA nor ARM's dot products",
}


def choose(kind: Kind, features: int, forced: str | None, built: Callable[[Build], bool]) -> Build:
    """The fastest build of a kind that a processor with these ``features`` can run, or the ``forced`` target's.

    built: whether the library holds a build; a compiler may have been too old for one.

    Raises:
        ConfigError: it can run none, or not the one that is forced.
    """
    for name, target in TARGETS.items():
        build = target[kind]
        if forced in (None, name) and not build.needs & ~features and built(build):
            return build
    if forced is not None:
        raise ConfigError(
            f"ANOMALYCLIP_KERNELS={forced} asks for {kind} kernels that this processor lacks the instructions for, or "
            "this library: unset it"
        )
    raise ConfigError(f"this processor has {_WANTED[kind]}, which the kernels need: use another runtime here")


def multiplies_faster(suffix: str, features: int) -> bool:
    """Whether a build's linear layers are known to be faster than torch's on a processor with these ``features``."""
    needs = _MULTIPLIES_FASTER.get(suffix)
    return needs is not None and not needs & ~features
