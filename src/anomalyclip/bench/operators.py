"""Where torch spends one image's time, per operator."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from anomalyclip.detector import Detector

_FEWEST = 0.002  # of the time: less is not worth a row


@dataclass(frozen=True)
class Operator:
    """One of torch's operators over one image: its own seconds, its share of the time, calls."""

    name: str
    seconds: float
    share: float
    calls: int


def profile_operators(model: Detector, runs: int = 3) -> list[Operator]:
    """Operators by time spent in themselves, largest first, the mean of ``runs`` images after one to warm up."""
    from torch.profiler import ProfilerActivity, profile

    side = model.settings.image_size
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    model.predict(pixels)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(runs):
            model.predict(pixels)
    events = [event for event in profiler.key_averages() if event.key.startswith("aten::")]
    total = sum(event.self_cpu_time_total for event in events) or 1.0
    found = [
        Operator(
            event.key.removeprefix("aten::").lstrip("_"),
            event.self_cpu_time_total / 1e6 / runs,
            event.self_cpu_time_total / total,
            event.count // runs,
        )
        for event in events
    ]
    return sorted((one for one in found if one.share >= _FEWEST), key=lambda one: -one.seconds)
