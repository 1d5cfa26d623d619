"""Nothing below us reports to its maker, seen from outside: by what is looked up, connected to and left in a home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = """
import json, sys
asked = []
sys.addaudithook(lambda event, values: event in ("socket.connect", "socket.getaddrinfo") and asked.append(event))
import anomalyclip
anomalyclip.load("pocket").detect(sys.argv[1])
try:
    import openvino
    import openvino.tools.ovc.telemetry_utils as sender
    sent = sender.tm.__name__
except ImportError:
    sent = "openvino.tools.ovc.telemetry_stub"
print(json.dumps([asked, sent]))
"""


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """An environment of no user: an empty home, nothing refused by hand."""
    (tmp_path / "home").mkdir()
    told = ("ORT_DISABLE_TELEMETRY", "CI", "TF_BUILD", "JENKINS_URL", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in told}
    return kept | {"HOME": str(tmp_path / "home"), "ANOMALYCLIP_CACHE": str(tmp_path / "cache")}


def test_detect_and_openvino_tell_nobody(tmp_path: Path, alone: dict[str, str]) -> None:
    """onnxruntime would leave its identifier of the machine and a database of events, OpenVINO that it was imported."""
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "a.png"], env=alone, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], "openvino.tools.ovc.telemetry_stub"]
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_what_a_user_has_decided_stays(alone: dict[str, str]) -> None:
    code = "import anomalyclip, os; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['RAY_USAGE_STATS_ENABLED'])"
    env = alone | {"ORT_DISABLE_TELEMETRY": "0"}
    env.pop("RAY_USAGE_STATS_ENABLED", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["0", "0"], done.stderr
