"""Peak memory of `anomalyclip detect` on one image, per weight format and kind of prompts: the real command each time.

    python benchmarks/bench_memory.py                          # ViT-L/14@336 at 518 px, seeded random weights
    python benchmarks/bench_memory.py vit-b-16 --json memory.json
    python benchmarks/bench_memory.py --formats fp16.safetensors --prompts learned clip --runtime native   # int8

Prints a table: peak resident memory, and how many times the fp32 vision tower that is, which is what detection needs
at the least. Weight files (2.6 GB for ViT-L/14) are made in --folder and used again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.prompts import PromptFile, PromptLearner, PromptMetadata, save_prompts

FORMATS = ("fp32.safetensors", "fp16.safetensors", "fp16.torchscript.pt")
MB = 1e6
PROMPTS = ("learned", "clip", "winclip-ensemble")


class _Nested(torch.nn.Module):
    """Modules whose state dict has the given names: what OpenAI's archive holds."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        groups: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in state.items():
            head, _, rest = name.partition(".")
            if rest:
                groups.setdefault(head, {})[rest] = tensor
            else:
                self.register_parameter(head, torch.nn.Parameter(tensor, requires_grad=False))
        for head, group in groups.items():
            self.add_module(head, _Nested(group))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(1.702 * x)  # the code of an archive tells its activation


def write(path: Path, clip: CLIP) -> None:
    """The weights in the format that the file's name says."""
    if path.suffix == ".safetensors":
        save_clip(path, clip, dtype=torch.float32 if ".fp32." in path.name else torch.float16)
        return
    state = {CLIP.file_name(name): tensor.half() for name, tensor in clip.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, OpenAI's files are not
        torch.jit.save(torch.jit.trace(_Nested(state), torch.zeros(1)), str(path))


def prepare(architecture: str, folder: Path, formats: Sequence[str]) -> dict[str, Path]:
    """Weight files by format and a file of prompts learned on them (untrained: memory does not depend on it)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{architecture}.{name}" for name in (*FORMATS, "learned")}
    wanted = [name for name in FORMATS if name in {*formats, "fp16.safetensors"}]
    missing = [name for name in wanted if not paths[name].exists()]
    if missing:
        clip = random_clip(PRESETS[architecture])
        for name in missing:
            write(paths[name], clip)
        del clip
    clip = load_clip(paths["fp16.safetensors"])
    learner = PromptLearner(clip.text_tower(), clip.tokenizer())
    with torch.no_grad():
        features = learner.text_features(clip.text_tower())
    metadata = PromptMetadata(
        backbone=architecture,
        weights_sha256=clip.weights_sha256,
        text_width=clip.config.text.width,
        embed_dim=clip.config.embed_dim,
    )
    save_prompts(paths["learned"], PromptFile.from_learner(learner, features, metadata))
    return paths


def measure(command: list[str]) -> tuple[float, float]:
    """(peak resident MB, seconds) of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_maxrss * 1024 / MB, time.perf_counter() - start


def main() -> None:
    """Measure every format with every kind of prompts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", nargs="?", default="vit-l-14-336", choices=sorted(PRESETS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "anomalyclip-bench-memory")
    parser.add_argument("--formats", nargs="*", default=list(FORMATS), choices=FORMATS)
    parser.add_argument("--prompts", nargs="*", default=list(PROMPTS), choices=PROMPTS)
    parser.add_argument("--runtime", default="torch", choices=["torch", "native"], help="native: in int8")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    # In a process of its own: a child's peak counts what its parent held when it was started.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        paths = pool.submit(prepare, options.architecture, options.folder, options.formats).result()
    image = options.folder / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)).save(image)
    vision_mb = sum(p.numel() for p in vision_parameters(options.architecture)) * 4 / MB
    print(f"{options.architecture}: the vision tower holds {vision_mb:.0f} MB in fp32")
    rows = []
    for name in options.formats:
        for prompts in options.prompts:
            given = str(paths["learned"]) if prompts == "learned" else prompts
            detect = ["detect", str(image), "--model", str(paths[name]), "--prompts", given, "--device", "cpu"]
            detect += ["--runtime", options.runtime, "--precision", "int8" if options.runtime == "native" else "fp32"]
            with tempfile.TemporaryDirectory() as output:
                peak, seconds = measure([sys.executable, "-m", "anomalyclip", *detect, "--output", f"{output}/run"])
            rows.append({"weights": name, "prompts": prompts, "peak_mb": peak, "of_vision": peak / vision_mb})
            print(
                f"{name:22} {prompts:18} peak {peak:6.0f} MB = {peak / vision_mb:.2f} x   {seconds:5.1f} s", flush=True
            )
    if options.json:
        record = {
            "architecture": options.architecture,
            "vision_mb": vision_mb,
            "runtime": options.runtime,
            "rows": rows,
            "torch": torch.__version__,
        }
        options.json.write_text(json.dumps(record, indent=2) + "\n")


def vision_parameters(architecture: str) -> list[torch.Tensor]:
    """The vision tower's parameters, without memory."""
    with torch.device("meta"):
        return list(CLIP(PRESETS[architecture]).visual.parameters())


if __name__ == "__main__":
    main()
