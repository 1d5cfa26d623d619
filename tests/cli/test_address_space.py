"""Little address space (`ulimit -v`): one line, or a run that goes well; never an abort or a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.cli import _address_space, main
from anomalyclip.cli._address_space import check_address_space, out_of_memory
from anomalyclip.errors import ConfigError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts as Linux does")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _limited(megabytes: int, *words: object) -> subprocess.CompletedProcess[str]:
    program = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({megabytes} * 10**6,) * 2)\n"
        "from anomalyclip.cli import command; command()"
    )
    call = [sys.executable, "-c", program, *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, env=ENVIRONMENT, timeout=240, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(6):
        pixels = np.random.default_rng(number).integers(90, 160, (96, 96, 3), dtype=np.uint8)
        (tmp_path / "good").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"good/{number}.png")
    return tmp_path


@pytest.mark.parametrize("megabytes", [100, 159])
def test_where_not_even_numpy_starts_a_verb_says_so(megabytes: int) -> None:
    """OpenBLAS had a line of its own, `doctor` a traceback."""
    done = _limited(megabytes, "doctor")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: this shell or batch system lets a process have {megabytes} MB of address space")


@pytest.mark.parametrize("runtime", ["auto", "torch"])
@pytest.mark.parametrize("megabytes", [200, 400, 600, 716])
def test_too_little_is_refused_before_a_library_aborts(folder: Path, megabytes: int, runtime: str) -> None:
    done = _limited(megabytes, "detect", folder / "good", "--quiet", "--runtime", runtime, "--threads", "1")
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: this shell or batch system lets a process have {megabytes} MB of address space")
    assert "raise the limit (ulimit -v " in line


def test_what_is_asked_for_is_enough(folder: Path) -> None:
    refused = _limited(500, "detect", folder / "good", "--quiet", "--threads", "1").stderr
    needed = int(refused.partition("ulimit -v ")[2].partition(",")[0]) * 1024 // 10**6 + 3
    verbs = [["detect"], ["calibrate", "--fpr", "0.2", "--no-plot", "--no-self-test", "--output", folder / "line.json"]]
    for verb, *more in verbs:
        done = _limited(needed + 20, verb, folder / "good", "--quiet", "--threads", "1", *more)
        assert (done.returncode, done.stderr) == (0, "")


def test_without_a_limit_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    check_address_space(10_000)
    monkeypatch.setattr(_address_space, "_limit", lambda: 10**12)
    check_address_space(10)
    with pytest.raises(ConfigError, match="an export or training needs"):
        check_address_space(100_000, "export")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("/lib/x.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_a_want_of_memory_is_one_line(
    error: Exception, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("anomalyclip.opening.open_detector", fail)
    with pytest.raises(SystemExit) as ended:
        main(["detect", str(folder / "good"), "--quiet"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "the system gave this process no more memory or threads" in line
    assert out_of_memory(RuntimeError("something else")) is None
