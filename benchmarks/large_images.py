"""Measure tiles, proportions and seams with `pocket` on renders it never saw; draw the picture of docs/large-images.md.

    python benchmarks/large_images.py aspect        # long images: squeezed, padded, as whole patches, in tiles
    python benchmarks/large_images.py tiles         # small defects in large scenes, whole and in tiles; seams; memory
    python benchmarks/large_images.py seams         # flawless textures: do the tiles' borders show in the map?
    python benchmarks/large_images.py picture FILE  # one large scene, its map in one pass and in tiles

Every table says how many images it is of; the same seeds give the same images.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import anomalyclip
from anomalyclip.data.synthetic import DEFECTS, FAMILIES, render
from anomalyclip.data.synthetic.catalogue import applicable
from anomalyclip.data.synthetic.spot import Spot
from anomalyclip.detector import Detector
from anomalyclip.geometry import Geometry, survey
from anomalyclip.geometry.tiling import tile_starts
from anomalyclip.io import draw_overlay
from anomalyclip.metrics import auroc, average_precision

Map = NDArray[np.float32]
SEED = 940_000_000
TEXTURES = ("wood", "fabric", "leather", "stone_tile", "painted_metal", "carpet", "paper", "concrete")
SPOTS = ("stain", "particle", "hole", "scratch", "dent")
SIDE = 1536
MEAN_COLOUR = (122, 116, 104)


# ---- long images -----------------------------------------------------------------------------------------------------
def squeezed(model: Detector, image: Image.Image) -> tuple[float, Map]:
    """What happens without options."""
    found = survey(model, image, Geometry())
    return found.score, found.anomaly_map


def padded(model: Detector, image: Image.Image) -> tuple[float, Map]:
    """Letterbox: the image in the middle of a square of CLIP's mean colour."""
    side, (width, height) = max(image.size), image.size
    square = Image.new("RGB", (side, side), MEAN_COLOUR)
    left, top = (side - width) // 2, (side - height) // 2
    square.paste(image, (left, top))
    found = survey(model, square, Geometry())
    inside = found.anomaly_map[top : top + height, left : left + width]
    weight = model.settings.map_weight
    return found.score - weight * float(found.anomaly_map.max() - inside.max()), inside


def patches(model: Detector, image: Image.Image) -> tuple[float, Map]:
    """--keep-aspect."""
    found = survey(model, image, Geometry(keep_aspect=True))
    return found.score, found.anomaly_map


def tiled(model: Detector, image: Image.Image) -> tuple[float, Map]:
    """Square tiles of the short side."""
    found = survey(model, image, Geometry(tile=min(image.size)))
    return found.score, found.anomaly_map


def aspect(model: Detector, count: int, ratios: list[int]) -> None:
    """Strips of textures, with a defect and the same without."""
    print(f"{count} pairs of strips each; pixel AP is the mean over strips with a defect\n")
    print("| strip | how | image AUROC | pixel AP | s/image |\n|---|---|---|---|---|")
    for ratio in ratios:
        pairs = [strips(i, ratio) for i in range(count)]
        for name, judge in {"squeezed": squeezed, "padded": padded, "patches": patches, "tiles": tiled}.items():
            scores, truths, precisions, start = [], [], [], time.perf_counter()
            for pair in pairs:
                for strip, labels in pair:
                    score, values = judge(model, strip)
                    scores.append(score)
                    truths.append(labels.any())
                    if labels.any():
                        precisions.append(average_precision(values.ravel(), labels.ravel()))
            seconds = (time.perf_counter() - start) / len(scores)
            area = auroc(np.array(scores), np.array(truths))
            print(f"| {ratio} : 1 | {name} | {area:.3f} | {np.mean(precisions):.3f} | {seconds:.2f} |", flush=True)


def strips(i: int, ratio: int) -> list[tuple[Image.Image, NDArray[np.bool_]]]:
    """The strip of a render that holds most of its defect, with and without the defect."""
    pair = [render(SEED + i, 640, anomalous=wanted, families=TEXTURES) for wanted in (True, False)]
    height = 640 // ratio
    rows = (pair[0].labels > 0).sum(axis=1)
    top = int(np.convolve(rows, np.ones(height), "valid").argmax())
    return [(Image.fromarray(one.image[top : top + height]), one.labels[top : top + height] > 0) for one in pair]


# ---- large scenes ----------------------------------------------------------------------------------------------------
def large_scene(seed: int, side: int = SIDE, defects: int = 3) -> tuple[Image.Image, NDArray[np.bool_]]:
    """A texture of side x side pixels with small defects (radius 8 to 20 pixels), and where they are."""
    rng = np.random.default_rng(SEED + seed)
    family = FAMILIES[TEXTURES[seed % len(TEXTURES)]]
    scene = family.renderer(side, rng)
    options = [d for d in applicable(family.traits) if d.name in SPOTS] or [DEFECTS["stain"]]
    labels = np.zeros((side, side), bool)
    while np.ptp(cv2.connectedComponents(labels.astype(np.uint8))[1]) < defects:
        x, y = rng.uniform(0.1, 0.9, 2) * side
        edit = options[rng.integers(len(options))].maker(scene, Spot(x, y, rng.uniform(8, 20), 0.8), rng)
        if edit is None:
            continue
        new = np.clip(edit.image, 0, 1).astype(np.float32)
        changed = np.abs(new - scene.image).max(axis=2) > 0.06
        if 40 < changed.sum() < 5000:
            scene.image, labels = new, labels | changed
    return Image.fromarray((scene.image * 255).astype(np.uint8)), labels


