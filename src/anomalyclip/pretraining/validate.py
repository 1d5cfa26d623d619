"""Measure a model on renders it never saw and on real sets in the authors' ``meta.json`` layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.progress import track

from anomalyclip.data.synthetic import UNSEEN_FAMILIES, render
from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.io import read_image, read_mask
from anomalyclip.metrics import AUROC, auroc
from anomalyclip.model import AnomalyCLIP
from anomalyclip.pretraining.recipe import UNSEEN_SEED, VALIDATION_SEED
from anomalyclip.pretraining.shards import SEEN_FAMILIES

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass
class Labelled:
    """An image with its label (0 or 1) and, where known, its mask (H, W)."""

    image: Image
    label: int
    mask: NDArray[np.bool_] | None


def rendered(families: tuple[str, ...], first_seed: int, count: int, size: int) -> Iterator[Labelled]:
    """``count`` renders, half of them anomalous."""
    from PIL import Image

    for index in range(count):
        sample = render(first_seed + index, size, anomalous=bool(index % 2), families=families)
        yield Labelled(Image.fromarray(sample.image), int(sample.anomalous), sample.labels > 0)


def real(folder: Path) -> Iterator[Labelled]:
    """The test images of a ``meta.json`` folder."""
    meta = json.loads((folder / "meta.json").read_text())
    for entries in meta["test"].values():
        for entry in entries:
            image = read_image(folder / entry["img_path"])
            mask = read_mask(folder / entry["mask_path"]) if entry["mask_path"] else None
            if mask is None and not entry["anomaly"]:
                mask = np.zeros((image.height, image.width), dtype=bool)
            yield Labelled(image, int(entry["anomaly"]), mask)


def measure(model: AnomalyCLIP, samples: Iterable[Labelled], batch_size: int = 8) -> dict[str, Any]:
    """Image AUROC, and pixel AUROC at the model's S x S; None where undefined."""
    scores: list[float] = []
    labels: list[int] = []
    pixels = AUROC(mode="streaming")
    masked = anomalous_masks = 0
    for batch in _batches(samples, batch_size):
        predicted, maps = model.predict(torch.stack([model.preprocess(sample.image) for sample in batch]))
        scores += predicted.tolist()
        labels += [sample.label for sample in batch]
        for sample, values in zip(batch, maps.numpy(), strict=True):
            if sample.mask is not None:
                pixels.update(values, preprocess_mask(sample.mask, model.settings.image_size).numpy().astype(bool))
                masked += 1
                anomalous_masks += sample.label
    both = len(set(labels)) == 2
    return {
        "images": len(labels),
        "image_auroc": auroc(np.array(scores), np.array(labels)) if both else None,
        "pixel_auroc": pixels.compute() if anomalous_masks else None,
    }


def report(
    weights: Path, prompts: Path, out: Path, *, count: int = 300, real_root: Path | None = None
) -> dict[str, Any]:
    """Validate on unseen seeds, unseen families and, if given, every real set below ``real_root``; write JSON."""
    model = AnomalyCLIP.from_files(weights, prompts)
    size = model.settings.image_size
    sources: dict[str, Callable[[], Iterator[Labelled]]] = {
        "renders_unseen_seeds": lambda: rendered(SEEN_FAMILIES, VALIDATION_SEED, count, size),
        "renders_unseen_families": lambda: rendered(UNSEEN_FAMILIES, UNSEEN_SEED, count, size),
    }
    for meta in sorted(real_root.glob("*/meta.json")) if real_root else []:
        sources[meta.parent.name] = lambda folder=meta.parent: real(folder)  # type: ignore[misc]
    results = {name: measure(model, source()) for name, source in track(sources.items(), description="validating")}
    out.write_text(json.dumps(model.provenance() | {"results": results}, indent=2) + "\n")
    return results


def _batches(samples: Iterable[Labelled], size: int) -> Iterator[list[Labelled]]:
    batch: list[Labelled] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
