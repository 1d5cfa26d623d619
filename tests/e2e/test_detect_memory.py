"""Memory does not grow with the number of images."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path


def _peak(args: list[str]) -> float:
    """Peak resident memory of one process in MB."""
    process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


def test_600_images_take_no_more_memory_than_60(
    command: Callable[..., list[str]], photos: Callable[..., Path], tmp_path: Path
) -> None:
    few, many = photos(tmp_path / "few", 60, size=(120, 90)), tmp_path / "many"
    many.mkdir()
    for i in range(600):
        (many / f"{i:04d}.png").hardlink_to(few / f"{i % 60:04d}.png")
    options = ["--batch-size", "8", "--maps", "npz"]
    peaks = [_peak(command(f, "--output", tmp_path / f"out-{f.name}", *options)) for f in (few, many)]
    assert peaks[1] - peaks[0] < 40, f"peaks {peaks} MB"
