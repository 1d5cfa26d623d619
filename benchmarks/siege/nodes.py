"""kill -9 of the driver or of a whole node of a Ray cluster on this machine, while it works: every input once."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow.dataset
from kills import ENVIRONMENT, SMALL, started
from outcome import Outcome
from PIL import Image

from anomalyclip.cluster.local import LocalCluster
from anomalyclip.errors import ConfigError

_IMAGES, _BLOCK = 400, 10
_PATIENCE = 600.0  # seconds for a run, whoever dies
_TRIES = 6
T = TypeVar("T")


def kill_nodes(verb: str, kills: int, scratch: Path, *, seed: str) -> Outcome:
    """verb: `ray-driver` is killed and started again with --resume; of `ray-node`, the driver goes on alone."""
    rng, outcome = random.Random(f"{verb} {seed}"), Outcome(f"kill -9 {verb.replace('-', ' ')}")
    pictures = scratch / "in"
    pictures.mkdir()
    for number in range(_IMAGES):
        Image.new("RGB", (64 + number % 50, 80), (number % 256, 90, 120)).save(pictures / f"{number:04d}.png")
    driver = verb == "ray-driver"
    with _patiently(lambda: LocalCluster(nodes=2)) as cluster:
        words = ["detect", pictures, "--engine", "ray", "--address", cluster.address, "--block-size", _BLOCK, *SMALL]
        words += ["--workers", 1 if driver else 2, "--batch-size", _BLOCK]
        environment = {**ENVIRONMENT, **cluster.environment}
        node, whole = 1, _timed(started([*words, "-o", scratch / "first"], environment))
        for number in range(kills):
            out = scratch / f"out{number}"
            process = started([*words, "-o", out], environment)
            _wait_for_work(process, out, rng.uniform(0.0, 0.5) * whole)
            if process.poll() is None:
                outcome.times += 1
                if driver:
                    process.kill()
                    process.wait()
                    process = started([*words, "-o", out, "--resume"], environment)
                else:
                    cluster.kill_node(node)
            if process.wait(_PATIENCE):
                outcome.dead += 1
                outcome.note(f"the driver ended with {process.returncode}")
            _look(out, outcome)
            if not cluster.is_running(node, "raylet"):
                node = _patiently(cluster.add_node)
    outcome.most = {"unharmed, s": whole}
    return outcome


def _patiently(start: Callable[[], T]) -> T:
    """Ray gives a node 30 s to start, which is little on a busy machine."""
    for _ in range(_TRIES - 1):
        with suppress(ConfigError):
            return start()
    return start()


def _timed(process: subprocess.Popen[bytes]) -> float:
    start = time.monotonic()
    process.wait(_PATIENCE)
    return time.monotonic() - start


def _wait_for_work(process: subprocess.Popen[bytes], out: Path, more: float) -> None:
    """Until a first block is there, or so many seconds longer."""
    while process.poll() is None and not any(out.glob("results/part=*/block-*.parquet")):
        time.sleep(0.05)
    end = time.monotonic() + more
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def _look(out: Path, outcome: Outcome) -> None:
    found = pyarrow.dataset.dataset(out / "results", format="parquet").to_table(["input", "error"]).to_pylist()
    inputs = [row["input"] for row in found]
    outcome.lost += _IMAGES - len(set(inputs))
    outcome.double += len(inputs) - len(set(inputs))
    for row in found:
        if row["error"] is not None:
            outcome.note(f"error row: {row['error']}")
    if list(out.rglob("*.tmp")):
        outcome.note("a half-written file stayed")
