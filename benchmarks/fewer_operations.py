"""What fewer operations cost in accuracy, measured on `pocket`, and what they would save in ViT-L/14@336.

    python benchmarks/fewer_operations.py ../shared/realval                  # every variant, 100 images of each set
    python benchmarks/fewer_operations.py ../shared/realval --only "V-V"     # only some; other rows are kept
    python benchmarks/fewer_operations.py --draw                             # operations, picture and table again

Every variant sees the same images (REALVAL/*/meta.json, as in tools/pocket_card.py, evenly thinned out; solar cells of
`elpv-dataset` where it is installed). Accuracy is pocket's alone: pocket has 401 tokens, 4 blocks and a convolutional
stem, ViT-L/14 has 1,370 tokens and 24 blocks, so that a loss here says which options deserve a trial there, no more.
Operations are counted by torch on ViT-L/14@336 at 518 pixels (at the same share of the side, for image sizes).
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fewer_blocks import Fewer, encode
from fewer_report import BASE, draw, histogram, image_aurocs, markdown, pixel_aurocs
from numpy.typing import NDArray
from rich.progress import track

import anomalyclip
from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.detector import Detector
from anomalyclip.io.atomic import atomic_write
from anomalyclip.pretraining.validate import Labelled, real

ROOT = Path(__file__).parents[1]
SIDE, VIT_L_SIDE = 320, 518
_KV = "keys and values in cells"


@dataclass(frozen=True)
class Variant:
    """A row: its group in the picture, pocket's image size, and what is left out."""

    group: str
    size: int = SIDE
    fewer: Fewer = field(default_factory=Fewer)


def _both(cell: int, *, weighed: bool = True, **options: Any) -> Fewer:
    return Fewer(plain_cell=cell, local_cell=cell, weighed=weighed, **options)


VARIANTS: dict[str, Variant] = {
    BASE: Variant("image size"),
    "288 px": Variant("image size", 288),
    "256 px": Variant("image size", 256),
    "224 px": Variant("image size", 224),
    "192 px": Variant("image size", 192),
    "2 of 3 dual blocks": Variant("dual blocks", fewer=Fewer(dpam_blocks=2)),
    "1 of 3 dual blocks": Variant("dual blocks", fewer=Fewer(dpam_blocks=1)),
    "no dual block": Variant("dual blocks", fewer=Fewer(dpam_blocks=0)),
    "K, V 2x2, plain path": Variant(_KV, fewer=Fewer(plain_cell=2)),
    "K, V 2x2, V-V path": Variant(_KV, fewer=Fewer(local_cell=2)),
    "K, V 2x2, both": Variant(_KV, fewer=_both(2, weighed=False)),
    "K, V 2x2, both, weighed": Variant(_KV, fewer=_both(2)),
    "K, V 4x4, both, weighed": Variant(_KV, fewer=_both(4)),
    "V-V every 2nd, else nothing": Variant("V-V in every 2nd block", fewer=Fewer(local_every=2)),
    "V-V every 2nd, else the last": Variant("V-V in every 2nd block", fewer=Fewer(local_every=2, skipped="reused")),
    "V-V every 2nd, else own value": Variant("V-V in every 2nd block", fewer=Fewer(local_every=2, skipped="own value")),
    "MLP 2x2, all": Variant("MLP on fewer tokens", fewer=Fewer(mlp_cell=2)),
    "MLP 2x2, even blocks": Variant("MLP on fewer tokens", fewer=Fewer(mlp_cell=2, mlp_blocks="even")),
    "MLP 2x2, late blocks": Variant("MLP on fewer tokens", fewer=Fewer(mlp_cell=2, mlp_blocks="late")),
    "MLP, 25% merged": Variant("MLP on fewer tokens", fewer=Fewer(mlp_merged=0.25)),
    "MLP, 50% merged": Variant("MLP on fewer tokens", fewer=Fewer(mlp_merged=0.5)),
    "V-V 2x2 + MLP 50% merged": Variant("together", fewer=Fewer(local_cell=2, mlp_merged=0.5)),
    "V-V 2x2 + MLP 2x2": Variant("together", fewer=Fewer(local_cell=2, mlp_cell=2)),
    "V-V 2x2 in every 2nd + MLP 2x2": Variant(
        "together", fewer=Fewer(local_cell=2, mlp_cell=2, local_every=2, skipped="own value")
    ),
    "V-V 2x2 + MLP 2x2, late blocks": Variant("together", fewer=Fewer(local_cell=2, mlp_cell=2, mlp_blocks="late")),
    "K, V 2x2 + MLP 50% merged": Variant("together", fewer=_both(2, mlp_merged=0.5)),
    "K, V 2x2 + MLP 2x2": Variant("together", fewer=_both(2, mlp_cell=2)),
    "K, V 2x2 + 288 px": Variant("together", 288, _both(2)),
    "K, V 2x2 + MLP 50% merged + 288 px": Variant("together", 288, _both(2, mlp_merged=0.5)),
}


