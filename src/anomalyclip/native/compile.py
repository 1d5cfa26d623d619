"""C sources to one shared library, with the system's compiler: ``python -m anomalyclip.native.compile``.

The build hook (hatch_build.py) loads this file by its path, before the package exists: only the standard library here.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

SWITCH = "ANOMALYCLIP_KERNELS"
FOLDER = Path(__file__).resolve().parent
LIBRARY = "_kernels" + {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
COMPILERS = ("cc", "gcc", "clang")
MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
# -O3 without -m: every file but cpu.c names its own instruction set, so that cpu.c runs anywhere.
FLAGS = ("-O3", "-std=gnu11", "-fno-math-errno", "-shared", "-fPIC", "-fvisibility=hidden")
PATIENCE = 600
"""Seconds that one compiler may take."""
SCRATCH = ".kernels-"


class CannotCompileError(Exception):
    """There will be no kernels; the message is one line that says why."""


def main() -> None:
    """Rebuild the library beside this file, whatever the switch says."""
    try:
        made = compile_kernels(FOLDER / LIBRARY)
    except CannotCompileError as error:
        sys.exit(f"error: no compiled kernels: {error}")
    print(f"{made}: {made.stat().st_size / 1024:.0f} KiB")


def compile_kernels(target: Path) -> Path:
    """Compile ``csrc/*.c`` into ``target``, which is replaced only once the new one is whole; gives ``target``.

    Raises:
        CannotCompileError: another processor than x86-64 or 64-bit ARM, no C compiler, or none that can compile
            the sources.
    """
    if platform.machine().lower() not in MACHINES or sys.maxsize < 2**32:
        raise CannotCompileError(f"they are written for 64-bit x86 and ARM, this Python runs on {platform.machine()}")
    sources = sorted((FOLDER / "csrc").glob("*.c"))
    reasons = []
    sweep(target.parent, SCRATCH)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=target.parent) as scratch:
        fresh = Path(scratch) / target.name
        for compiler in _compilers(os.environ):
            reason = _run([*compiler, *FLAGS, "-o", str(fresh), *map(str, sources)])
            if reason is None:
                fresh.replace(target)
                return target
            reasons.append(reason)
    raise CannotCompileError("; ".join(reasons) or f"no C compiler found (looked for {', '.join(COMPILERS)} and $CC)")


def sweep(place: Path, prefix: str) -> None:
    """Remove what killed compilations left. By their age: `anomalyclip.io.locks` cannot be imported here."""
    for left in place.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > PATIENCE * (len(COMPILERS) + 1):
                shutil.rmtree(left)


def _compilers(environment: Mapping[str, str]) -> list[list[str]]:
    """Command lines to try in turn: only ``$CC`` where it is set, as with make; a program with two names once."""
    if chosen := shlex.split(environment.get("CC", "")):
        return [chosen]
    found = {Path(path).resolve(): [path] for name in reversed(COMPILERS) if (path := shutil.which(name))}
    return list(reversed(found.values()))


def _run(line: list[str]) -> str | None:
    """None if the compiler did its work, else why not."""
    try:
        done = subprocess.run(line, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{line[0]} cannot be run ({error.__class__.__name__})"
    if done.returncode == 0 and Path(line[line.index("-o") + 1]).is_file():
        return None
    said = [text.strip() for text in done.stderr.splitlines() if text.strip()]
    first = next((text for text in said if "error" in text), said[0] if said else "no message")
    return f"{line[0]} ended with code {done.returncode} ({first[:200]})"


if __name__ == "__main__":
    main()
