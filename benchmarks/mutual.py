"""What it costs that a batch judges itself: python benchmarks/mutual.py [cost|ratio|many] [--vit-l] [--json FILE]

cost: processor time of comparing n = 200 pictures (pocket, its 48 partners each) against encoding them; and, with
--vit-l, of n = 50 at ViT-L/14@336 (random weights, all pairs, tokens of one block), both from samples, which are told.
ratio: the same work as a plain restatement of the published form does it (`torch.cdist` of every picture against all,
all distances kept, sorted at the end), n = 40 pictures of pocket, or 12 of ViT-L/14@336's shape, all pairs, one
neighbourhood: processor time and peak memory, each in a process of its own, by turns. Pictures are renders of one kind
of part, every fifth damaged; ViT-L's features are random unit vectors, in which no coordinate tells more than another.
many: 5,000 pictures of 100 random patches, 48 partners each, in 64 MB, what is seen of them on disk: processor time and
what the process grew by. All on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before NumPy

import numpy as np

VIT_PATCHES, VIT_WIDTH = 576, 1024
ROUNDS, PICTURES, FEW = 3, 40, 12
SHARE = 0.3
KIND = "washer"


def renders(n: int) -> tuple[np.ndarray, float]:
    """Unit vectors (n, 400, 208) of pocket's patches, and the processor seconds that n passes took."""
    from PIL import Image

    import anomalyclip
    from anomalyclip.data.synthetic import render
    from anomalyclip.judges.memory.seeing import see
    from anomalyclip.judges.memory.source import source_for

    model = anomalyclip.load("pocket", threads=1)
    source, found, spent = source_for(model.encoder.facts), [], []
    for number in range(-1, n):  # the first one is for warming up
        made = render(number + 1, model.settings.image_size, anomalous=number % 5 == 0, families=[KIND])
        pixels = model.preprocess(Image.fromarray(made.image))[None]
        start = time.process_time()
        seen = see(model.encoder, model.judge, source, pixels)[0]
        spent.append(time.process_time() - start)
        found.append(seen.described)
    return np.stack(found[1:]), sum(spent[1:])


def noise(n: int, patches: int, width: int) -> np.ndarray:
    """Random unit vectors (n, patches, width)."""
    made = np.random.default_rng(0).standard_normal((n, patches, width), np.float32)
    return made / np.linalg.norm(made, axis=2, keepdims=True)


def ours(pictures: np.ndarray, partners: int) -> float:
    """Processor seconds of what `detect --mutual` does between its passes, but for reading records."""
    from anomalyclip.judges.mutual_batch import compare
    from anomalyclip.judges.mutual_fusion import SeenBriefly, fused, mutual_distances
    from anomalyclip.judges.mutual_twins import twin_groups

    n, patches = pictures.shape[:2]
    seen = [SeenBriefly(np.full(patches, 0.5, np.float32), 0.5, 0.5, np.ones(patches, np.float32))] * n
    start = time.process_time()
    twin_groups(pictures.__getitem__, n)
    distances, _ = mutual_distances(compare(pictures.__getitem__, [patches] * n, partners=partners, threads=1))
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


def in_process(form: str, features: str) -> dict[str, float]:
    """Seconds, and megabytes beyond what imports and the features take, of one form in a process of its own."""
    line = [sys.executable, __file__, "one", "--form", form, "--features", features]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(form: str, features: str) -> None:
    """For `in_process`."""
    import torch  # imported by both, so that neither pays for it

    torch.set_num_threads(1)
    pictures = np.load(features)
    ours(pictures[:6], 5), plain(pictures[:2])  # libraries are loaded and threads made
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = ours(pictures, PICTURES) if form == "ours" else plain(pictures)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": seconds, "megabytes": grown}))


def many() -> dict[str, Any]:
    """5,000 pictures, of random features in halves on disk, as a batch keeps what it saw."""
    from anomalyclip.judges.mutual_batch import compare, pairs_of
    from anomalyclip.judges.mutual_fusion import mutual_distances
    from anomalyclip.judges.mutual_twins import twin_groups

    n, patches = 5000, 100
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "features"
        with kept.open("wb") as file:
            for picture in range(n):
                made = np.random.default_rng(picture).standard_normal((patches, 208), np.float32)
                file.write((made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16).tobytes())

        def load(picture: int) -> np.ndarray:
            with kept.open("rb") as file:
                file.seek(2 * picture * patches * 208)
                read = np.frombuffer(file.read(2 * patches * 208), np.float16)
            return read.astype(np.float32).reshape(patches, 208)

        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        twin_groups(load, n)
        told = compare(load, [patches] * n, budget=64 * 2**20, scratch=Path(folder), threads=1)
        mutual_distances(told)
        spent = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"pictures": n, "patches": patches, "pairs": pairs_of(n), "seconds": spent, "megabytes": grown}


def ratio(vit_l: bool) -> dict[str, Any]:
    """Medians of both forms, by turns."""
    pictures = noise(FEW, VIT_PATCHES, VIT_WIDTH) if vit_l else renders(PICTURES)[0]
    runs = {form: [] for form in ("ours", "plain")}
    with tempfile.TemporaryDirectory() as folder:
        features = f"{folder}/features.npy"
        np.save(features, pictures)
        for _ in range(ROUNDS):
            for form, found in runs.items():
                found.append(in_process(form, features))
    told: dict[str, Any] = {
        form: {key: statistics.median(run[key] for run in found) for key in ("seconds", "megabytes")}
        for form, found in runs.items()
    }
    return told | {
        "times_faster": told["plain"]["seconds"] / told["ours"]["seconds"],
        "share_of_memory": told["ours"]["megabytes"] / told["plain"]["megabytes"],
        "pictures": len(pictures),
    }


def cost_pocket() -> dict[str, Any]:
    """Comparing 200 pictures against encoding them."""
    pictures, encoding = renders(200)
    comparing = statistics.median(ours(pictures, 48) for _ in range(ROUNDS))
    return {"encoding_s": encoding, "comparing_s": comparing, "added": comparing / encoding}


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
    comparing = ours(noise(12, VIT_PATCHES, VIT_WIDTH), 48) * (50 * 49) / (12 * 11)
    return {"encoding_s": encoding, "comparing_s": comparing, "added": comparing / encoding, "sample": "1 and 12"}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cost", "ratio", "many", "one"), nargs="?", default="cost")
    parser.add_argument("--vit-l", action="store_true")
    parser.add_argument("--form", choices=("ours", "plain"), default="ours", help=argparse.SUPPRESS)
    parser.add_argument("--features", default="", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.what == "one":
        one(given.form, given.features)
        return
    forms = {"ratio": lambda: ratio(given.vit_l), "many": many, "cost": lambda: {"pocket, 200 pictures": cost_pocket()}}
    told = forms[given.what]()
    if given.what == "cost" and given.vit_l:
        told["ViT-L/14@336, 50 pictures"] = cost_vit_l()
    print(json.dumps(told, indent=1))
    if given.json is not None:
        given.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