def tiles(model: Detector, count: int) -> None:
    """Whole and in tiles; gradient energy along the tiles' borders against elsewhere."""
    layouts = {
        "whole": Geometry(),
        "tile 768": Geometry(tile=768),
        "tile 512": Geometry(tile=512),
        "tile 512, overlap 0": Geometry(tile=512, overlap=0),
        "tile 384": Geometry(tile=384),
        "tile 512, scales 0.5,1": Geometry(tile=512, scales=(0.5, 1)),
    }
    scenes = [(large_scene(i), large_scene(i, defects=0)) for i in range(count)]
    print(f"{count} pairs of scenes of {SIDE} x {SIDE} pixels, 3 defects of 8 to 20 pixels radius\n")
    print("| layout | views | image AUROC | pixel AP | energy at borders / elsewhere | s/image |")
    print("|---|---|---|---|---|---|")
    for name, geometry in layouts.items():
        scores, truths, precisions, energies = [], [], [], []
        start = time.perf_counter()
        for pair in scenes:
            for image, labels in pair:
                found = survey(model, image, geometry)
                scores.append(found.score)
                truths.append(labels.any())
                energies.append(border_energy(found.anomaly_map, geometry))
                if labels.any():
                    precisions.append(average_precision(found.anomaly_map.ravel(), labels.ravel()))
        seconds = (time.perf_counter() - start) / len(scores)
        views = 1 if found.record is None else found.record["views"]
        at, elsewhere = np.mean(energies, axis=0)
        seam = "" if geometry.tile is None else f"{at / elsewhere:.3f}"
        area = auroc(np.array(scores), np.array(truths))
        print(f"| {name} | {views} | {area:.3f} | {np.mean(precisions):.3f} | {seam} | {seconds:.2f} |", flush=True)
    print(f"\npeak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def border_energy(values: Map, geometry: Geometry) -> tuple[float, float]:
    """Mean squared step of the map across the borders of tiles at scale 1, and across all other lines of pixels."""
    if geometry.tile is None:
        return 0.0, 1.0
    starts = tile_starts(len(values), geometry.tile, geometry.overlap)
    borders = sorted({b for s in starts for b in (s, s + geometry.tile)} - {0, len(values)})
    steps = sum((np.diff(values, axis=axis) ** 2).mean(axis=1 - axis) for axis in (0, 1))
    at = np.isin(np.arange(1, len(values)), borders)
    return float(steps[at].mean()), float(steps[~at].mean())


def seams(model: Detector, count: int) -> None:
    """Border energy of flawless textures in logits: a few defects, wherever they lie, would drown a seam."""
    energies = []
    for index in range(count):
        family = TEXTURES[index % len(TEXTURES)]
        sample = render(SEED + index, 1024, anomalous=False, families=[family])
        values = survey(model, Image.fromarray(sample.image), geometry := Geometry(tile=512)).anomaly_map
        chance = np.clip(values, 1e-7, 1 - 1e-7)
        energies.append(border_energy(np.log(chance / (1 - chance)), geometry))
    at, elsewhere = np.array(energies).T
    pooled, median = at.mean() / elsewhere.mean(), np.median(at / elsewhere)
    print(f"{count} flawless textures of 1024 x 1024 pixels, tiles of 512, logits of the map")
    print(f"energy at borders / elsewhere: pooled {pooled:.3f}, median {median:.3f}")


# ---- picture ---------------------------------------------------------------------------------------------------------
def picture(model: Detector, path: Path, seed: int) -> None:
    """Scene with outlined defects, map of one pass, map in tiles; a corner of each at full size below."""
    image, labels = large_scene(seed)
    outlined = np.array(image)
    wide = cv2.dilate(labels.astype(np.uint8), np.ones((41, 41)))
    edges, _ = cv2.findContours(wide, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(outlined, edges, -1, (0, 255, 170), 6)
    shown = [Image.fromarray(outlined)]
    for geometry in (Geometry(), Geometry(tile=384)):
        found = survey(model, image, geometry)
        print(geometry, f"score {found.score:.3f}")
        shown.append(draw_overlay(image, found.anomaly_map, colour_bar=False))
    small = [np.asarray(one.resize((420, 420), Image.Resampling.LANCZOS)) for one in shown]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack(small)).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("aspect", "tiles", "seams", "picture"))
    parser.add_argument("file", nargs="?", type=Path, default=Path("docs/images/large-image.png"))
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--ratios", type=int, nargs="+", default=[2, 4, 8], help="of the strips of `aspect`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = anomalyclip.load("pocket", runtime="torch", device="cpu")
    tables: dict[str, Callable[[], None]] = {
        "aspect": lambda: aspect(model, options.count, options.ratios),
        "tiles": lambda: tiles(model, options.count),
        "seams": lambda: seams(model, options.count),
        "picture": lambda: picture(model, options.file, options.seed),
    }
    tables[options.what]()


if __name__ == "__main__":
    main()
