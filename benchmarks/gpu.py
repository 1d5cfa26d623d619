"""What a GPU does with the paper's backbone, in one run that ends within eight minutes: a JSON record and a table.

    python benchmarks/gpu.py --output gpu/                  # ViT-L/14@336 at 518 px, random weights; no network
    python benchmarks/gpu.py --device cpu --architecture tiny --batches 1,2 --rounds 2 --parts parity,speed   # a look

In this order, and after each part the record is written, so that what is cut off is only what follows:

parity     the recorded numbers of the authors' program (tests/golden), computed on this device in fp32 without TF32
ceiling    the largest rate of one matrix product, for each precision: what the shares are of
drift      scores and maps of renders in every precision, against fp32
speed      images per second for every precision and batch, beside the authors' computation restated on the same card
attention  torch's attention kernels, one by one, on the shape of this model
graph      one image's latency as a captured CUDA graph
training   one step of the prompts on cached features (`benchmarks/bench_training.py` has the rest)
search     nearest neighbours of one image's patches in the memory of 25 images
compiled   torch.compile of the encoder; last, because it takes longest

Times are medians of alternating rounds with the device waited for; images lie on the device beforehand.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_parts as parts
import torch

from anomalyclip.bench.run import describe_machine
from anomalyclip.clip.config import PRESETS


def main() -> None:
    """Every part in turn, as long as the time allows; one that fails says so in the record and the next goes on."""
    given = parse()
    bench, start = parts.Bench(given), time.perf_counter()
    record: dict[str, Any] = {
        "machine": describe_machine() | {"device": name_of(bench.device)},
        "settings": {name: str(value) for name, value in vars(given).items()},
        "left_out": {},
    }
    end = threading.Timer(given.ends, cut_off, (given, record))  # a compiler is waited for in C: no exception ends that
    end.daemon = True
    end.start()
    for name in given.parts:
        spent = time.perf_counter() - start
        if spent > given.limit:
            record["left_out"][name] = f"after {spent:.0f} s of {given.limit}"
            continue
        try:
            record[name] = PARTS[name](bench, record)
        except (RuntimeError, ImportError) as error:  # no memory left, a kernel that this card lacks
            record["left_out"][name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        print(f"{name}: {time.perf_counter() - start - spent:.1f} s", flush=True)
        write(given.output, record)
    end.cancel()
    write(given.output, record)
    print(f"\n{table(record)}", end="")


def cut_off(given: argparse.Namespace, record: dict[str, Any]) -> None:
    """End the process, whatever part it is at, with what is measured."""
    measured = dict(record)
    left = [name for name in given.parts if name not in measured and name not in measured["left_out"]]
    measured["left_out"] = measured["left_out"] | dict.fromkeys(left, f"cut off after {given.ends:.0f} s")
    write(given.output, measured)
    print(f"\n{table(measured)}", end="", flush=True)
    os._exit(0)


PARTS: dict[str, Callable[[parts.Bench, dict[str, Any]], list[dict[str, Any]]]] = {
    "parity": lambda bench, record: parts.parity(bench),
    "ceiling": lambda bench, record: parts.ceiling(bench),
    "drift": lambda bench, record: parts.drift(bench),
    "speed": lambda bench, record: parts.speed(bench, ceilings(record)),
    "attention": lambda bench, record: parts.attention(bench),
    "graph": lambda bench, record: parts.graph(bench),
    "training": lambda bench, record: parts.training(bench),
    "search": lambda bench, record: parts.search(bench),
    "compiled": lambda bench, record: parts.compiled(bench),
}
"""In the order that they are run."""


def ceilings(record: dict[str, Any]) -> dict[str, float]:
    """TFLOP/s by precision; empty where they could not be measured."""
    return {row["precision"]: row["TFLOP/s"] for row in record.get("ceiling", [])}


def parse() -> argparse.Namespace:
    """What is asked for, with defaults that fit eight minutes of an H100."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--architecture", default="vit-l-14-336", choices=sorted(PRESETS))
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS), help="some of the above")
    parser.add_argument("--image-size", type=int, help="side of the input; default 518 for ViT-L/14@336")
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=["fp32", "tf32", "bf16", "fp16"])
    parser.add_argument("--batches", type=lambda text: [int(one) for one in text.split(",")], default=[1, 4, 16, 64])
    parser.add_argument("--reference-batch", type=int, default=4, help="the largest one that the reference is timed at")
    parser.add_argument("--renders", type=int, default=8, help="pictures that precisions are compared on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=400.0, help="seconds after which no further part begins")
    parser.add_argument("--ends", type=float, default=470.0, help="seconds after which it ends, whatever it is at")
    parser.add_argument("--output", type=Path, help="write gpu.json and gpu.md there")
    given = parser.parse_args()
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return given


def name_of(device: torch.device) -> str:
    """The card's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"no GPU: {device.type}"


def write(folder: Path | None, record: dict[str, Any]) -> None:
    """What is known so far."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gpu.json").write_text(json.dumps(record, indent=1) + "\n")
        (folder / "gpu.md").write_text(table(record))


def table(record: dict[str, Any]) -> str:
    """A Markdown table for each part, and why the others are missing."""
    settings = record["settings"]
    lines = [
        f"{settings['architecture']} with random weights, {record['machine']['device']}, torch {torch.__version__},"
        f" {record['machine']['time']}.",
        "",
    ]
    for name in PARTS:
        rows = record.get(name) or []
        if rows:
            lines += [f"### {name}", "", f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
            lines += [f"| {' | '.join(map(shown, row.values()))} |" for row in rows] + [""]
    lines += [f"{name} left out: {reason}" for name, reason in record["left_out"].items()]
    return "\n".join(lines) + "\n"


def shown(value: object) -> str:
    """Four digits; empty for what could not be measured."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
