"""Warnings of libraries do not reach the terminal, unless they are asked for."""

import subprocess
import sys

import pytest

_WARNS = "import warnings; from anomalyclip import cli; cli.main = lambda: warnings.warn('noise'); cli.command()"


@pytest.mark.parametrize(("options", "shown"), [((), False), (("-W", "default"), True)])
def test_warnings_of_libraries(options, shown):
    done = subprocess.run([sys.executable, *options, "-c", _WARNS], capture_output=True, text=True, check=True)
    assert ("noise" in done.stderr) is shown
