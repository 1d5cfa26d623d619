"""Which layers of `pocket` must stay in float when it is quantised, by measurement.

    python benchmarks/pocket_int8.py ../shared/realval                                # what the export does, all images
    python benchmarks/pocket_int8.py ../shared/realval --images 60 --choices all      # to choose among CHOICES

Every choice is quantised as `anomalyclip export` does it, then runs beside torch on the same images: renders of
families that pocket never saw, and the data sets in the folder. A row per choice and set: AUROC and its change against
torch, the largest change of a score, the least correlation of a map. Then CPU time per image on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import anomalyclip
from anomalyclip.bench.drift import BASE, measure_drift
from anomalyclip.bench.labelled import Labelled, LabelledSet, sets_on_disk
from anomalyclip.data.synthetic import UNSEEN_FAMILIES, render
from anomalyclip.data.transforms import preprocess_mask, resize
from anomalyclip.detector import Detector
from anomalyclip.encoders.sessions import open_session
from anomalyclip.export import convert
from anomalyclip.export.graph import DetectorGraph
from anomalyclip.export.pictures import rendered_images
from anomalyclip.export.quantise import KEPT, quantise_openvino

#: name -> scopes that stay in float
CHOICES: dict[str, tuple[str, ...]] = {
    "export": tuple(KEPT),
    "nothing": (),
    "relations": (r"model\.visual\.stem$",),
    "relations and their projections": (r"model\.visual\.stem$", r"stem\.(proj|contrast|relate)"),
    "stem": (r"model\.visual\.stem",),
    "stem, late stages": (r"model\.visual\.stem$", r"stem\.(proj|contrast|relate|stages\.[3-9])"),
}
OUTPUTS = ("score", "anomaly_map")
_CHANGES = ("image_auroc_change", "pixel_auroc_change")
_SEED = 910_000  # far from every other use of the renderer


class Quantised:
    """A quantised graph with the face that `measure_drift` asks for; counts the time it takes."""

    def __init__(self, folder: Path, side: int) -> None:
        self.run, _ = open_session("openvino", folder, OUTPUTS, device="cpu", threads=1)
        self.side, self.images, self.seconds = side, 0, 0.0

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """RGB image -> (S, S, 3) uint8."""
        return torch.from_numpy(resize(image, self.side))

    def predict(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (B,) and maps (B, S, S)."""
        start = time.process_time()
        found = self.run(images.numpy())
        self.seconds += time.process_time() - start
        self.images += len(images)
        scores, maps = (torch.from_numpy(found[name]) for name in OUTPUTS)
        return scores, maps


def quantised(model: Detector, choices: dict[str, tuple[str, ...]], count: int, home: Path) -> dict[str, Quantised]:
    """An export per choice, from one conversion."""
    graph = convert.openvino_model(DetectorGraph(model).eval())
    images = list(rendered_images(model.image_size, count, skip=4))  # those that the export takes
    made = {}
    for name, kept in choices.items():
        start = time.process_time()
        folder = home / str(len(made))
        folder.mkdir()
        convert.write_openvino(quantise_openvino(graph.clone(), images, kept=kept), folder / "model.xml", half=False)
        made[name] = Quantised(folder, model.image_size)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        print(f"{name}: quantised in {time.process_time() - start:.0f} CPU s, {size:.1f} MB", flush=True)
    return made


def unseen(count: int, side: int) -> Iterator[Labelled]:
    """Renders of families that no training saw, normal and anomalous in turn."""
    for index in range(count):
        sample = render(_SEED + index, side, anomalous=bool(index % 2), families=UNSEEN_FAMILIES)
        truth = preprocess_mask(sample.labels > 0, side)
        yield Labelled(Image.fromarray(sample.image), int(sample.anomalous), truth)


def main() -> None:
    """Quantise, compare set by set, print, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="a folder of data sets")
    parser.add_argument("--choices", default="export", help=f"some of {', '.join(CHOICES)}; or all")
    parser.add_argument("--images", type=int, default=10**6, help="at most so many of each data set")
    parser.add_argument("--renders", type=int, default=100)
    parser.add_argument("--calibration-images", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    names = list(CHOICES)[1:] if options.choices == "all" else [each.strip() for each in options.choices.split(",")]
    torch.set_num_threads(1)
    model = anomalyclip.load("pocket", runtime="torch", device="cpu")
    sets = [LabelledSet("unseen renders", options.renders, partial(unseen, options.renders))]
    sets += sets_on_disk(options.data, options.images) if options.data else []
    rows = []
    with tempfile.TemporaryDirectory() as home:
        chosen = {name: CHOICES[name] for name in names}
        made = quantised(model, chosen, options.calibration_images, Path(home))
        heads = ("image AUROC", "change", "pixel AUROC", "change", "score", "map r")
        print(f"{'set':22} {'choice':32}" + "".join(f" {head:>11}" for head in heads), flush=True)
        for data in sets:
            for drift in measure_drift({BASE: model, **made}, data, model.image_size):
                rows.append(vars(drift))
                values = (drift.image_auroc, drift.image_auroc_change, drift.pixel_auroc, drift.pixel_auroc_change)
                told = "".join(f" {value:11.4f}" for value in (*values, drift.score_change, drift.map_correlation))
                print(f"{drift.dataset:22} {drift.variant:32}{told}", flush=True)
    cpu = {name: 1e3 * each.seconds / each.images for name, each in made.items()}
    for name, milliseconds in cpu.items():
        changes = [abs(row[key]) for row in rows if row["variant"] == name for key in _CHANGES if np.isfinite(row[key])]
        print(f"{name}: {milliseconds:.1f} CPU ms per image, largest change of an AUROC {max(changes):.4f}")
    if options.json is not None:
        options.json.write_text(json.dumps({"drift": rows, "cpu_ms": cpu}, indent=1) + "\n")


if __name__ == "__main__":
    main()
