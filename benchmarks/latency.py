"""Time one image on one core, plain torch, for each architecture: median and quartiles of alternating runs.

    python benchmarks/latency.py                       # pocket, the embedded model
    python benchmarks/latency.py vit-b-32 vit-l-14-336 # random weights of the true architecture

Prints a table and, with --json FILE, writes what was measured together with versions, threads and settings.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import time
from pathlib import Path

import torch

import anomalyclip
from anomalyclip.bench.models import random_model
from anomalyclip.clip.config import PRESETS
from anomalyclip.detector import Detector


def build(name: str, image_size: int | None) -> Detector:
    """``pocket`` with its real weights, everything else with random ones (speed does not depend on the values)."""
    return (
        anomalyclip.load("pocket", runtime="torch", image_size=image_size)
        if name == "pocket"
        else random_model(name, image_size=image_size)
    )


def main() -> None:
    """Alternate the models round by round, so that a noisy neighbour hits all of them alike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["pocket"], help=f"any of {', '.join(PRESETS)}")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    models = [build(name, options.image_size) for name in options.models]
    times: list[list[float]] = [[] for _ in models]
    for round_number in range(options.rounds + 1):
        for model, seconds in zip(models, times, strict=True):
            size = model.settings.image_size
            pixels = torch.randn(1, 3, size, size)
            start = time.perf_counter()
            model.predict(pixels)
            if round_number:  # the first round warms up
                seconds.append(time.perf_counter() - start)
    rows = [summary(model, seconds) for model, seconds in zip(models, times, strict=True)]
    print(f"{'model':32} {'size':>5} {'median ms':>10} {'quartiles':>16}")
    for row in rows:
        quartiles = f"{row['q1_ms']:.1f} .. {row['q3_ms']:.1f}"
        print(f"{row['model']:32} {row['image_size']:5} {row['median_ms']:10.1f} {quartiles:>16}")
    if options.json:
        record = {
            "rows": rows,
            "threads": options.threads,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "anomalyclip": anomalyclip.__version__,
            "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        options.json.write_text(json.dumps(record, indent=2) + "\n")


def summary(model: Detector, seconds: list[float]) -> dict[str, object]:
    """Median and quartiles in milliseconds."""
    q1, median, q3 = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    return {
        "model": model.name,
        "image_size": model.settings.image_size,
        "median_ms": 1000 * median,
        "q1_ms": 1000 * q1,
        "q3_ms": 1000 * q3,
    }


if __name__ == "__main__":
    main()
