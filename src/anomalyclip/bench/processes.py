"""The real command in processes of its own: start-up, peak memory, and images per second with disk and decoding."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.errors import ConfigError
from anomalyclip.io.scratch import scratch

_DISTINCT = 32  # pictures drawn; the others are copies of them under other names
_SIDE = 512
_SEED = 950_000
_MB = 1e6


@dataclass(frozen=True)
class Throughput:
    """`anomalyclip detect` on a folder: decode, score, map at the image's size, regions, tables; no pictures written.

    Attributes:
        variant: what ran.
        images: how many, JPEG and PNG in turn, 512 x 512 pixels.
        first: seconds from the command's start to its end for one image, which is its start-up.
        total: seconds for all of them.
        images_per_s: the steady rate, (images - 1) / (total - first).
        peak_mb: peak resident memory over all of them, in 10^6 bytes, interpreter and libraries included.
    """

    variant: str
    images: int
    first: float
    total: float
    images_per_s: float
    peak_mb: float


def measure_detect(
    asked: Mapping[str, Sequence[str]], images: int, *, threads: int, runs: int = 3, prompts: Sequence[str] = ()
) -> list[Throughput]:
    """Run the command for every variant in turn, ``runs`` times each; the fastest run of each counts.

    Args:
        asked: variant -> the options that choose it, such as ``["--model", "pocket", "--runtime", "native"]``.
        images: at least 2.
        threads: of the model.
        runs: how often.
        prompts: further options, such as ``["--prompts", "clip"]``.

    Raises:
        ConfigError: the command failed; the message holds its last line.
    """
    # In a process of its own: a child's peak memory counts what its parent held when it was started.
    alone = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    with scratch("bench") as folder, alone as pool:
        pool.submit(_draw, folder / "many", images).result()
        pool.submit(_draw, folder / "one", 1).result()
        measured = pool.submit(_alternate, asked, folder, threads, runs, tuple(prompts)).result()
    return [
        Throughput(variant, images, first, total, (images - 1) / max(total - first, 1e-9), peak)
        for variant, (first, total, peak) in measured.items()
    ]


def _alternate(
    asked: Mapping[str, Sequence[str]], folder: Path, threads: int, runs: int, options: tuple[str, ...]
) -> dict[str, tuple[float, float, float]]:
    best: dict[str, tuple[float, float, float]] = {}
    for _ in range(runs):
        for variant, choosing in asked.items():
            call = (*choosing, "--threads", str(threads), *options)
            first, _ = run_detect(folder / "one", call)
            total, peak = run_detect(folder / "many", call)
            before = best.get(variant, (first, total, peak))
            best[variant] = min(before[0], first), min(before[1], total), max(before[2], peak)
    return best


def run_detect(images: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """(seconds, peak MB) of one `anomalyclip detect`."""
    with scratch("bench") as output:
        command = [sys.executable, "-m", "anomalyclip", "detect", str(images), "--device", "cpu", "--quiet", *options]
        command += ["--output", f"{output}/run", "--no-overlay", "--no-report", "--maps", "none", "--threshold", "0.5"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
    if process.returncode:
        last = said.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise ConfigError(f"`{' '.join(command)}` ended with {process.returncode}: {last[0]}")
    return seconds, usage.ru_maxrss * 1024 / _MB


def _draw(folder: Path, images: int) -> None:
    """Rendered pictures, JPEG and PNG in turn."""
    from PIL import Image

    from anomalyclip.data.synthetic import render

    folder.mkdir()
    for index in range(images):
        suffix = "png" if index % 2 else "jpg"
        path = folder / f"{index:05}.{suffix}"
        if index < _DISTINCT:
            sample = render(_SEED + index, _SIDE, anomalous=bool(index % 3))
            Image.fromarray(sample.image).save(path, quality=92)
        else:
            path.write_bytes((folder / f"{index % _DISTINCT:05}.{suffix}").read_bytes())
