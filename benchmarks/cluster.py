"""Throughput of `detect --engine ray` with 1 worker against 2, on a cluster of as many nodes on this machine.

    python benchmarks/cluster.py                               # pocket, 64 images in blocks of 8
    python benchmarks/cluster.py --images 400 --json FILE

Every count of workers has its own cluster, so that no node stands by. The clock runs from the first finished block to
the last, so that starting Ray and loading models is not in it; the driver and Ray's own processes share the cores, and
two hyperthreads of one core are far from two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from anomalyclip.cluster import ClusterRun, Plan, connected
from anomalyclip.cluster.local import LocalCluster
from anomalyclip.cluster.store import Store


def pictures(folder: Path, count: int, side: int) -> None:
    """Noise in JPEG, which is slower to decode than photographs are."""
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:05d}.jpg")


def measure(workers: int, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """One cold run. Images per second while all work, and seconds until the first block was there."""
    loading = {"model": options.model, "prompts": options.prompts, "device": "cpu", "threads": 1}
    with LocalCluster(nodes=workers) as cluster, tempfile.TemporaryDirectory() as output:
        os.environ.update(cluster.environment)
        plan = Plan(Store(output), loading, batch_size=options.batch_size)
        run = ClusterRun(plan, [str(folder)], block_size=options.block_size)
        begun, finished = time.monotonic(), list[tuple[float, int]]()
        with connected(cluster.address) as ray:
            for totals in run.blocks(ray, workers, {"num_cpus": 1}):
                finished.append((time.monotonic(), totals.done))
    # The first entry comes before any block. Once more workers than one are ready, blocks come in pairs.
    (first, before), (last, after) = finished[workers], finished[-1]
    return {"workers": workers, "images_per_second": (after - before) / (last - first), "start_seconds": first - begun}


def main() -> None:
    """Alternate the counts, print the medians, write the record where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--prompts")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--block-size", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        pictures(Path(folder), options.images, options.side)
        runs = []
        for workers in (1, 2) * options.rounds:  # each in a process of its own: Ray keeps the first cluster's token
            with ProcessPoolExecutor(1, get_context("spawn")) as one:
                runs.append(one.submit(measure, workers, Path(folder), options).result())
    rates = {w: float(np.median([run["images_per_second"] for run in runs if run["workers"] == w])) for w in (1, 2)}
    print(f"{'workers':>7} {'images/s':>9} {'against 1':>10}")
    for workers, rate in rates.items():
        print(f"{workers:7} {rate:9.2f} {rate / rates[1]:9.2f}x")
    if options.json:
        load = os.getloadavg()[0]
        record = {"runs": runs, "options": vars(options), "logical_cpus": os.cpu_count(), "load_at_the_end": load}
        options.json.write_text(json.dumps(record, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
