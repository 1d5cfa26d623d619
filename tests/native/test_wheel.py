"""Distributions by the real hook: with kernels, without, and from sources that hold an older library."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from anomalyclip.native import why_not
from anomalyclip.native.compile import LIBRARY
from anomalyclip.version import __version__

INSIDE = f"anomalyclip/native/{LIBRARY}"


def _build(project: Path, output: Path, target: str = "wheel", **variables: str) -> tuple[Path | None, str]:
    """The distribution made, if any, and what the build said."""
    line = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(output)]
    environment = {**os.environ, **variables}
    done = subprocess.run(line, cwd=project, env=environment, capture_output=True, text=True, check=False)
    made = [path for path in output.glob("*") if path.suffix in (".whl", ".gz")] if output.is_dir() else []
    assert bool(made) == (done.returncode == 0), done.stderr
    return (made[0] if made else None), done.stdout + done.stderr


def _read(wheel: Path) -> tuple[list[str], str]:
    """Names inside, and the file WHEEL."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        return names, archive.read(next(name for name in names if name.endswith(".dist-info/WHEEL"))).decode()


def _sources(project: Path) -> Path:
    return project / "src/anomalyclip/native"


def test_with_kernels(project: Path, compiler: str, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    (temporary / "anomalyclip-kernels-killed").mkdir(parents=True)
    os.utime(temporary / "anomalyclip-kernels-killed", (1e9, 1e9))
    wheel, _ = _build(project, tmp_path / "dist", ANOMALYCLIP_KERNELS="1", TMPDIR=str(temporary))
    assert wheel is not None
    assert list(temporary.iterdir()) == []
    tag = re.fullmatch(rf"anomalyclip-{re.escape(__version__)}-(py3-none-(\w+))\.whl", wheel.name)
    assert tag is not None
    assert tag[2] != "any"
    if platform.libc_ver()[0] == "glibc":
        assert re.fullmatch(r"manylinux_2_\d+_x86_64", tag[2])
    names, metadata = _read(wheel)
    assert "Root-Is-Purelib: false" in metadata
    assert f"Tag: {tag[1]}\n" in metadata
    assert names.count(INSIDE) == 1
    with zipfile.ZipFile(wheel) as archive:
        library = Path(archive.extract(INSIDE, tmp_path))
    reason = why_not("fp32", library)
    assert reason is None or reason.startswith("this processor has neither")
    assert not (_sources(project) / LIBRARY).exists()


def test_for_arm_by_a_cross_compiler(project: Path, tmp_path: Path) -> None:
    if shutil.which("aarch64-linux-gnu-gcc") is None:
        pytest.skip("no aarch64-linux-gnu-gcc here")
    wheel, said = _build(project, tmp_path / "dist", CC="aarch64-linux-gnu-gcc", ANOMALYCLIP_KERNELS="1")
    assert wheel is not None, said
    assert re.fullmatch(r"anomalyclip-.*-py3-none-manylinux_2_\d+_aarch64\.whl", wheel.name)


@pytest.mark.parametrize("reason", ["no C compiler found", "error: too old for this", "ANOMALYCLIP_KERNELS is 0"])
def test_without_kernels(project: Path, compiler: str, failing: Path, tmp_path: Path, reason: str) -> None:
    variables = {
        "no C compiler found": {"PATH": str(tmp_path)},
        "error: too old for this": {"PATH": str(failing)},
        "ANOMALYCLIP_KERNELS is 0": {"ANOMALYCLIP_KERNELS": "0"},
    }[reason]
    wheel, said = _build(project, tmp_path / "dist", **variables)
    assert wheel is not None
    assert wheel.name == f"anomalyclip-{__version__}-py3-none-any.whl"
    names, metadata = _read(wheel)
    assert "Root-Is-Purelib: true" in metadata
    assert not [name for name in names if "_kernels" in name]
    told = [line for line in said.splitlines() if "is built without compiled kernels" in line]
    assert len(told) == 1
    assert reason in told[0]


def test_one_who_insists_gets_an_error(project: Path, compiler: str, failing: Path, tmp_path: Path) -> None:
    wheel, said = _build(project, tmp_path / "dist", PATH=str(failing), ANOMALYCLIP_KERNELS="1")
    assert wheel is None
    assert "error: too old for this" in said
    wheel, said = _build(project, tmp_path / "dist", ANOMALYCLIP_KERNELS="maybe")
    assert wheel is None
    assert "ANOMALYCLIP_KERNELS is 'maybe': 0 leaves compiled kernels out, 1 insists on them" in said


def test_an_older_library_in_the_sources_goes_nowhere(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (copy / ".gitignore").unlink()
    (_sources(copy) / LIBRARY).write_text("older")
    wheel, _ = _build(copy, tmp_path / "wheel", ANOMALYCLIP_KERNELS="0")
    sdist, _ = _build(copy, tmp_path / "sdist", "sdist")
    assert wheel is not None
    assert sdist is not None
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"hatch_build.py", "src/anomalyclip/native/csrc/cpu.c", "src/anomalyclip/native/compile.py"} <= packed
    assert not [name for name in [*packed, *_read(wheel)[0]] if "_kernels" in name]


def test_an_editable_installation_has_the_library_beside_the_sources(
    project: Path, compiler: str, failing: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    _build(copy, tmp_path / "first", "wheel:editable")
    assert (_sources(copy) / LIBRARY).is_file()
    wheel, said = _build(copy, tmp_path / "second", "wheel:editable", PATH=str(failing))
    assert wheel is not None, said
    assert "without compiled kernels" in said
    assert not (_sources(copy) / LIBRARY).exists(), "the library of other sources would be used"
