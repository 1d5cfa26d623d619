"""The program's end: at once, but not before what has to be done."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
