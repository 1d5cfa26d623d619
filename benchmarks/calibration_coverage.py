"""Does a calibrated false-positive rate hold on real images? python benchmarks/calibration_coverage.py [COUNT] [MODEL]

Electroluminescence images of solar cells (elpv-dataset, `pip install anomalyclip[demo]`): COUNT functional cells of
each type (mono- and polycrystalline) and COUNT // 4 surely defective ones. The model runs once over each; then many
random splits calibrate on n normal cells and count false alarms among the others. Scores are kept beside the results.
"""

from __future__ import annotations

import json
import random
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from anomalyclip.calibration import DriftMonitor, Measured, calibrate, measure
from anomalyclip.calibration.conformal import allowed, conformal_threshold, smallest_rate
from anomalyclip.detect import iter_inputs

RESULTS = Path(__file__).parent / "results"
RATES = (0.01, 0.05, 0.1)
SIZES = (20, 100, 300)
SPLITS = 1000


def cells(count: int) -> dict[str, list[str]]:
    """Paths of "mono" and "poly" (functional) and "defective" (mono, probability 1) cells, chosen with a fixed seed."""
    package = find_spec("elpv_dataset")
    if package is None or not package.submodule_search_locations:
        sys.exit("the images are missing; run: pip install 'anomalyclip[demo]'")
    folder = Path(package.submodule_search_locations[0]) / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines() if line.strip()]
    wanted = {"mono": ("mono", 0.0, count), "poly": ("poly", 0.0, count), "defective": ("mono", 1.0, count // 4)}
    chosen = {}
    for name, (kind, probability, number) in wanted.items():
        names = [file for file, value, what in rows if what == kind and float(value) == probability]
        chosen[name] = [str(folder / file) for file in random.Random(0).sample(names, min(number, len(names)))]
    return chosen


def scores_of(model_name: str, count: int) -> dict[str, dict[str, list[float]]]:
    """Scores and peaks of every group, from the file of an earlier run if there is one."""
    file = RESULTS / f"calibration_scores_{model_name}_{count}.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    import anomalyclip

    model = anomalyclip.load(model_name)
    told = {}
    for name, paths in cells(count).items():
        measured = measure(model, iter_inputs(paths))
        told[name] = {"scores": measured.scores, "peaks": measured.peaks}
        print(f"{name}: {len(measured.scores)} images, {len(measured.skipped)} skipped", flush=True)
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(told) + "\n")
    return told


def coverage(values: np.ndarray, n: int, rate: float) -> tuple[float, float, float, float]:
    """Mean false-positive rate over splits, its 5% and 95% quantiles over splits, and the exact mean m / (n + 1)."""
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(SPLITS):
        mixed = rng.permutation(values)
        alarms.append(float((mixed[n:] >= conformal_threshold(mixed[:n], rate)).mean()))
    low, high = np.quantile(alarms, [0.05, 0.95])
    return float(np.mean(alarms)), float(low), float(high), allowed(n, rate) / (n + 1)


def main() -> None:
    """Print the tables of docs/calibration.md."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    model_name = sys.argv[2] if len(sys.argv) > 2 else "pocket"
    told = scores_of(model_name, count)
    print("| what | n | rate | measured | 5% to 95% of splits | exact mean |\n|---|---|---|---|---|---|")
    for what in ("scores", "peaks"):
        values = np.float32(told["mono"][what])
        for n in (size for size in SIZES if size < len(values)):
            for rate in RATES:
                if rate < smallest_rate(n):
                    print(f"| {what} | {n} | {rate:.0%} | refused: {n} images support {smallest_rate(n):.2%} | | |")
                    continue
                mean, low, high, exact = coverage(values, n, rate)
                print(f"| {what} | {n} | {rate:.0%} | {mean:.2%} | {low:.2%} to {high:.2%} | {exact:.2%} |")
    half = len(told["mono"]["scores"]) // 2
    profile = calibrate(
        Measured(told["mono"]["scores"][:half], told["mono"]["peaks"][:half]), {"model": model_name}, rate=0.05
    )
    streams = {"other mono cells": told["mono"]["scores"][half:], "defective": told["defective"]["scores"]}
    print(
        "\n| after calibrating on mono cells at 5% | images | above the threshold | warned after |\n|---|---|---|---|"
    )
    for name, scores in {**streams, "poly cells": told["poly"]["scores"]}.items():
        monitor, at = DriftMonitor(profile), None
        for number, score in enumerate(scores, start=1):
            monitor.add(score)
            at = number if at is None and monitor.warning() is not None else at
        print(f"| {name} | {monitor.count} | {monitor.above / monitor.count:.1%} | {at or 'never'} |")


if __name__ == "__main__":
    main()
