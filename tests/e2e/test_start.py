"""Starting is quick and light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from anomalyclip.native import why_not


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


def test_detect_imports_only_what_it_needs(tmp_path: Path) -> None:
    """No checks of files that are not read, no network, no calibration: the embedded model and one picture."""
    Image.new("RGB", (40, 30), (120, 90, 60)).save(tmp_path / "a.png")
    lines = _imported("-m", "anomalyclip", "detect", str(tmp_path / "a.png"), "-q").splitlines()
    imported = {line.rpartition("|")[2].strip() for line in lines}
    runtime = "onnxruntime" if why_not("fp32") else "anomalyclip.encoders.tower"
    assert {runtime, "anomalyclip.detect.stages"} <= imported
    assert ("onnxruntime" in imported) == bool(why_not("fp32"))
    needless = {"torch", "pydantic", "ssl", "http.client", "anomalyclip.hub.download", "anomalyclip.calibration"}
    assert not needless & imported
