"""The program that runs one kernel without Python: built per target, run here or under an emulator.

ARM's targets run under qemu-user, those with AVX-512 and AVX-VNNI under Bochs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.native import bochs

from anomalyclip.native.compile import FOLDER

Run = Callable[..., bytes]
SANITIZE = os.environ.get("ANOMALYCLIP_SANITIZE") == "1"
EMULATED = {"neon": "cortex-a72", "dotprod": "neoverse-n1", "i8mm": "max"}
"""The plainest processor that has what a target may use: on it, any other instruction ends the program."""
BARE = {"avx512": "corei7_skylake_x", "avx512vnni": "corei7_icelake_u", "avxvnni": "corei7_icelake_u"}
"""The same of x86: the first of Bochs' processors that has it."""
_FLAGS = ("-O1", "-std=gnu11", "-fno-math-errno")
_SMALL = "-DSMALL=20000"
"""So that the larger of the towers' maps pass in bands (stem_f32.h)."""
_SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


class Driver:
    """``driver(target, kernel, sizes, arrays)`` gives what the kernel wrote; built when a target is first asked for.

    Args:
        folder: for the programs. sources: of the kernels. bare: the optimisation of those that Bochs runs.
    """

    def __init__(self, folder: Path, sources: Path = FOLDER / "csrc", bare: str = "-O3") -> None:
        self.folder, self.sources, self.bare = folder, sources, bare
        self._made: dict[str, list[str]] = {}
        self._bare: dict[str, Path] = {}

    def __call__(self, target: str, kernel: str, sizes: list[int], arrays: list[np.ndarray]) -> bytes:
        given = np.array(sizes, np.int64).tobytes() + b"".join(np.ascontiguousarray(x).tobytes() for x in arrays)
        if target in BARE:
            if target not in self._bare:
                self._bare[target] = bochs.build(self.folder, target, self._named(target), self.bare)
            return bochs.run(self._bare[target], BARE[target], kernel, given)
        if target not in self._made:
            self._made[target] = self._program(target)
        done = subprocess.run([*self._made[target], kernel], input=given, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    def _program(self, target: str) -> list[str]:
        emulated = target in EMULATED
        compiler = "aarch64-linux-gnu-gcc" if emulated else "gcc"
        for needed in (compiler, *(["qemu-aarch64"] if emulated else [])):
            if shutil.which(needed) is None:
                pytest.skip(f"no {needed} here: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user")
        more = ["-static"] if emulated else _SANITIZERS if SANITIZE else []
        line = [compiler, *_FLAGS, *more, *self._named(target)]
        source = Path(__file__).parent / "driver/driver.c"
        subprocess.run([*line, "-o", str(self.folder / target), str(source)], check=True)
        return [*(["qemu-aarch64", "-cpu", EMULATED[target]] if emulated else []), str(self.folder / target)]

    def _named(self, target: str) -> list[str]:
        return [f"-I{self.sources}", f'-DTARGET_FILE="{target}.c"', _SMALL]
