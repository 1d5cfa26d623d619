"""The kernels, compiled by the real compiler; tests that need one are skipped only where the machine has none."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from anomalyclip.native.compile import FOLDER, LIBRARY, compile_kernels
from anomalyclip.native.library import BUILT


@pytest.fixture(scope="session")
def compiler() -> str:
    """A C compiler for 64-bit x86."""
    found = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if found is None or platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("no C compiler for x86-64 on this machine")
    return found


@pytest.fixture(scope="session")
def compiled(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of csrc/, compiled: by the installation where nothing has changed since."""
    if BUILT.is_file() and BUILT.stat().st_mtime > max(x.stat().st_mtime for x in (FOLDER / "csrc").iterdir()):
        return BUILT
    return compile_kernels(tmp_path_factory.mktemp("kernels") / LIBRARY)


@pytest.fixture
def tiny(compiler: str, tmp_path: Path) -> Callable[[str], Path]:
    """Compiles C text to a library of its own."""

    def build(text: str) -> Path:
        source, library = tmp_path / "tiny.c", tmp_path / f"tiny-{LIBRARY}"
        source.write_text(text)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        return library

    return build


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """A folder whose program ``cc`` fails as compilers do."""
    folder = tmp_path / "failing"
    folder.mkdir()
    script = folder / "cc"
    script.write_text("#!/bin/sh\necho 'warming up' >&2\necho 'cpu.c:1: error: too old for this' >&2\nexit 1\n")
    script.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _as_on_a_new_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CC", "ANOMALYCLIP_KERNELS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def processor_flags() -> set[str]:
    """What Linux says about the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    flags = next((line for line in lines if line.startswith("flags")), "")
    if not flags:
        pytest.skip("nobody else to ask about this processor")
    return set(flags.partition(":")[2].split())


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the build reads; of the large files none, and of the C sources cpu.c alone, which is quick."""
    root, copy = FOLDER.parents[2], tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE.md", ".gitignore"):
        shutil.copy(root / name, copy)
    shutil.copytree(root / "LICENSES", copy / "LICENSES")
    left_out = shutil.ignore_patterns("assets", "__pycache__", "csrc", "_kernels.*", ".kernels-*")
    shutil.copytree(root / "src", copy / "src", ignore=left_out)
    sources = copy / "src/anomalyclip/native/csrc"
    sources.mkdir()
    shutil.copy(FOLDER / "csrc/cpu.c", sources)
    return copy
