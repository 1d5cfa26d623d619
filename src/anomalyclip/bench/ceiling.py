"""What the machine could do at best: the speed of its matrix product, and the operations that one image needs."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from anomalyclip.bench.timing import alternate
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.detector import Detector
from anomalyclip.encoders.native_product import NativeProduct
from anomalyclip.encoders.torch import TorchEncoder, see
from anomalyclip.errors import ConfigError
from anomalyclip.native import why_not
from anomalyclip.native.linear import linear

_SHAPE = (1370, 1024, 4096)  # rows, inner, columns: the larger products of ViT-L/14 at 518 pixels
_INT8_ENGINE = "onednn"


class Ceiling:
    """The rate of one large matrix product with torch's threads: torch's or our kernels', whichever is faster here.

    int8 is left out where torch was built without oneDNN and the kernels cannot run.
    """

    def __init__(self) -> None:
        rows, inner, columns = _SHAPE
        x, weight = torch.randn(rows, inner), torch.randn(columns, inner)
        calls: dict[str, list[Callable[[], object]]] = {
            "fp32": [lambda: torch.nn.functional.linear(x, weight), *_own_products(x, weight)],
            "int8": _int8_products(x, weight),
        }
        self._calls = {precision: those for precision, those in calls.items() if those}
        self.best: dict[str, float] = {}
        """The highest of all that were measured, by precision."""
        for precision in self._calls:
            self.now(precision)

    def now(self, precision: str, rounds: int = 3) -> float:
        """GFLOP/s (int8: giga-operations), NaN where there is none: the best of some, for it is a ceiling."""
        if precision not in self._calls:
            return math.nan
        with torch.inference_mode():
            seconds = min(_fastest(call, rounds) for call in self._calls[precision])
        rate = 2 * math.prod(_SHAPE) / seconds / 1e9
        self.best[precision] = max(rate, self.best.get(precision, rate))
        return rate


def ceiling_share(needed: float, each: Sequence[float], around: Sequence[float]) -> float:
    """The median share of the ceiling that calls reached.

    The ceiling is measured right before and right after every call: on a shared machine it moves within minutes.

    Args:
        needed: GFLOP of a call.
        each: seconds of the calls.
        around: GFLOP/s, two for each call; the higher one counts.
    """
    paired = zip(each, around[::2], around[1::2], strict=True)
    return statistics.median(needed / seconds / max(before, after) for seconds, before, after in paired)


def _fastest(call: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest of several calls; one before, which warms up, does not count."""
    return min(alternate({"product": call}, rounds)["product"].each)


def _own_products(x: Tensor, weight: Tensor) -> list[Callable[[], object]]:
    """In fp32, where it can run; also where the model does not use it."""
    return [] if why_not("fp32") is not None else [lambda: linear(x, weight, None)]


def _int8_products(x: Tensor, weight: Tensor) -> list[Callable[[], object]]:
    """Those that can run here."""
    calls: list[Callable[[], object]] = []
    if _INT8_ENGINE in torch.backends.quantized.supported_engines:
        calls.append(_int8_product(x, weight))
    if why_not("int8") is None:
        calls.append(NativeProduct(x, weight, torch.get_num_threads()))
    return calls


def _int8_product(x: Tensor, weight: Tensor) -> Any:
    """A closure over quantised copies: unsigned activations, weights per channel, int8 out, as int8 networks run it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that these will move to another package
        before = torch.backends.quantized.engine
        torch.backends.quantized.engine = _INT8_ENGINE
        try:
            zeros = torch.zeros(len(weight), dtype=torch.int64)
            scales = torch.full((len(weight),), 0.02)
            prepared = torch.ops.quantized.linear_prepack(
                torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8), None
            )
            given = torch.quantize_per_tensor(x, 0.05, 64, torch.quint8)
        finally:
            torch.backends.quantized.engine = before
    return lambda: torch.ops.quantized.linear(given, prepared, 1.0, 64)


def flops(model: Detector) -> dict[str, float]:
    """GFLOP of one image (2 per multiply-add): "products", "attention", "convolutions" and their "total"."""
    from torch.utils.flop_counter import FlopCounterMode

    aten = torch.ops.aten
    fused = aten._scaled_dot_product_flash_attention_for_cpu
    counter = FlopCounterMode(display=False, custom_mapping={fused: _attention_flops})
    side = model.settings.image_size
    # With gradients on (nothing asks for any) attention is torch's own; our kernel would go uncounted.
    with counter, torch.enable_grad():
        pixels = torch.zeros(1, 3, side, side, device=model.device)
        model.judge.judge(see(tower_of(model), pixels, model.request), (side, side))
    counts = counter.get_flop_counts()["Global"]
    attention, convolutions = counts.get(fused, 0), counts.get(aten.convolution, 0)
    total = sum(counts.values())
    parts = {"products": total - attention - convolutions, "attention": attention, "convolutions": convolutions}
    return {name: value / 1e9 for name, value in (parts | {"total": total}).items()}


def tower_of(model: Detector) -> VisionTransformer:
    """The tower of a model on torch; ConfigError for one on another runtime."""
    if not isinstance(model.encoder, TorchEncoder):
        raise ConfigError(f"this measures torch, and {model.name} runs on {model.encoder.runtime}")
    return model.encoder.visual


def _attention_flops(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Two products per head: Q K^T, and the probabilities times V."""
    batch, heads, rows, width = query
    return int(2 * batch * heads * rows * key[2] * (width + value[3]))
