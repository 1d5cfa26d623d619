"""Libraries that can be used, and every reason why one cannot."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from anomalyclip.errors import ConfigError
from anomalyclip.native import kernels, why_not
from anomalyclip.native.compile import LIBRARY, SWITCH
from anomalyclip.native.library import ABI
from anomalyclip.native.targets import AMD, AVX2, AVX512, AVX512_VNNI, AVX_VNNI, MARK, TARGETS, Kind, multiplies_faster

SUFFIXES = sorted({build.suffix for target in TARGETS.values() for build in target.values()})
CPU = "int ac_abi_version(void) {{ return {abi}; }}\nint ac_cpu_features(void) {{ return {features}; }}\n" + "".join(
    f"void {mark}_{suffix}(void) {{{{}}}}\n" for mark in MARK.values() for suffix in SUFFIXES
)

Tiny = Callable[[str], Path]


def test_the_processor_has_what_linux_says(compiled: Path, processor_flags: set[str]) -> None:
    known = {
        AVX2: {"avx2", "fma", "f16c"},
        AVX_VNNI: {"avx2", "fma", "f16c", "avx_vnni"},
        AVX512: {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx2", "fma", "f16c"},
        AVX512_VNNI: {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx2", "fma", "f16c", "avx512_vnni"},
    }
    expected = sum(bit for bit, flags in known.items() if flags <= processor_flags)
    expected |= AMD if expected and "AuthenticAMD" in Path("/proc/cpuinfo").read_text() else 0
    assert ctypes.CDLL(str(compiled)).ac_cpu_features() == expected


def test_the_library_is_opened_once(tiny: Tiny) -> None:
    library = tiny(CPU.format(abi=ABI, features=15))
    assert kernels("fp32", library)._library is kernels("int8", library)._library
    assert why_not("int8", library) is None


# Words of CPUID and XCR0 of processors: leaf 0 ebx, leaf 1 ecx, leaf 7 ebx, leaf 7 ecx, leaf 7.1 eax, XCR0.
BASE, YMM, ZMM = 1 << 27 | 1 << 28 | 1 << 12 | 1 << 29, 7, 0xE7
AUTH, INTEL = (int.from_bytes(name, "little") for name in (b"Auth", b"Genu"))
WIDE = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31
X86 = {
    "an AMD Zen 3": ((AUTH, BASE, 1 << 5, 0, 0, YMM), ("avx2", "avx2")),
    "an AMD Zen 4": ((AUTH, BASE, WIDE | 1 << 5, 1 << 11, 0, ZMM), ("avx512", "avx512vnni")),
    "an Intel Alder Lake": ((INTEL, BASE, 1 << 5, 0, 1 << 4, YMM), ("avx2", "avxvnni")),
    "an Intel Skylake-SP": ((INTEL, BASE, WIDE | 1 << 5, 0, 0, ZMM), ("avx512", "avx2")),
    "an Intel Sapphire Rapids": ((INTEL, BASE, WIDE | 1 << 5, 1 << 11, 1 << 4, ZMM), ("avx512", "avx512vnni")),
    "one whose system saves no zmm": ((INTEL, BASE, WIDE | 1 << 5, 1 << 11, 0, YMM), ("avx2", "avx2")),
    "one whose system saves no ymm": ((INTEL, BASE, WIDE | 1 << 5, 1 << 11, 1 << 4, 3), None),
    "one whose system saves nothing": ((INTEL, BASE & ~(1 << 27), WIDE | 1 << 5, 1 << 11, 0, ZMM), None),
    "one without FMA": ((INTEL, BASE & ~(1 << 12), 1 << 5, 0, 0, YMM), None),
    "one without half floats": ((INTEL, BASE & ~(1 << 29), 1 << 5, 0, 0, YMM), None),
    "an Intel Ivy Bridge": ((INTEL, BASE & ~(1 << 12), 0, 0, 0, YMM), None),
    "AVX-512 without BW": ((INTEL, BASE, WIDE & ~(1 << 30) | 1 << 5, 1 << 11, 0, ZMM), ("avx2", "avx2")),
}
# Linux's AT_HWCAP and AT_HWCAP2.
ARM = {
    "a Cortex-A72": ((1 << 1, 0), ("neon", None)),
    "a Neoverse N1": ((1 << 1 | 1 << 20, 0), ("neon", "dotprod")),
    "a Neoverse V1": ((1 << 1 | 1 << 20, 1 << 13), ("neon", "i8mm")),
    "no vectors": ((0, 0), None),
}


@pytest.mark.parametrize("name", [*X86, *ARM])
def test_what_runs_where(name: str, compiled: Path, tiny: Tiny) -> None:
    asked = ctypes.CDLL(str(compiled))
    words, expected = X86[name] if name in X86 else ARM[name]
    if name in X86:
        features = asked.ac_x86_features(*map(ctypes.c_uint32, words))
    else:
        features = asked.ac_arm_features(*map(ctypes.c_uint64, words))
    library = tiny(CPU.format(abi=ABI, features=features))
    for kind, suffix in zip(get_args(Kind), expected or (None, None), strict=True):
        if suffix is None:
            assert "this processor has neither" in str(why_not(kind, library))
            with pytest.raises(ConfigError, match="use another runtime here"):
                kernels(kind, library)
        else:
            assert kernels(kind, library).suffix == suffix


@pytest.mark.parametrize(
    ("name", "expected"), [("an AMD Zen 3", True), ("an AMD Zen 4", False), ("an Intel Alder Lake", False)]
)
def test_where_our_linear_layers_are_known_to_be_faster(name: str, expected: bool, compiled: Path, tiny: Tiny) -> None:
    words = map(ctypes.c_uint32, X86[name][0])
    library = tiny(CPU.format(abi=ABI, features=ctypes.CDLL(str(compiled)).ac_x86_features(*words)))
    found = kernels("fp32", library)
    assert multiplies_faster(found.suffix, found.features) is expected


def test_a_target_can_be_forced_where_it_runs(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tiny(CPU.format(abi=ABI, features=AVX2 | AVX512 | AVX512_VNNI))
    for forced, suffix in (("avx2", "avx2"), ("avx512", "avx512vnni"), ("1", "avx512vnni"), ("", "avx512vnni")):
        monkeypatch.setenv(SWITCH, forced)
        assert kernels("int8", library).suffix == suffix
    for forced in ("avxvnni", "dotprod"):
        monkeypatch.setenv(SWITCH, forced)
        assert f"{SWITCH}={forced} asks for int8 kernels that this processor lacks" in str(why_not("int8", library))
    monkeypatch.setenv(SWITCH, "sse2")
    assert "expected 0, 1 or one of avx512, avxvnni, avx2, i8mm, dotprod" in str(why_not("int8", library))


def test_what_an_old_compiler_left_out_is_not_chosen(tiny: Tiny) -> None:
    text = CPU.format(abi=ABI, features=AVX2 | AVX_VNNI).replace("ac_encode_u8_avxvnni", "ac_other")
    assert kernels("int8", tiny(text)).suffix == "avx2"


def test_switched_off(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tiny(CPU.format(abi=ABI, features=15))
    kernels("fp32", library)
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "0")
    with pytest.raises(ConfigError, match="unset ANOMALYCLIP_KERNELS"):
        kernels("fp32", library)
    assert "switched off" in str(why_not("fp32", library))
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "1")
    assert why_not("fp32", library) is None


def test_not_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m anomalyclip\.native\.compile"):
        kernels("fp32", tmp_path / LIBRARY)
    assert "is missing" in str(why_not("int8", tmp_path / LIBRARY))


def test_built_for_another_version(tiny: Tiny) -> None:
    other = tiny(CPU.format(abi=ABI + 1, features=15))
    with pytest.raises(ConfigError, match=rf"interface {ABI + 1} of the compiled kernels, expected {ABI}"):
        kernels("fp32", other)
    assert "again" in str(why_not("fp32", other))


def test_what_is_no_library_of_ours(tiny: Tiny, tmp_path: Path) -> None:
    text = tmp_path / LIBRARY
    text.write_text("not a library")
    for path in (text, tiny("int other(void) { return 1; }")):
        assert "cannot be loaded" in str(why_not("fp32", path))


def test_the_room_is_light() -> None:
    script = (
        "import sys, anomalyclip.native, anomalyclip.native.library\n"
        "heavy = sorted({'torch', 'numpy'} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
