"""Starting is quick and light."""

from __future__ import annotations

import subprocess
import sys


def _imported(*args: str) -> str:
    done = subprocess.run([sys.executable, "-X", "importtime", *args], capture_output=True, text=True, check=True)
    return done.stderr


def test_help_imports_nothing_heavy() -> None:
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in _imported("-m", "anomalyclip", "--help").splitlines()
    }
    assert {"anomalyclip", "click"} <= imported
    assert not {"torch", "numpy", "cv2", "PIL", "pydantic", "rich"} & imported
