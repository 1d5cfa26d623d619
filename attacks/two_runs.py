"""Two runs of `detect` into one folder, one of which stops between its look into it and its first write, as if its
model were slow: each found the folder empty, and four pictures got eight rows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image


class End(NamedTuple):
    """Exit codes of the run that was stopped and of the other one, what the latter said, and rows in their folder."""

    first: int
    other: int
    said: str
    rows: int


def end(folder: Path, pictures: int = 4) -> End:
    """Of both runs, over so many pictures made in the folder."""
    rng = np.random.default_rng(0)
    images = [folder / f"{number}.png" for number in range(pictures)]
    for path in images:
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    out = folder / "out"
    words = [sys.executable, "-m", "anomalyclip", "detect", *map(str, images), "--image-size", "96", "--offline", "-q"]
    words += ["--maps", "none", "--no-overlay", "--no-report", "-o", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE)
    while not out.exists() and first.poll() is None:
        time.sleep(0.002)
    time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)
    other = subprocess.run([*words, "--threshold", "0.1"], env=environment, capture_output=True, text=True, check=False)
    first.send_signal(signal.SIGCONT)
    first.communicate()
    rows = (out / "results.jsonl").read_bytes().splitlines()
    return End(first.returncode, other.returncode, other.stderr, len(rows))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(end(Path(place)))
