"""A cluster on one machine whose owner is killed: with a stand-in for the program `ray`, which is quick."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="clusters on one machine are for Linux")

RAY = """#!/bin/sh
for word; do case $word in --temp-dir=*) place=${word#*=};; esac; done
echo $$ > "$0.pid"
mkdir "$place"; echo 127.0.0.1:1 > "$place/ray_current_cluster"; echo "Ray runtime started"
while :; do sleep 0.05; done
"""
OWNER = """
import sys
from anomalyclip.cluster.local import LocalCluster
sys.executable = sys.argv[1]
LocalCluster(1)
print(flush=True)
input()
"""


def test_nodes_end_with_a_killed_owner(tmp_path: Path) -> None:
    ray = tmp_path / "ray"
    ray.write_text(RAY)
    ray.chmod(0o755)
    line = [sys.executable, "-c", OWNER, str(tmp_path / "python")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        node = int((tmp_path / "ray.pid").read_text())
        assert os.getsid(node) == node
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _lives(node):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    """A zombie does not: nobody may be there to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