# ---- accuracy --------------------------------------------------------------------------------------------------------
@dataclass
class Seen:
    """What one variant said about one set: a score per image, and a map's pixels (2, BINS) per image with a mask."""

    scores: list[float] = field(default_factory=list)
    pixels: list[NDArray[np.uint32]] = field(default_factory=list)


def look(model: Detector, samples: list[Labelled], variants: dict[str, Variant], name: str) -> dict[str, Seen]:
    """Run every variant on every image; the stem runs once per image size."""
    settings, seen = model.settings, {each: Seen() for each in variants}
    for sample in track(samples, description=f"{name:15}"):
        for size in sorted({variant.size for variant in variants.values()}):
            truth = None if sample.mask is None else preprocess_mask(sample.mask, size) > 0.5
            with torch.inference_mode():
                tokens = model.visual.embed(model.preprocess(sample.image, (size, size)).unsqueeze(0))
                for each, variant in variants.items():
                    if variant.size != size:
                        continue
                    found = encode(
                        model.visual, tokens, settings.layers, variant.fewer, dpam_blocks=settings.dpam_blocks
                    )
                    score, values = model.judge(found, (size, size))
                    seen[each].scores.append(float(score))
                    if truth is not None:
                        seen[each].pixels.append(histogram(values[0].numpy(), truth))
    return seen


