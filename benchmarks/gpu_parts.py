"""The parts of `benchmarks/gpu.py`, each a function that gives the rows of one table."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from anomalyclip.bench.ceiling import flops
from anomalyclip.bench.labelled import rendered_set
from anomalyclip.bench.models import random_model
from anomalyclip.bench.reference import Reference
from anomalyclip.bench.timing import alternate
from anomalyclip.clip.config import PRESETS, CLIPConfig, TextConfig, VisionConfig
from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.settings import ModelSettings

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
PRESETS["tiny"] = CLIPConfig(64, VisionConfig(64, 16, 64, 3, 1), TextConfig(77, 49408, 64, 3, 1))
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "written out": SDPBackend.MATH,
}
REFERENCES = 25
"""Pictures in the memory of `search`."""


class Bench:
    """The models of one architecture on one device, one per precision, made when first asked for."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.device = given, torch.device(given.device)
        self.precisions = [name for name in given.precisions if name != "fp16" or self.device.type != "cpu"]
        self._models: dict[str, Detector] = {}

    def model(self, precision: str, *, compiled: bool = False) -> Detector:
        """With the same seeded weights in every precision."""
        key = f"{precision} compiled" if compiled else precision
        if key not in self._models:
            made = random_model(self.given.architecture, image_size=self.given.image_size)
            computes = "fp32" if precision == "tf32" else precision
            encoder = TorchEncoder(
                made.encoder.visual.to(self.device),  # type: ignore[attr-defined]
                name=made.name,
                weights_sha256="",
                precision=computes,  # type: ignore[arg-type]
                compiled=compiled,
            )
            self._models[key] = Detector(encoder, made.judge, made.settings)
        return self._models[key]

    def pixels(self, batch: int) -> torch.Tensor:
        side = self.model("fp32").settings.image_size
        return torch.randn(batch, 3, side, side, generator=torch.Generator().manual_seed(batch)).to(self.device)

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def call(self, precision: str, pixels: torch.Tensor, *, compiled: bool = False) -> Callable[[], object]:
        """Encode and judge, on the device to the end."""
        model = self.model(precision, compiled=compiled)

        @torch.inference_mode()
        def run() -> None:
            with rounding(precision):
                model.judge.judge(model.encoder.run(pixels, model.request), tuple(pixels.shape[-2:]))
                self.wait()

        return run

    def times(self, calls: dict[str, Callable[[], object]]) -> dict[str, float]:
        """Median seconds of each."""
        return {name: one.median for name, one in alternate(calls, self.given.rounds, warm_up=2).items()}


@contextlib.contextmanager
def rounding(precision: str) -> Iterator[None]:
    """fp32 is exact: TF32 only where it is what is measured."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def parity(bench: Bench) -> list[dict[str, Any]]:
    """Largest absolute differences from the authors' recorded scores and maps (the authors sum three layers)."""
    from anomalyclip.clip.weights import load_clip

    golden = dict(np.load(GOLDEN / "golden.npz"))
    clip = load_clip(GOLDEN / "clip_small_openai.safetensors")
    settings = ModelSettings(image_size=70, layers=(2, 4, 6), dpam_blocks=4)
    encoder = TorchEncoder(clip.visual.requires_grad_(False).to(bench.device), name="golden", weights_sha256="")
    words = Words(TextEmbeddings(golden["text_features"][0], "golden", ""), settings)
    with rounding("fp32"):
        scores, maps = Detector(encoder, words, settings).predict(golden["images"])
    found = {"score": (scores, golden["image_score"]), "map": (3 * maps, golden["anomaly_map_sigma4"])}
    return [{"what": name, "difference": float(np.abs(ours - theirs).max())} for name, (ours, theirs) in found.items()]


def ceiling(bench: Bench) -> list[dict[str, Any]]:
    """TFLOP/s of a square product, the best of ten."""
    side, rows = (8192 if bench.device.type == "cuda" else 128), []
    for precision in bench.precisions:
        a, b = (torch.randn(side, side, device=bench.device, dtype=DTYPES[precision]) for _ in range(2))
        seconds = []
        with rounding(precision):
            for _ in range(10):
                bench.wait()
                start = time.perf_counter()
                _ = a @ b
                bench.wait()
                seconds.append(time.perf_counter() - start)
        rows.append({"precision": precision, "TFLOP/s": 2 * side**3 / min(seconds) / 1e12})
    return rows


def drift(bench: Bench) -> list[dict[str, Any]]:
    """Against fp32 on renders. Random weights: nearly flat maps, the hardest case for a correlation."""
    exact = bench.model("fp32")
    pictures = [one.image for one in rendered_set(bench.given.renders).read(exact.settings.image_size)]
    pixels = np.stack([exact.preprocess(picture) for picture in pictures])
    answers = {}
    for precision in bench.precisions:
        with rounding(precision):
            answers[precision] = bench.model(precision).predict(pixels)
    scores, maps = answers["fp32"]
    return [
        {
            "precision": precision,
            "score, at most": float(np.abs(found[0] - scores).max()),
            "map, at most": float(np.abs(found[1] - maps).max()),
            "map correlation, at least": min(
                float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(found[1], maps, strict=True)
            ),
        }
        for precision, found in answers.items()
        if precision != "fp32"
    ]


