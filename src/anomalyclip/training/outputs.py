"""What a run leaves in its folder besides the prompts: metrics, a curve, the environment. All written atomically."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from anomalyclip.io import atomic_write, write_bytes
from anomalyclip.version import __version__

PROMPTS, BEST = "prompts.safetensors", "prompts_best.safetensors"
METRICS, CURVE, ENVIRONMENT, PROBLEMS = "metrics.csv", "loss.png", "environment.json", "problems.txt"
_PACKAGES = ("torch", "lightning", "numpy", "pillow", "opencv-python-headless", "safetensors", "tokenizers")
_LABELS = {"loss": "training", "loss_image": "training, image term", "val_loss": "validation"}


def write_metrics(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """One row per epoch; ``loss`` is the weighted total, ``loss_pixel`` the unweighted sum of the pixel terms."""
    names = list(dict.fromkeys(name for row in history for name in row))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _short(value) for name, value in row.items()} for row in history)


def draw_curve(path: Path, history: Sequence[Mapping[str, float]], title: str) -> None:
    """The losses over the epochs as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.2))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.12, 0.13, 0.85, 0.78))  # a layout engine takes as long as the drawing
    for name, label in _LABELS.items():
        points = [(row["epoch"], row[name]) for row in history if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
    axes.set(xlabel="epoch", ylabel="glocal loss", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def write_environment(path: Path, device: str, started: float, seconds: float) -> None:
    """Versions and machine, so that a result can be explained years later."""
    import torch

    content: dict[str, Any] = {
        "anomalyclip": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "device": device,
        "device_name": torch.cuda.get_device_name(device) if device.startswith("cuda") else None,
        "cuda": torch.version.cuda,
        "command": sys.argv,
        "started": datetime.fromtimestamp(started, timezone.utc).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
    }
    write_bytes(path, json.dumps(content, indent=1).encode())


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
