"""What the light install runs on: our own kernels, or the graph of ``pocket`` on onnxruntime or OpenVINO.

    python benchmarks/light.py [--rounds 15] [--runtimes native,onnx] [--images FOLDER] [--output light.json]

Per runtime: a fresh process from its start to the first score (median of some), seconds to open the model, CPU and
wall seconds per picture of 320 px and its glance with one thread, pictures per second with one picture per core, and
what its packages take on the disk. The rounds alternate between the runtimes, so that other work on the machine hits
both alike. Last, the command, whose own choice is native where there are kernels: one picture from start to end, and
`detect` over a folder of real or rendered pictures with no options and with `--output`, beside what the first of the
runtimes does alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np

import anomalyclip
from anomalyclip.encoders.embedded import EmbeddedEncoder, find_embedded
from anomalyclip.encoders.graph_sessions import cores
from anomalyclip.hub import resolve_model

PACKAGES = {"native": "", "onnx": "onnxruntime", "openvino": "openvino"}
FIRST_SCORE = """
import numpy as np
from anomalyclip.encoders.embedded import EmbeddedEncoder, find_embedded
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.hub import resolve_model
from anomalyclip.scoring_arrays import image_score
embedded = find_embedded(resolve_model("pocket").weights)
encoder = EmbeddedEncoder(embedded, name="pocket", runtime={runtime!r})
pixels = np.zeros((1, 3, 320, 320), np.float32)
image_score(encoder.encode(pixels, FeatureRequest(True, (4,), dpam="vv")).image, embedded.text)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runtimes", default="native,onnx", help="of native, onnx, openvino")
    parser.add_argument("--images", type=Path, help="a folder for `detect`; default: 200 rendered pictures of 512 px")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    given = parser.parse_args()
    runtimes = given.runtimes.split(",")
    figures: dict[str, Any] = {"cores": cores(), "runtimes": compare(runtimes, given.rounds)}
    for name, told in figures["runtimes"].items():
        print(f"{name:9}", "  ".join(f"{key} {value:.4g}" for key, value in told.items()))
    with tempfile.TemporaryDirectory() as folder:
        images = given.images or rendered(Path(folder) / "images", 200)
        encoder = figures["runtimes"][runtimes[0]]["images_per_s"]
        figures["command"] = command(images, Path(folder), given.rounds, encoder)
    print("command  ", "  ".join(f"{key} {value:.4g}" for key, value in figures["command"].items()))
    if given.output is not None:
        given.output.write_text(json.dumps(figures, indent=1) + "\n")


def compare(runtimes: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Medians per runtime."""
    embedded, request = find_embedded(resolve_model("pocket").weights), anomalyclip.load("pocket").request
    assert embedded is not None
    single, every, opened = {}, {}, {}
    for name in runtimes:
        start = time.perf_counter()
        single[name] = EmbeddedEncoder(embedded, name="pocket", runtime=name, threads=1)
        opened[name] = time.perf_counter() - start
        every[name] = EmbeddedEncoder(embedded, name="pocket", runtime=name, streams=cores())
    batch = np.random.default_rng(0).normal(size=(4 * cores(), 3, 320, 320)).astype(np.float32)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in runtimes}
    for number in range(rounds + 1):
        for name in runtimes:
            cpu, wall = time.process_time(), time.perf_counter()
            single[name].encode(batch[:1], request)
            told = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            wall = time.perf_counter()
            every[name].encode(batch, request)
            told["images_per_s"] = len(batch) / (time.perf_counter() - wall)
            if number < min(rounds, 5):
                told["first_score_s"] = seconds([sys.executable, "-c", FIRST_SCORE.format(runtime=name)])
            for key, value in told.items() if number else ():  # the first round warms up
                found[name].setdefault(key, []).append(value)
    medians = {name: {key: statistics.median(values) for key, values in told.items()} for name, told in found.items()}
    return {
        name: {"opened_s": opened[name], **told, "installed_mb": installed(PACKAGES[name]) / 1e6}
        for name, told in medians.items()
    }


def command(images: Path, work: Path, rounds: int, encoder: float) -> dict[str, float]:
    """`detect` as users type it: one picture from start to end; a folder with no options, and with files.

    encoder: pictures per second of the runtime alone, with one picture per core.
    """
    pictures = [path for path in sorted(images.rglob("*")) if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    run = [sys.executable, "-m", "anomalyclip", "detect", "-q"]
    seconds([*run, str(pictures[0])])  # compiles what is not compiled yet, as installing a wheel does
    one = [used([*run, str(pictures[0])]) for _ in range(max(3, min(rounds, 7)))]
    helped = [seconds([sys.executable, "-m", "anomalyclip", "--help"]) for _ in range(3)]
    told = {
        "one_image_s": statistics.median(wall for wall, _ in one),
        "one_image_least_s": min(wall for wall, _ in one),
        "one_image_cpu_s": statistics.median(cpu for _, cpu in one),
        "help_s": min(helped),
        "images": len(pictures),
    }
    for name, options in (("plain", []), ("files", ["--output"])):
        folders = [[*options, str(work / f"{name}-{number}")] if options else [] for number in range(3)]
        taken = [used([*run, str(images), *more]) for more in folders]
        rate = len(pictures) / statistics.median(wall for wall, _ in taken)
        beyond = statistics.median(cpu for _, cpu in taken) - told["one_image_cpu_s"]
        after = statistics.median(wall for wall, _ in taken) - told["one_image_s"]  # the start is paid for once
        told[f"{name}_steady_images_per_s"] = (len(pictures) - 1) / after
        told |= {f"{name}_images_per_s": rate, f"{name}_cpu_s": beyond / (len(pictures) - 1)}
        told[f"{name}_of_the_encoder"] = rate / encoder
    return told


def rendered(folder: Path, count: int) -> Path:
    """Pictures as a camera may give them."""
    from PIL import Image

    from anomalyclip.data.synthetic import render

    folder.mkdir()
    for seed in range(count):
        image = Image.fromarray(render(900_000 + seed, 256, anomalous=bool(seed % 2)).image)
        image.resize((512, 512), Image.Resampling.BICUBIC).save(folder / f"{seed:03}.jpg", quality=92)
    return folder


def seconds(line: list[str]) -> float:
    """Of a process, from start to end."""
    return used(line)[0]


def used(line: list[str]) -> tuple[float, float]:
    """Seconds of a process from start to end: by the clock, and of CPU with the processes that it started."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(line, check=True, capture_output=True, env=environment)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def installed(package: str, seen: set[str] | None = None) -> int:
    """Bytes of a package and what it needs, less what the light core needs anyway."""
    seen = set() if seen is None else seen
    if package in seen or package in ("", "numpy"):
        return 0
    seen.add(package)
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return 0
    own = sum(
        Path(str(file.locate())).stat().st_size for file in found.files or () if Path(str(file.locate())).is_file()
    )
    needed = [re.match(r"[A-Za-z0-9._-]+", line) for line in found.requires or () if "extra ==" not in line]
    return own + sum(installed(name[0], seen) for name in needed if name is not None)


if __name__ == "__main__":
    main()
