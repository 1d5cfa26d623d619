"""Libraries that can be used, and every reason why one cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.native import kernels, why_not
from anomalyclip.native.compile import LIBRARY
from anomalyclip.native.library import ABI

AVX512 = {"avx512f", "avx512bw", "avx512vl", "avx512dq"}
CPU = "int ac_abi_version(void) {{ return {abi}; }}\nint ac_cpu_features(void) {{ return {features}; }}\n"

Tiny = Callable[[str], Path]


def test_the_processor_has_what_linux_says(compiled: Path, processor_flags: set[str]) -> None:
    has = processor_flags >= AVX512
    assert (why_not("avx512", compiled) is None) == has
    assert (why_not("vnni", compiled) is None) == (has and "avx512_vnni" in processor_flags)


def test_the_library_is_opened_once(tiny: Tiny) -> None:
    library = tiny(CPU.format(abi=ABI, features=3))
    assert kernels(library) is kernels(library)
    assert kernels(library).ac_abi_version() == ABI
    assert why_not("vnni", library) is None


def test_a_processor_without_vnni(tiny: Tiny) -> None:
    some = tiny(CPU.format(abi=ABI, features=1))
    assert why_not("avx512", some) is None
    assert "no AVX-512 VNNI" in str(why_not("vnni", some))


def test_a_processor_without_anything(tiny: Tiny) -> None:
    none = tiny(CPU.format(abi=ABI, features=0))
    assert "no AVX-512 (F, BW, VL, DQ)" in str(why_not("avx512", none))
    with pytest.raises(ConfigError, match="use another runtime here"):
        kernels(none)


def test_switched_off(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tiny(CPU.format(abi=ABI, features=3))
    kernels(library)
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "0")
    with pytest.raises(ConfigError, match="unset ANOMALYCLIP_KERNELS"):
        kernels(library)
    assert "switched off" in str(why_not("avx512", library))
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "1")
    assert why_not("avx512", library) is None


def test_not_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m anomalyclip\.native\.compile"):
        kernels(tmp_path / LIBRARY)
    assert "is missing" in str(why_not("vnni", tmp_path / LIBRARY))


def test_built_for_another_version(tiny: Tiny) -> None:
    other = tiny(CPU.format(abi=ABI + 1, features=3))
    with pytest.raises(ConfigError, match=rf"interface {ABI + 1} of the compiled kernels, expected {ABI}"):
        kernels(other)
    assert "again" in str(why_not("avx512", other))


def test_what_is_no_library_of_ours(tiny: Tiny, tmp_path: Path) -> None:
    text = tmp_path / LIBRARY
    text.write_text("not a library")
    for path in (text, tiny("int other(void) { return 1; }")):
        assert "cannot be loaded" in str(why_not("avx512", path))


def test_the_room_is_light() -> None:
    script = (
        "import sys, anomalyclip.native, anomalyclip.native.library\n"
        "heavy = sorted({'torch', 'numpy'} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
