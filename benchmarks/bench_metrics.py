"""AUPRO on maps of 518x518: the authors' recipe restated, our exact and our streaming way, each in its own process.

    python benchmarks/bench_metrics.py                 # 20 maps, a quick look
    python benchmarks/bench_metrics.py --images 200    # the target: streaming 100x faster, below 300 MB (minutes)

Every process renders the same maps one after another from a seed. `time` counts the metric alone, not the rendering;
`peak` is the process's peak memory, `extra` is what it lies above the peak just before the first map (interpreter and
libraries). The two ways that need all maps at once hold them, as any user of them must.
Needs the extra `dev` and scikit-image (the recipe's own connected components).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SIZE = 518
Sample = tuple[np.ndarray, np.ndarray]


def rendered_maps(images: int, seed: int = 0) -> Iterator[Sample]:
    """Smooth maps (S, S) float32 in [0, 1], masks (S, S) uint8: noise, raised on one or two blobs in 3 of 4 images."""
    import cv2

    random = np.random.default_rng(seed)
    for index in range(images):
        mask = np.zeros((SIZE, SIZE), np.uint8)
        for _ in range(random.integers(1, 3) if index % 4 else 0):
            centre, axes = random.integers(60, SIZE - 60, 2), random.integers(8, 50, 2)
            cv2.ellipse(mask, centre.tolist(), axes.tolist(), float(random.uniform(0, 180)), 0, 360, 1, -1)
        noise = cv2.resize(random.normal(size=(37, 37)).astype(np.float32), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        level = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 12) * random.uniform(0.5, 3.0)
        yield 1 / (1 + np.exp(2 - noise - level)), mask


def authors_recipe(samples: Iterator[Sample]) -> tuple[float, float]:
    """The published procedure: at each of 200 thresholds binarise all maps, find the regions anew, average overlaps."""
    from skimage import measure
    from sklearn.metrics import auc

    maps, masks = (np.stack(parts) for parts in zip(*samples, strict=True))
    start = time.perf_counter()
    lowest, highest = maps.min(), maps.max()
    called, normal = np.zeros(maps.shape, bool), 1 - masks
    curve = []
    for threshold in np.arange(lowest, highest, (highest - lowest) / 200):
        called[maps <= threshold], called[maps > threshold] = False, True
        overlaps = [
            one_called[region.coords[:, 0], region.coords[:, 1]].sum() / region.area
            for one_called, one_mask in zip(called, masks, strict=True)
            for region in measure.regionprops(measure.label(one_mask))
        ]
        curve.append((np.logical_and(normal, called).sum() / normal.sum(), np.mean(overlaps)))
    fpr, pro = np.array([point for point in curve if point[0] < 0.3]).T
    value = auc((fpr - fpr.min()) / (fpr.max() - fpr.min()), pro)
    return float(value), time.perf_counter() - start


def ours(mode: str, variant: str) -> Callable[[Iterator[Sample]], tuple[float, float]]:
    """Update map by map, time summed over update and compute."""

    def run(samples: Iterator[Sample]) -> tuple[float, float]:
        from anomalyclip.metrics import AUPRO

        metric, spent = AUPRO(mode=mode, variant=variant), 0.0  # type: ignore[arg-type]
        for scores, mask in samples:
            start = time.perf_counter()
            metric.update(scores, mask)
            spent += time.perf_counter() - start
        start = time.perf_counter()
        value = metric.compute()
        return value, spent + time.perf_counter() - start

    return run


WAYS = {
    "authors' recipe": authors_recipe,
    "ours, reference variant, exact": ours("exact", "reference"),
    "ours, reference variant, streaming": ours("streaming", "reference"),
    "ours, exact": ours("exact", "exact"),
    "ours, streaming": ours("streaming", "exact"),
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_here(way: str, images: int) -> dict[str, float]:
    """Run one way in this process, libraries loaded beforehand."""
    WAYS[way](rendered_maps(2))
    before = peak_mb()
    value, seconds = WAYS[way](rendered_maps(images))
    return {"value": value, "seconds": seconds, "peak_mb": peak_mb(), "extra_mb": peak_mb() - before}


def main() -> None:
    parser = argparse.ArgumentParser(description="AUPRO: the authors' recipe against ours.")
    parser.add_argument("--images", type=int, default=20, help="number of 518x518 maps (default 20)")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--only", choices=list(WAYS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure_here(arguments.only, arguments.images)))
        return
    print(f"AUPRO (FPR limit 0.3) on {arguments.images} maps of {SIZE}x{SIZE}")
    print(f"{'way':<36}{'time s':>9}{'faster':>9}{'peak MB':>9}{'extra MB':>10}{'value':>12}")
    slowest, rows = None, []
    for way in WAYS:
        command = [sys.executable, __file__, "--images", str(arguments.images), "--only", way]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        slowest = slowest or row["seconds"]
        rows.append({"way": way, "faster": slowest / row["seconds"]} | row)
        print(
            f"{way:<36}{row['seconds']:>9.2f}{slowest / row['seconds']:>8.0f}x{row['peak_mb']:>9.0f}"
            f"{row['extra_mb']:>10.0f}{row['value']:>12.6f}",
            flush=True,
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"images": arguments.images, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
