"""Two runs that look into one folder before either writes: the lock is held from the first look on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect.folder import FolderLock
from anomalyclip.detect.writers import OutputFolder
from anomalyclip.errors import OutputError
from anomalyclip.evaluation.folder import EvaluationFolder

pytest.importorskip("fcntl")


@pytest.mark.parametrize("kind", [OutputFolder, EvaluationFolder])
@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_folder_that_was_looked_into_is_taken(kind: type, mode: str, tmp_path: Path) -> None:
    first = kind(tmp_path / "out")  # has written nothing yet
    with pytest.raises(OutputError, match=r"another run is writing to .*out; wait for it or name another folder"):
        kind(tmp_path / "out", mode)
    first._lock.close()
    kind(tmp_path / "out", mode)._lock.close()


def test_nothing_lies_in_a_folder_that_is_held(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    lock.close()
    lock.close()


def test_two_runs(tmp_path: Path) -> None:
    """One stops between its look and its first write, as if its model were slow: the other is refused at once."""
    rng = np.random.default_rng(0)
    images = [tmp_path / f"{number}.png" for number in range(4)]
    for path in images:
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    words = [sys.executable, "-m", "anomalyclip", "detect", *map(str, images), "--image-size", "96", "--offline", "-q"]
    words += ["--maps", "none", "--no-overlay", "--no-report", "-o", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    slow = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
    while not (tmp_path / "out").exists():
        assert slow.poll() is None
        time.sleep(0.002)
    time.sleep(0.02)
    slow.send_signal(signal.SIGSTOP)
    other = subprocess.run([*words, "--threshold", "0.1"], env=environment, capture_output=True, text=True, check=False)
    slow.send_signal(signal.SIGCONT)
    slow.communicate()
    # On a busy machine the first may not have come to its look yet when it stops: then the other one has the folder.
    assert sorted([slow.returncode, other.returncode])[0] == 0
    assert max(slow.returncode, other.returncode) in (1, 2)
    if slow.returncode == 0:
        assert "another run is writing to" in other.stderr
    assert len((tmp_path / "out/results.jsonl").read_bytes().splitlines()) == 4
