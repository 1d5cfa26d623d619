"""Draws docs/images/few-shot.png: image AUROC over the number of good pictures, of finished evaluations.

python tools/few_shot_picture.py OUT.png RESULTS...   (folders of `anomalyclip evaluate DATA --shots ... --output`)
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt


def main(out: Path, folders: list[Path]) -> None:
    figure, axes = plt.subplots(figsize=(7.6, 3.8), dpi=120)
    for folder in folders:
        told = json.loads((folder / "metrics.json").read_text("utf-8"))
        for name in told["classes"]:
            rows = {int(shots): each["classes"][name] for shots, each in told["few_shot"]["shots"].items()}
            drawn = {shots: row for shots, row in rows.items() if row["image_auroc"] is not None}
            values = [row["image_auroc"] for row in drawn.values()]
            spread = [row["spread"]["image_auroc"] for row in drawn.values()]
            (line, *_) = axes.errorbar(list(drawn), values, spread, marker="o", capsize=3, label=name)
            words = drawn[max(drawn)]["zero_shot"]["image_auroc"]
            axes.axhline(words, color=line.get_color(), linestyle=":", linewidth=1)
    axes.set_xscale("log", base=2)
    ticks = (1, 2, 4, 8, 16, 25)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlabel("good pictures (dotted: words alone)")
    axes.set_ylabel("image AUROC")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    figure.savefig(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(given) for given in sys.argv[2:]])
