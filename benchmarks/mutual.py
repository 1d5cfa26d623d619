"""What it costs that a batch judges itself: python benchmarks/mutual.py [cost|ratio] [--vit-l] [--json FILE]

cost: processor time of comparing n = 200 pictures (pocket, its 48 partners each) against encoding them; and, with
--vit-l, of n = 50 at ViT-L/14@336 (random weights, all pairs, tokens of one block), both from samples, which are told.
ratio: the same work as a plain restatement of the published form does it (`torch.cdist` of every picture against all,
all distances kept, sorted at the end), n = 40 pictures of pocket's size, all pairs, one neighbourhood: processor time
and peak memory, each in a process of its own, by turns. One thread. Features are random: their values cost nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

PATCHES, WIDTH = 400, 208  # pocket: 20 x 20 patches, stages 4 and 5 joined
VIT_PATCHES, VIT_WIDTH = 576, 1024
SAMPLE = 12  # pictures encoded
ROUNDS, PICTURES = 3, 40
SHARE = 0.3


def batch(n: int, patches: int, width: int) -> np.ndarray:
    """Random unit vectors (n, patches, width)."""
    made = np.random.default_rng(0).standard_normal((n, patches, width), np.float32)
    for picture in made:  # one by one, so that making them sets no peak of memory
        picture /= np.linalg.norm(picture, axis=1, keepdims=True)
    return made


def ours(pictures: np.ndarray, partners: int) -> float:
    """Processor seconds of what `detect --mutual` does between its passes, but for reading records."""
    from anomalyclip.judges.mutual_batch import compare
    from anomalyclip.judges.mutual_fusion import SeenBriefly, fused, mutual_distances
    from anomalyclip.judges.mutual_twins import twin_groups

    n, patches = pictures.shape[:2]
    seen = [SeenBriefly(np.full(patches, 0.5, np.float32), 0.5, 0.5)] * n
    start = time.process_time()
    twin_groups(pictures.__getitem__, n)
    distances, _ = mutual_distances(compare(pictures.__getitem__, [patches] * n, partners=partners))
    fused(distances, seen, None)
    return time.process_time() - start


def plain(pictures: np.ndarray) -> float:
    """Processor seconds of the restatement."""
    import torch

    torch.set_num_threads(1)
    start = time.process_time()
    features = torch.from_numpy(pictures)
    n, patches, width = features.shape
    every = features.reshape(-1, width)
    nearest = torch.stack([torch.cdist(one, every).reshape(patches, n, patches).min(dim=2).values for one in features])
    ordered = nearest.sort(dim=2).values[:, :, 1:]  # without itself
    ordered[:, :, int(SHARE * (n - 1)) : int(2 * SHARE * (n - 1))].mean(dim=2)
    return time.process_time() - start


def in_process(form: str) -> dict[str, float]:
    """Seconds, and megabytes beyond what imports and the features take, of one form in a process of its own."""
    line = [sys.executable, __file__, "one", "--form", form]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(form: str) -> None:
    """For `in_process`."""
    import torch  # imported by both, so that neither pays for it

    torch.set_num_threads(1)
    small = batch(6, PATCHES, WIDTH)
    ours(small, 5), plain(small[:2])  # libraries are loaded and threads made
    pictures = batch(PICTURES, PATCHES, WIDTH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = ours(pictures, PICTURES) if form == "ours" else plain(pictures)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": seconds, "megabytes": grown}))


def ratio() -> dict[str, Any]:
    """Medians of both forms, by turns."""
    runs = {form: [] for form in ("ours", "plain")}
    for _ in range(ROUNDS):
        for form, found in runs.items():
            found.append(in_process(form))
    told: dict[str, Any] = {
        form: {key: statistics.median(run[key] for run in found) for key in ("seconds", "megabytes")}
        for form, found in runs.items()
    }
    return told | {
        "times_faster": told["plain"]["seconds"] / told["ours"]["seconds"],
        "share_of_memory": told["ours"]["megabytes"] / told["plain"]["megabytes"],
        "pictures": PICTURES,
    }


def cost_pocket() -> dict[str, Any]:
    """Comparing 200 pictures against encoding 200, from a sample."""
    import anomalyclip
    from anomalyclip.judges.memory.source import source_for

    model = anomalyclip.load("pocket", threads=1)
    request = model.request | source_for(model.encoder.facts).request
    pixels = np.random.default_rng(0).normal(size=(1, 3, 320, 320)).astype(np.float32)
    model.encoder.encode(pixels, request)
    start = time.process_time()
    for _ in range(SAMPLE):
        model.verdict(model.encoder.run(pixels, request))
    encoding = (time.process_time() - start) / SAMPLE * 200
    comparing = ours(batch(200, PATCHES, WIDTH), 48)
    return {"encoding_s": encoding, "comparing_s": comparing, "added": comparing / encoding, "sample": SAMPLE}


def cost_vit_l() -> dict[str, Any]:
    """Comparing 50 pictures, from 12 of them (66 of 1,225 pairs), against encoding 50, from one."""
    import torch

    from anomalyclip.bench.models import bench_model

    torch.set_num_threads(1)
    model = bench_model("random:vit-l-14-336", image_size=336)
    pixels = np.random.default_rng(0).normal(size=(1, 3, 336, 336)).astype(np.float32)
    start = time.process_time()
    model.predict(pixels)
    encoding = (time.process_time() - start) * 50
    comparing = ours(batch(12, VIT_PATCHES, VIT_WIDTH), 48) * (50 * 49) / (12 * 11)
    return {"encoding_s": encoding, "comparing_s": comparing, "added": comparing / encoding, "sample": "1 and 12"}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "ratio", "one"), nargs="?", default="cost")
    parser.add_argument("--vit-l", action="store_true")
    parser.add_argument("--form", choices=("ours", "plain"), default="ours", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.what == "one":
        one(given.form)
        return
    told = ratio() if given.what == "ratio" else {"pocket, 200 pictures": cost_pocket()}
    if given.what == "cost" and given.vit_l:
        told["ViT-L/14@336, 50 pictures"] = cost_vit_l()
    print(json.dumps(told, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