def speed(bench: Bench, ceilings: dict[str, float]) -> list[dict[str, Any]]:
    """Every precision at every batch, and the reference at the same where its matrices fit."""
    needed, rows = flops(random_model(bench.given.architecture, image_size=bench.given.image_size))["total"], []
    for batch in bench.given.batches:
        pixels = bench.pixels(batch)
        calls = {precision: bench.call(precision, pixels) for precision in bench.precisions}
        if batch <= bench.given.reference_batch:
            reference = Reference(bench.model("fp32"))
            calls["the authors' computation"] = lambda ref=reference, given=pixels: ref.predict(given)  # type: ignore[misc]
        with rounding("fp32"):
            found = bench.times(calls)
        base = found.get("the authors' computation")
        for name, seconds in found.items():
            rate = batch / seconds
            best = ceilings.get("fp32" if name.startswith("the") else name)
            rows.append(
                {"variant": name, "batch": batch, "ms": 1000 * seconds, "images/s": rate}
                | {"x reference": base / seconds if base else None}
                | {"of the ceiling": rate * needed / 1000 / best if best else None}
            )
    return rows


def attention(bench: Bench) -> list[dict[str, Any]]:
    """torch's kernels on Q, K, V of this model; None where one does not run here."""
    vision = PRESETS[bench.given.architecture].vision
    side = bench.model("fp32").settings.image_size // vision.patch_size
    batch, rows = max(bench.given.batches), []
    shape = (batch, vision.heads, side * side + 1, vision.width // vision.heads)
    for precision in bench.precisions:
        q, k, v = (torch.randn(shape, device=bench.device, dtype=DTYPES[precision]) for _ in range(3))
        for name, kernel in KERNELS.items():

            def run(kernel: SDPBackend = kernel, q: Any = q, k: Any = k, v: Any = v) -> None:
                with sdpa_kernel(kernel):
                    F.scaled_dot_product_attention(q, k, v)
                bench.wait()

            try:
                with rounding(precision):
                    ms: float | None = 1000 * bench.times({name: run})[name]
            except RuntimeError:  # no such kernel for this device or precision
                ms = None
            rows.append({"precision": precision, "kernel": name, "batch": batch, "ms": ms})
    return rows


def graph(bench: Bench) -> list[dict[str, Any]]:
    """One image, the encoder's pass captured once and replayed, then judged."""
    if bench.device.type != "cuda":
        return []
    rows, pixels = [], bench.pixels(1)
    for precision in bench.precisions:
        model, captured = bench.model(precision), torch.cuda.CUDAGraph()
        bench.call(precision, pixels)()
        with torch.inference_mode(), rounding(precision):
            side_stream = torch.cuda.Stream()
            side_stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side_stream):
                model.encoder.run(pixels, model.request)
            torch.cuda.current_stream().wait_stream(side_stream)
            with torch.cuda.graph(captured):
                features = model.encoder.run(pixels, model.request)

            def replay(captured: Any = captured, features: Any = features, model: Detector = model) -> None:
                captured.replay()
                model.judge.judge(features, tuple(pixels.shape[-2:]))
                bench.wait()

            found = bench.times({"graph": replay, "eager": bench.call(precision, pixels)})
        rows.append({"precision": precision} | {f"{name}, ms": 1000 * value for name, value in found.items()})
    return rows


def training(bench: Bench) -> list[dict[str, Any]]:
    """Forward, backward and Adam of the learned prompts, on features that lie on the device."""
    from bench_training import bare_step

    from anomalyclip.clip.model import random_clip
    from anomalyclip.clip.weights import save_clip
    from anomalyclip.training import TrainConfig

    with TemporaryDirectory() as folder:
        weights = Path(folder) / "random.safetensors"
        save_clip(weights, random_clip(PRESETS[bench.given.architecture]))
        config = TrainConfig(
            data=("noise",),
            output=str(Path(folder) / "run"),
            model=str(weights),
            image_size=bench.given.image_size,
            device=str(bench.device),
        )
        with rounding("tf32"):
            return [{"batch": config.batch_size, "ms": 1000 * bare_step(config, None, config.batch_size)}]


def search(bench: Bench) -> list[dict[str, Any]]:
    """The product with its row maximum on the device, beside our search on the processor."""
    from anomalyclip.judges.memory.search import nearest, unit

    vision = PRESETS[bench.given.architecture].vision
    patches = (bench.model("fp32").settings.image_size // vision.patch_size) ** 2
    random = np.random.default_rng(0)
    bank, queries = (
        unit(random.standard_normal((count * patches, vision.width), np.float32)) for count in (REFERENCES, 1)
    )
    calls: dict[str, Callable[[], object]] = {"processor": lambda: nearest(queries, bank, equal_norms=True)}
    for precision in bench.precisions:
        q, m = (torch.from_numpy(one).to(bench.device, DTYPES[precision]) for one in (queries, bank))

        def run(q: torch.Tensor = q, m: torch.Tensor = m, precision: str = precision) -> None:
            with rounding(precision):
                (q @ m.T).amax(dim=1)
            bench.wait()

        calls[precision] = run
    shape = {"queries": patches, "memory": len(bank), "width": vision.width}
    return [{"on": name} | shape | {"ms": 1000 * seconds} for name, seconds in bench.times(calls).items()]


def compiled(bench: Bench) -> list[dict[str, Any]]:
    """torch.compile beside the same without it; the first call of each shape, which compiles, apart."""
    rows, precision = [], "bf16" if "bf16" in bench.precisions else bench.precisions[0]
    for batch in dict.fromkeys((1, min(max(bench.given.batches), 32))):
        pixels = bench.pixels(batch)
        calls = {name: bench.call(precision, pixels, compiled=name == "compiled") for name in ("as it is", "compiled")}
        start = time.perf_counter()
        calls["compiled"]()
        first = time.perf_counter() - start
        found = bench.times(calls)
        rows.append(
            {"precision": precision, "batch": batch, "compiling, s": first}
            | {f"{name}, ms": 1000 * seconds for name, seconds in found.items()}
        )
    return rows
