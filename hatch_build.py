"""Compiles the kernels into the wheel, and into the sources for an editable installation.

Where they cannot be compiled the package is pure Python and says so in one line. The environment variable
ANOMALYCLIP_KERNELS decides: 0 leaves them out, 1 makes a failure an error.
"""

from __future__ import annotations

import os
import re
import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

INSIDE = "anomalyclip/native"
SCRATCH = "anomalyclip-kernels-"
MACHINES = {62: "x86_64", 183: "aarch64"}
"""By ELF's number: `CC=aarch64-linux-gnu-gcc` makes a wheel for ARM."""


class KernelsHook(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        made = self.made(editable=version == "editable")
        if made is None or version == "editable":
            return
        build_data["force_include"][str(made)] = f"{INSIDE}/{made.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag(made)}"  # ctypes opens it: no interface of Python's is in it

    def made(self, *, editable: bool) -> Path | None:
        """The compiled library, or None; a wheel's is compiled elsewhere, so that the sources stay as they are."""
        compiling = runpy.run_path(str(Path(self.root, "src", INSIDE, "compile.py")))
        switch = os.environ.get(compiling["SWITCH"], "")
        if switch not in ("", "0", "1"):
            raise ValueError(f"{compiling['SWITCH']} is {switch!r}: 0 leaves compiled kernels out, 1 insists on them")
        if switch == "0":
            self.app.display_warning(f"anomalyclip is built without compiled kernels: {compiling['SWITCH']} is 0")
            return None
        if not editable:
            compiling["sweep"](Path(tempfile.gettempdir()), SCRATCH)
            self.scratch = tempfile.TemporaryDirectory(prefix=SCRATCH)
        folder = compiling["FOLDER"] if editable else Path(self.scratch.name)
        try:
            made: Path = compiling["compile_kernels"](folder / compiling["LIBRARY"])
        except compiling["CannotCompileError"] as error:
            if switch == "1":
                raise
            (folder / compiling["LIBRARY"]).unlink(missing_ok=True)  # it would be that of other sources
            self.app.display_warning(f"anomalyclip is built without compiled kernels: {error}")
            return None
        return made

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "scratch"):
            self.scratch.cleanup()


def platform_tag(library: Path) -> str:
    """On Linux the oldest glibc that has what the library asks for: indexes take no other wheel. Else this system."""
    here = list(platform_tags())
    plain = next(tag for tag in here if not tag.startswith(("manylinux", "musllinux")))
    made, own = library.read_bytes(), plain.removeprefix("linux_")
    asked = [int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", made)]
    machine = MACHINES.get(int.from_bytes(made[18:20], "little"), own) if made[:4] == b"\x7fELF" else own
    wanted = f"manylinux_2_{max([17, *asked])}_{machine}"
    # a system without glibc (musl) has no manylinux tags; one of another machine is a cross compiler's
    return wanted if wanted in here or machine != own else plain
