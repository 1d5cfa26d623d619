"""The program's end: at once, but not before what has to be done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.version import __version__

LEFT = "import atexit; atexit.register(print, 'told at the end')"
WORKS = "import threading, time; threading.Thread(target=lambda: (time.sleep(1), print('worked'))).start()"


@pytest.mark.parametrize(
    ("before", "line", "code", "told"),
    [
        (LEFT, "--version", 0, [f"anomalyclip {__version__}", "told at the end"]),
        (LEFT, "no-such-verb", 2, ["told at the end"]),
        (WORKS, "--version", 0, [f"anomalyclip {__version__}", "worked"]),
    ],
)
def test_what_is_left_to_do_is_done(before: str, line: str, code: int, told: list[str]) -> None:
    script = (
        f"import sys; {before}; sys.argv = ['anomalyclip', {line!r}]; from anomalyclip.cli import command; command()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (code, sorted(told)), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_that_is_full_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        line = [sys.executable, "-m", "anomalyclip", "data", "list"]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="others keep a folder that is worked in")
def test_a_working_folder_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    (gone := tmp_path / "gone").mkdir()
    script = (
        f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r}); "
        "sys.argv = ['anomalyclip', 'detect', 'a.png']; from anomalyclip.cli import command; command()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: the working folder was deleted; change to another one, and try again"]


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes them")
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_caller_closed_lose_no_result(tmp_path: Path, closed: str) -> None:
    Image.new("RGB", (40, 30), (90, 120, 60)).save(tmp_path / "a.png")
    line = [sys.executable, "-m", "anomalyclip", "detect", str(tmp_path / "a.png"), "--output", str(tmp_path / "out")]
    done = subprocess.run(["sh", "-c", f'exec "$0" "$@" {closed}', *line], timeout=120, check=False)
    assert done.returncode == 0
    rows = (tmp_path / "out" / "results.csv").read_text("utf-8").splitlines()
    assert [row.partition(",")[0] for row in rows] == ["path", str(tmp_path / "a.png")]
