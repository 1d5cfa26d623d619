"""From C to a library: with the real compiler, with one that fails, and with none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anomalyclip.native import compile
from anomalyclip.native.compile import FOLDER, LIBRARY, CannotCompileError, compile_kernels


def test_the_sources_have_no_warnings(compiler: str) -> None:
    strict = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    for source in sorted((FOLDER / "csrc").glob("*.c")):
        done = subprocess.run([compiler, *strict, str(source)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_only_functions_with_our_prefix_are_exported(compiled: Path) -> None:
    if shutil.which("nm") is None:
        pytest.skip("no nm here")
    listed = subprocess.run(["nm", "-D", "--defined-only", str(compiled)], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in listed.stdout.splitlines()}
    assert {"ac_abi_version", "ac_cpu_features"} <= names
    assert {"ac_attention_f32_avx2", "ac_encode_u8_avx2", "ac_attention_f32_avx512", "ac_encode_u8_avx512vnni"} <= names
    assert all(name.startswith("ac_") for name in names)


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotCompileError, match=r"^no C compiler found \(looked for cc, gcc, clang and \$CC\)$"):
        compile_kernels(tmp_path / LIBRARY)


def test_a_compiler_that_fails_leaves_what_was_there(
    failing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("PATH", str(failing))
    target = tmp_path / LIBRARY
    target.write_text("the one before")
    before = set(tmp_path.iterdir())
    with pytest.raises(CannotCompileError, match=r"cc ended with code 1 \(cpu.c:1: error: too old for this\)$"):
        compile_kernels(target)
    assert target.read_text() == "the one before"
    assert set(tmp_path.iterdir()) == before


def test_what_killed_compilations_left_is_swept_and_what_others_work_in_is_not(
    failing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("PATH", str(failing))
    for name in (".kernels-killed", ".kernels-at_work", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / LIBRARY).touch()
    for name in (".kernels-killed", "other"):
        os.utime(tmp_path / name, (1e9, 1e9))
    with pytest.raises(CannotCompileError):
        compile_kernels(tmp_path / LIBRARY)
    assert {each.name for each in tmp_path.iterdir()} >= {".kernels-at_work", "other"}
    assert not (tmp_path / ".kernels-killed").exists()


def test_the_next_compiler_is_tried_unless_one_was_named(
    failing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    if shutil.which("gcc") is None and shutil.which("clang") is None:
        pytest.skip("the only compiler here is called cc")
    (tmp_path / "csrc").mkdir()
    shutil.copy(FOLDER / "csrc/cpu.c", tmp_path / "csrc")  # one file, which is quick
    monkeypatch.setattr(compile, "FOLDER", tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(failing), os.environ["PATH"]]))
    assert compile_kernels(tmp_path / LIBRARY).stat().st_size > 1000
    monkeypatch.setenv("CC", f"{failing / 'cc'} -m64")
    with pytest.raises(CannotCompileError, match="ended with code 1"):
        compile_kernels(tmp_path / LIBRARY)
    monkeypatch.setenv("CC", str(tmp_path / "nowhere"))
    with pytest.raises(CannotCompileError, match="nowhere cannot be run"):
        compile_kernels(tmp_path / LIBRARY)


def test_another_processor_has_no_kernels(tmp_path: Path) -> None:
    other = ["setarch", "i686"]
    if shutil.which("setarch") is None or subprocess.run([*other, "true"], check=False).returncode:
        pytest.skip("this machine cannot pose as another")
    script = (
        "from pathlib import Path\n"
        "from anomalyclip.native.compile import CannotCompileError, compile_kernels\n"
        "try: compile_kernels(Path('x.so'))\n"
        "except CannotCompileError as error: print(error)"
    )
    line = [*other, sys.executable, "-c", script]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "they are written for 64-bit x86 and ARM, this Python runs on i686\n"


def test_the_command_says_in_one_line_why_it_failed(tmp_path: Path, compiler: str) -> None:
    line = [sys.executable, "-m", "anomalyclip.native.compile"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: no compiled kernels: no C compiler found")
    assert len(done.stderr.splitlines()) == 1
