"""Draw the loss terms of pocket's pretraining: python tools/pocket_curve.py [LOG.csv] [PICTURE.png]"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import matplotlib.pyplot as plt

TERMS = ("image", "pixel", "top", "state")


def main() -> None:
    """The log has one row per 20 steps: step, seconds, total and the terms; the text's are 0 in most steps."""
    log = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/models/pocket-training.csv")
    picture = Path(sys.argv[2] if len(sys.argv) > 2 else "docs/images/pocket-training.png")
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for term in TERMS:
        axes.plot([int(row["step"]) for row in rows], [float(row[term]) for row in rows], label=term)
    axes.set(xlabel="step (batches of 32)", ylabel="loss term", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(ncols=len(TERMS), frameon=False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main()
