"""No room for what was seen of a batch ends the run in one line: no picture is at fault, none is left out for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("verb", "more"),
    [
        ("detect", ["pictures/bad", "pictures/good"]),
        ("detect", ["pictures/bad", "pictures/good", "--output", "out"]),
        ("evaluate", ["pictures", "--missing-masks", "image-only"]),
    ],
)
def test_a_full_disk_is_told_for_itself(tmp_path: Path, verb: str, more: list[str]) -> None:
    for number in range(8):
        pixels = np.random.default_rng(number).integers(90, 160, (96, 96, 3), dtype=np.uint8)
        place = tmp_path / "pictures" / ("bad" if number % 2 else "good")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    # A limit of a file's size makes the kernel refuse a write in the middle, as a full disk does.
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))\n"
        "from anomalyclip.cli import command; command()"
    )
    call = [sys.executable, "-c", program, verb, *more, "--mutual", "--quiet", "--image-size", "64"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: cannot write ")
    assert "the file would be larger than this system allows" in line
    assert ".f2" in line
