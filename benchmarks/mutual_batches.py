"""What a batch that judges itself gains on real sets: python benchmarks/mutual_batches.py FOLDER [--only NAME]

FOLDER holds data sets, each with a meta.json (MVTec's layout); solar cells (elpv-dataset, `pip install
anomalyclip[demo]`) join where they are installed, 125 good and 125 bad cells of each type. Every class is one line of
the table, for batches of its own mixture and of 5, 20 and 50% faulty pictures, drawn with fixed seeds: image AUROC of
the words alone (zero-shot), of the batch's distances alone, and of both as `detect --mutual` joins them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

import anomalyclip
from anomalyclip.data import open_dataset
from anomalyclip.io import read_image
from anomalyclip.judges.memory.peaks import top_mean
from anomalyclip.metrics import auroc
from anomalyclip.mutual.passes import FirstPass
from anomalyclip.mutual.scoring import Batch, score_batch
from anomalyclip.mutual.store import pixels_digest

CELLS = 125
DRAWS = {0.05: 2, 0.2: 2, 0.5: 1}
FEWEST = 5  # good and bad pictures, below which a class says nothing


def classes(root: Path, only: str) -> Iterator[tuple[str, list[tuple[Path, int]]]]:
    """(name, [(file, label)]) of every class with enough good and bad pictures."""
    found: dict[str, list[tuple[Path, int]]] = {}
    for meta in sorted(root.glob("*/meta.json")):
        for item in open_dataset(meta.parent, missing_masks="image-only").items:
            found.setdefault(item.class_name, []).append((item.image, item.label))
    found |= _solar_cells()
    for name, rows in found.items():
        labels = [label for _, label in rows]
        if only in name and min(labels.count(0), labels.count(1)) >= FEWEST and len(rows) >= 30:
            yield name, rows


def _solar_cells() -> dict[str, list[tuple[Path, int]]]:
    package = find_spec("elpv_dataset")
    if package is None or not package.submodule_search_locations:
        return {}
    folder = Path(package.submodule_search_locations[0]) / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines() if line.strip()]
    rng, found = np.random.default_rng(0), {}
    for kind in ("mono", "poly"):
        good = [folder / name for name, value, what in rows if what == kind and float(value) == 0]
        bad = [folder / name for name, value, what in rows if what == kind and float(value) >= 0.5]
        drawn = [
            ([part[i] for i in rng.permutation(len(part))[:CELLS]], label) for part, label in ((good, 0), (bad, 1))
        ]
        found[f"solar cells, {kind}"] = [(path, label) for part, label in drawn for path in part]
    return found


def mixtures(labels: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(name, indices): all, then draws of 5, 20 and 50% faulty pictures."""
    rng = np.random.default_rng(0)
    good, bad = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    yield f"own ({100 * labels.mean():.0f}%)", np.arange(len(labels))
    for share, draws in DRAWS.items():
        for _ in range(draws):
            faulty = min(len(bad), max(2, round(len(good) * share / (1 - share))))
            normal = min(len(good), round(faulty * (1 - share) / share))
            chosen = rng.choice(good, normal, replace=False), rng.choice(bad, faulty, replace=False)
            yield f"{100 * share:.0f}%", np.concatenate(chosen)


def measure(
    model: anomalyclip.detector.Detector, rows: list[tuple[Path, int]], folder: Path
) -> list[dict[str, object]]:
    """A row for each mixture, averaged over its draws."""
    first, digests, labels = FirstPass(model, folder), [], []
    for path, label in rows:
        pixels = model.preprocess(read_image(path))
        first.predict(pixels[None])
        digests.append(pixels_digest(pixels))
        labels.append(label)
    found: dict[str, list[tuple[float, ...]]] = {}
    for name, chosen in mixtures(np.array(labels)):
        names = [digests[index] for index in chosen]
        verdicts = score_batch(first.store, Batch.of(names), sigma=model.settings.sigma)
        truth = [labels[index] for index in chosen]
        scores = (
            [first.store.brief(one).score for one in names],
            [float(top_mean(verdicts.distances[one])) for one in names],
            [verdicts.scores[one] for one in names],
        )
        warned = any("looks as if a third" in doubt for doubt in verdicts.doubts)
        told = (*(auroc(values, truth) for values in scores), float(verdicts.facts["many_kinds"]), float(warned))
        found.setdefault(name, []).append((*told, len(names)))
    keys = ("zero-shot", "mutual", "fused", "many_kinds", "warned", "pictures")
    return [
        {"mixture": name, **dict(zip(keys, np.round(np.mean(each, axis=0), 3).tolist(), strict=True))}
        for name, each in found.items()
    ]


def main() -> None:
    """Measure and print; FILE takes the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--only", default="", help="classes whose name contains this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    model, made = anomalyclip.load(given.model), []
    print("| class | faulty | pictures | zero-shot | mutual | fused | many kinds | warned |")
    print("|---|---|---|---|---|---|---|---|")
    for name, rows in classes(given.folder, given.only):
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(model, rows, Path(folder)):
                made.append({"class": name, **row})
                parts = [f"{row[key]:.3f}" for key in ("zero-shot", "mutual", "fused")]
                flags = [f"{row[key]:.0%}" for key in ("many_kinds", "warned")]
                print(
                    f"| {name} | {row['mixture']} | {row['pictures']:.0f} | {' | '.join(parts + flags)} |", flush=True
                )
    if given.json is not None:
        given.json.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
