"""Detect defects in real solar cells with the embedded model: python examples/solar_cells.py [OUTPUT] [COUNT]

The pictures are electroluminescence images of the elpv-dataset (Buerhop-Lutz et al. 2018, CC BY-NC-SA 4.0), installed
with ``pip install anomalyclip[demo]``. The model never saw a solar cell photograph, or any other real anomaly.
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from anomalyclip.metrics import auroc, bootstrap_interval


def sample(count: int, seed: int = 0) -> dict[Path, int]:
    """Half functional cells (defect probability 0), half surely defective ones (probability 1): path to label."""
    package = find_spec("elpv_dataset")
    if package is None or not package.submodule_search_locations:
        sys.exit("the demo's images are missing; run: pip install 'anomalyclip[demo]'")
    folder = Path(package.submodule_search_locations[0]) / "data"
    with (folder / "labels.csv").open() as file:
        rows = [row.split() for row in file]
    chosen: dict[Path, int] = {}
    for label, probability in ((0, 0.0), (1, 1.0)):
        names = [name for name, value, _ in rows if float(value) == probability]
        chosen |= dict.fromkeys((folder / name for name in random.Random(seed).sample(names, count // 2)), label)
    return chosen


def main() -> None:
    """Run the command line tool as a user would, then compare its scores with the labels."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-results")
    labels = sample(int(sys.argv[2]) if len(sys.argv) > 2 else 100)
    command = ["detect", *map(str, sorted(labels)), "--output", str(output), "--overwrite"]
    print(f"anomalyclip detect <{len(labels)} solar cells> --output {output} --overwrite", flush=True)
    subprocess.run([sys.executable, "-m", "anomalyclip", *command], check=True)

    with (output / "results.csv").open(newline="") as file:
        scores = {Path(row["path"]): float(row["score"]) for row in csv.DictReader(file)}
    truth = [labels[path] for path in scores]
    value, low, high = bootstrap_interval(auroc, list(scores.values()), truth)
    print(f"\nImage AUROC against the labels: {value:.3f} (95% interval {low:.3f} to {high:.3f})")
    print(f"Look at the heat maps: {output / 'report.html'}")
    summary = {"images": len(scores), "image_auroc": value, "interval": [low, high]}
    (output / "demo.json").write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
