"""Measure a model on renders it never saw and on real sets in the authors' ``meta.json`` layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rich.progress import track

from anomalyclip.data.synthetic import UNSEEN_FAMILIES, render
from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.io import read_image, read_mask
from anomalyclip.metrics import auroc, bootstrap_interval
from anomalyclip.opening import from_files
from anomalyclip.pretraining.recipe import TRAINED_WORLD, UNSEEN_SEED, VALIDATION_SEED
from anomalyclip.pretraining.shards import SEEN_FAMILIES

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL.Image import Image

    Counts: TypeAlias = NDArray[np.uint32]

_BINS = 4096
_MOST_SURE = 21.0  # logit of the last bin


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
        sample = render(first_seed + index, size, anomalous=bool(index % 2), families=families, world=TRAINED_WORLD)
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


class Judge(Protocol):
    """What can be measured: a model of ours, or a baseline with the same face."""

    def preprocess(self, image: Image) -> NDArray[Any]:
        """RGB image -> (3, S, S)."""

    def predict(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, 3, S, S) -> scores (B,) and maps (B, S, S) in [0, 1]."""


def measure(model: Judge, samples: Iterable[Labelled], batch_size: int = 8) -> dict[str, Any]:
    """Image AUROC, and pixel AUROC at the model's S x S, each with its 95% bootstrap interval over images; and the
    median score of the good images, which should lie near the same low number whatever they show.

    None where undefined. Pixels are counted in 4,096 bins of their logit, so their AUROC is exact to about 1e-4.
    """
    scores: list[float] = []
    labels: list[int] = []
    masked: list[Counts] = []
    anomalous_masks = 0
    for batch in _batches(samples, batch_size):
        predicted, maps = model.predict(np.stack([model.preprocess(sample.image) for sample in batch]))
        scores += predicted.tolist()
        labels += [sample.label for sample in batch]
        for sample, values in zip(batch, maps, strict=True):
            if sample.mask is not None:
                masked.append(_counts(values, preprocess_mask(sample.mask, values.shape[-1]) > 0.5))
                anomalous_masks += sample.label
    both = len(set(labels)) == 2
    image = bootstrap_interval(auroc, np.array(scores), np.array(labels)) if both else None
    pixel = _pixel_interval(masked) if anomalous_masks else None
    good = [score for score, label in zip(scores, labels, strict=True) if not label]
    return {
        "images": len(labels),
        "median_good": float(np.median(good)) if good else None,
        "image_auroc": image[0] if image else None,
        "image_interval": list(image[1:]) if image else None,
        "pixel_auroc": pixel[0] if pixel else None,
        "pixel_interval": list(pixel[1:]) if pixel else None,
    }


def _counts(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> Counts:
    """Pixels of one map per bin, normal and anomalous: (2, bins)."""
    chance = np.clip(values.astype(np.float64), 1e-9, 1 - 1e-9)  # a sure model's values crowd at 0 and 1: use logits
    logits = np.log(chance) - np.log1p(-chance)
    bins = np.clip(((logits / _MOST_SURE + 1) / 2 * _BINS).astype(np.int64), 0, _BINS - 1)
    return np.stack([np.bincount(bins[chosen], minlength=_BINS) for chosen in (~mask, mask)]).astype(np.uint32)


def _pixel_interval(images: list[Counts], resamples: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """Pixel AUROC over all images, and the 95% interval when images are drawn again."""
    counts = np.stack(images)
    rng = np.random.default_rng(seed)
    draws = [np.bincount(rng.integers(0, len(counts), len(counts)), minlength=len(counts)) for _ in range(resamples)]
    values = np.array([_binned_auroc(np.einsum("i,ikb->kb", draw, counts, optimize=True)) for draw in draws])
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return _binned_auroc(counts.sum(axis=0, dtype=np.int64)), float(low), float(high)


def _binned_auroc(counts: NDArray[Any]) -> float:
    """P(anomalous pixel > normal pixel) + P(equal) / 2 from counts (2, bins); NaN where one kind is absent."""
    normal, anomalous = counts.astype(np.float64)
    total = normal.sum() * anomalous.sum()
    below = np.cumsum(normal) - normal
    return float((anomalous * (below + normal / 2)).sum() / total) if total else float("nan")


def report(
    weights: Path, prompts: Path, out: Path, *, count: int = 300, real_root: Path | None = None
) -> dict[str, Any]:
    """Validate on unseen seeds, unseen families and, if given, every real set below ``real_root``; write JSON."""
    model = from_files(weights, prompts)
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