def judged(samples: list[Labelled], seen: dict[str, Seen], resamples: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """{"image" and "pixel", where defined: {variant: AUROC on the images as they are, then on each resample}}.

    All variants share the draws, so that the interval of a difference is that of the same images.
    """
    rng, labels = np.random.default_rng(0), np.array([sample.label for sample in samples])
    masked = np.array([sample.mask is not None for sample in samples])
    draws = np.ones((1 + resamples, len(labels)), dtype=np.int64)
    for kind in (labels == 1, labels == 0):
        if kind.any():
            draws[1:, kind] = rng.multinomial(kind.sum(), np.full(kind.sum(), 1 / kind.sum()), size=resamples)
    found = {}
    if len(set(labels)) == 2:
        found["image"] = {name: image_aurocs(each.scores, labels, draws) for name, each in seen.items()}
    if labels[masked].any():
        found["pixel"] = {name: pixel_aurocs(each.pixels, draws[:, masked]) for name, each in seen.items()}
    return found


# ---- operations ------------------------------------------------------------------------------------------------------
@cache
def vit_l_gflop(side: int, fewer: Fewer) -> float:
    """GFLOP (2 per multiply-add) of one image of ViT-L/14@336, last layer, counted on a network without memory."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        visual = VisionTransformer(PRESETS["vit-l-14-336"])
        pixels = torch.zeros(1, 3, side, side)
    counter = FlopCounterMode(display=False)
    share = None if fewer.dpam_blocks is None else round(fewer.dpam_blocks / 3 * 19)
    with counter, torch.no_grad():
        encode(visual, visual.embed(pixels), [24], Fewer(**asdict(fewer) | {"dpam_blocks": share}))
    return float(counter.get_total_flops() / 1e9)


def operations(size: int, fewer: Fewer) -> dict[str, float]:
    """ViT-L/14's image size with the same share of its 37 patches per side, its GFLOP, and their share of all."""
    side = 14 * round(37 * size / SIDE)
    gflop = vit_l_gflop(side, fewer)
    share = gflop / vit_l_gflop(VIT_L_SIDE, Fewer())
    return {"vit_l_side": side, "vit_l_gflop": round(gflop, 1), "vit_l_share": round(share, 4)}


def rows(
    variants: dict[str, Variant], sets: dict[str, dict[str, dict[str, NDArray[np.float64]]]]
) -> list[dict[str, Any]]:
    """One per variant: operations, AUROC of every set, their mean, and the mean's change with its 95% interval."""
    made = []
    for name, variant in variants.items():
        row: dict[str, Any] = {"variant": name, "group": variant.group, "size": variant.size}
        row |= {"options": asdict(variant.fewer)} | operations(variant.size, variant.fewer)
        for kind in ("image", "pixel"):
            known = {data: found[kind] for data, found in sets.items() if kind in found}
            mean = np.mean([each[name] for each in known.values()], axis=0)
            change = mean - np.mean([each[BASE] for each in known.values()], axis=0)
            row[kind] = {data: round(float(each[name][0]), 4) for data, each in known.items()}
            row[kind] |= {"mean": round(float(mean[0]), 4), "change": round(float(change[0]), 4)}
            row[kind]["interval"] = [round(float(end), 4) for end in np.percentile(change[1:], [2.5, 97.5])]
        made.append(row)
    return made


# ---- command ---------------------------------------------------------------------------------------------------------
def data_sets(root: Path, limit: int) -> Iterator[tuple[str, list[Labelled]]]:
    """Every set below ``root`` and the solar cells, at most ``limit`` images of each, evenly chosen."""
    from importlib.util import find_spec

    sources = [(meta.parent.name, lambda meta=meta: real(meta.parent)) for meta in sorted(root.glob("*/meta.json"))]
    if find_spec("elpv_dataset"):
        sys.path.insert(0, str(ROOT / "tools"))
        from pocket_card import solar_cells

        sources.append(("elpv", solar_cells))
    for name, source in sources:
        samples = list(source())
        wanted = {index * len(samples) // limit for index in range(limit)} if len(samples) > limit else range(10**6)
        yield name, list(compress(samples, (index in wanted for index in range(len(samples)))))


def measure(root: Path, limit: int, resamples: int, variants: dict[str, Variant]) -> dict[str, Any]:
    """The whole record: model, prompts, versions, settings, images, rows."""
    model = anomalyclip.load("pocket", runtime="torch", device="cpu")
    sets, images = {}, {}
    for name, samples in data_sets(root, limit):
        sets[name] = judged(samples, look(model, samples, variants, name), resamples)
        images[name] = len(samples)
    versions = {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()}
    record = model.provenance() | {"versions": versions, "resamples": resamples, "images": images}
    return record | {"note": "AUROC of pocket, GFLOP of ViT-L/14@336", "rows": rows(variants, sets)}


def with_rows_of(record: dict[str, Any], before: Path) -> dict[str, Any]:
    """The record, and the rows of an earlier one that is about the same weights, images and resamples."""
    same = ("weights_sha256", "prompts_sha256", "settings", "images", "resamples")
    old = json.loads(before.read_text()) if before.is_file() else {}
    found = {row["variant"]: row for row in record["rows"]}
    if all(old.get(key) == record[key] for key in same):
        found = {row["variant"]: row for row in old["rows"]} | found
    return record | {"rows": [found[name] for name in VARIANTS if name in found]}


def main() -> None:
    """Measure, print the table, write the JSON and the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="a folder of data sets, each with a meta.json")
    parser.add_argument("--images", type=int, default=100, help="at most so many of each set")
    parser.add_argument("--only", default="", help="variants whose name contains this")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, default=ROOT / "docs/performance/fewer-operations.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/images/fewer-operations.png")
    parser.add_argument("--draw", action="store_true", help="AUROC from the JSON; all else again")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.draw:
        record = json.loads(options.json.read_text())
        for row in record["rows"]:
            row |= operations(row["size"], Fewer(**row["options"]))
    else:
        if options.data is None or not list(options.data.glob("*/meta.json")):
            parser.error(f"{options.data} holds no data set; give a folder whose subfolders have a meta.json")
        variants = {name: each for name, each in VARIANTS.items() if options.only in name or name == BASE}
        record = with_rows_of(measure(options.data, options.images, options.resamples, variants), options.json)
    with atomic_write(options.json) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    print(markdown(record))
    draw(record, options.picture)


if __name__ == "__main__":
    main()
