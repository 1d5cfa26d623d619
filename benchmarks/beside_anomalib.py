"""Beside anomalib, in one run with equal counts: starting up, a line from good pictures, AUPRO; time and memory alone.

    python benchmarks/beside_anomalib.py --anomalib VENV/bin/python [--good 25] [--scored 25] [--maps 100]

Each way runs in a process of its own, anomalib's in the Python that is named (`pip install anomalib` there). Backbones
have random weights, so that nothing is downloaded: that costs as much, and says nothing of accuracy.
Of anomalib the torch models run alone, without its Engine, files and pictures, so that what is measured is the method.
Seconds are the process's own (user and system) on one thread, so that a busy machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 256
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))


def pictures(count: int, seed: int) -> list[np.ndarray]:
    """Noise on a gradient, uint8 (SIDE, SIDE, 3): what is on them costs nothing more or less."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 180, SIDE)[None, :, None]
    return [np.uint8(np.clip(ramp + rng.normal(0, 20, (SIDE, SIDE, 3)), 0, 255)) for _ in range(count)]


def normalised(picture: np.ndarray) -> Any:
    import torch

    mean, spread = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    return torch.from_numpy(((picture.astype(np.float32) / 255 - mean) / spread).transpose(2, 0, 1)[None])


def start_ours(given: argparse.Namespace) -> dict[str, float]:
    return timed(lambda: __import__("anomalyclip").load("pocket"), "load")


def start_theirs(given: argparse.Namespace) -> dict[str, float]:
    return timed(lambda: __import__("anomalib.models"), "load")


def line_ours(given: argparse.Namespace) -> dict[str, float]:
    import anomalyclip

    good, scored = pictures(given.good, 0), pictures(given.scored, 1)
    model = anomalyclip.load("pocket", threads=1)
    profile: list[Any] = []
    told = timed(lambda: profile.append(model.calibrate(good, fpr=0.05)), "learn")
    return told | timed(lambda: [model.detect(one, profile=profile[0]) for one in scored], "score")


def line_patchcore(given: argparse.Namespace) -> dict[str, float]:
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    model = PatchcoreModel(layers=["layer2", "layer3"], backbone="wide_resnet50_2", pre_trained=False)
    return line_theirs(model, lambda: model.subsample_embedding(0.1), given)


def line_padim(given: argparse.Namespace) -> dict[str, float]:
    from anomalib.models.image.padim.torch_model import PadimModel

    model = PadimModel(layers=["layer1", "layer2", "layer3"], backbone="resnet18", pre_trained=False)
    return line_theirs(model, model.fit, given)


def line_theirs(model: Any, finish: Callable[[], object], given: argparse.Namespace) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)
    good, scored = pictures(given.good, 0), pictures(given.scored, 1)

    def learn() -> None:
        model.train()
        with torch.no_grad():
            for one in good:
                model(normalised(one))
            finish()

    def score() -> None:
        model.eval()
        with torch.no_grad():
            for one in scored:
                model(normalised(one))

    return timed(learn, "learn") | timed(score, "score")


def maps_ours(given: argparse.Namespace) -> dict[str, float]:
    from bench_metrics import rendered_maps

    from anomalyclip.metrics import AUPRO

    spent, metric = 0.0, AUPRO(mode="streaming")
    for values, mask in rendered_maps(given.maps):
        began = time.process_time()
        metric.update(values, mask)
        spent += time.process_time() - began
    began = time.process_time()
    found = metric.compute()
    return {"score": spent + time.process_time() - began, "value": float(found)}


def maps_theirs(given: argparse.Namespace) -> dict[str, float]:
    import torch
    from anomalib.metrics.aupro import _AUPRO
    from bench_metrics import rendered_maps

    torch.set_num_threads(1)
    held = list(rendered_maps(given.maps))
    metric = _AUPRO()
    began = time.process_time()
    for values, mask in held:
        metric.update(torch.from_numpy(values[None]), torch.from_numpy(mask[None].astype(np.int64)))
    value = float(metric.compute())
    return {"score": time.process_time() - began, "value": value}


def timed(work: Callable[[], object], what: str) -> dict[str, float]:
    began = time.process_time()
    work()
    return {what: time.process_time() - began}


#: (row, who runs it, what)
WAYS: list[tuple[str, str, Callable[[argparse.Namespace], dict[str, float]]]] = [
    ("start: anomalyclip.load('pocket')", "ours", start_ours),
    ("start: import anomalib.models", "anomalib", start_theirs),
    ("line: pocket, calibrate with its memory", "ours", line_ours),
    ("line: PatchCore, wide_resnet50_2, coreset 10%", "anomalib", line_patchcore),
    ("line: PaDiM, resnet18", "anomalib", line_padim),
    ("AUPRO of maps of 518 x 518", "ours", maps_ours),
    ("AUPRO of maps of 518 x 518", "anomalib", maps_theirs),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anomalib", required=True, help="the Python of an environment that has anomalib")
    parser.add_argument("--good", type=int, default=25)
    parser.add_argument("--scored", type=int, default=25)
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--way", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way is not None:
        told = WAYS[given.way][2](given)
        print(json.dumps(told | {"mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    print("| what | by | CPU seconds | peak memory |\n|---|---|---:|---:|")
    for number, (row, who, _) in enumerate(WAYS):
        told = json.loads(ran(sys.executable if who == "ours" else given.anomalib, number, given).splitlines()[-1])
        parts = [f"{key} {told[key]:.2f}" for key in ("load", "learn", "score") if key in told]
        value = f" (value {told['value']:.4f})" if "value" in told else ""
        print(f"| {row}{value} | {who} | {', '.join(parts)} | {told['mb']:,.0f} MB |", flush=True)


def ran(python: str, way: int, given: argparse.Namespace) -> str:
    counts = [f"--{name}={getattr(given, name)}" for name in ("good", "scored", "maps", "anomalib")]
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}
    call = [python, "-W", "ignore", __file__, f"--way={way}", *counts]
    done = subprocess.run(call, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{WAYS[way][0]}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
