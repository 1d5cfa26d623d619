"""Pictures of pocket for README and model card, of renders it never saw: python tools/pocket_pictures.py [FOLDER]

Real images would need their licences' consent, so they are only ever looked at locally (tools/pocket_card.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image

import anomalyclip
from anomalyclip.data.synthetic import UNSEEN_FAMILIES, Sample, render
from anomalyclip.io import draw_overlay
from anomalyclip.metrics import average_precision
from anomalyclip.pretraining.recipe import TRAINED_WORLD, UNSEEN_SEED, VALIDATION_SEED

SIDE = 240
SHOWN = ("wood", "bottle", "circuit_board", "fabric", "brain", "magnetic_tile")
MOST_FAILURES = 7


@dataclass(frozen=True)
class Judged:
    """A render with what pocket says of it."""

    sample: Sample
    score: float
    anomaly_map: np.ndarray

    @property
    def pixel_ap(self) -> float:
        """Average precision of the pixels; 0 for normal renders."""
        truth = self.sample.labels > 0
        return average_precision(self.anomaly_map.ravel(), truth.ravel()) if truth.any() else 0.0


def main(folder: Annotated[Path, typer.Argument(help="Where the pictures go.")] = Path("docs/images")) -> None:
    """Write heat-maps.png (one defect per family) and pocket-failures.png (the worst of 140)."""
    model = anomalyclip.load("pocket", runtime="torch")

    def judge(sample: Sample) -> Judged:
        prediction = model.detect(sample.image)
        return Judged(sample, prediction.score, prediction.anomaly_map)

    shown = []
    for family in SHOWN:  # the median of nine, neither the best nor the worst
        tried = [
            judge(render(VALIDATION_SEED + i, 320, anomalous=True, families=(family,), world=TRAINED_WORLD))
            for i in range(9)
        ]
        shown.append(sorted(tried, key=lambda one: one.pixel_ap)[4])
    write(folder / "heat-maps.png", shown)

    hard = [
        judge(render(UNSEEN_SEED + i, 320, anomalous=bool(i % 2), families=UNSEEN_FAMILIES, world=TRAINED_WORLD))
        for i in range(140)
    ]
    missed = sorted((one for one in hard if one.sample.anomalous), key=lambda one: one.score)[: MOST_FAILURES // 2 + 1]
    alarms = sorted((one for one in hard if not one.sample.anomalous), key=lambda one: -one.score)
    write(folder / "pocket-failures.png", (missed + alarms)[:MOST_FAILURES])


def write(path: Path, judged: list[Judged]) -> None:
    """Columns of picture with the defect's outline, above its heat map."""
    columns = []
    for one in judged:
        outlined = one.sample.image.copy()
        edges, _ = cv2.findContours((one.sample.labels > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(outlined, edges, -1, (0, 255, 170), 2)
        heat = draw_overlay(Image.fromarray(one.sample.image), one.anomaly_map, score=one.score, colour_bar=False)
        tiles = [Image.fromarray(outlined), heat.convert("RGB")]
        columns.append(np.vstack([np.asarray(tile.resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for tile in tiles]))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack(columns)).save(path, optimize=True)


if __name__ == "__main__":
    typer.run(main)
