"""Runs of `evaluate` that measured pixels in other ways: their numbers say nothing of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anomalyclip.comparison.runs import OF_ONE_MAP, Method, SetName
from anomalyclip.evaluation.result import PIXEL_METRICS

MEANS = {f"mean_{metric}": metric for metric in OF_ONE_MAP}
"""Means over the images of what each image's map has alone."""
MEASURED = {"resolution": (*PIXEL_METRICS, *MEANS), "fpr_limit": ("aupro", "mean_aupro")}
"""How `evaluate` measured, and the metrics that are others with it."""
_WHAT = {"resolution": "Metrics of pixels are", "fpr_limit": "AUPRO is"}


def alike(metric: str, methods: Sequence[Method], shared: Sequence[SetName]) -> list[SetName]:
    """The sets on which all methods measured a metric in one way."""
    asked = [name for name, metrics in MEASURED.items() if metric in metrics]
    return [each for each in shared if all(len(_ways(name, each, methods)) <= 1 for name in asked)]


def _ways(name: str, each: SetName, methods: Sequence[Method]) -> dict[Any, str]:
    """How runs of `evaluate` measured a set -> the first method that did so."""
    ways: dict[Any, str] = {}
    for one in methods:
        if name in (measured := one.sets[each].measured):
            ways.setdefault(measured[name], one.name)
    return ways


def measured_otherwise(methods: Sequence[Method], shared: Sequence[SetName]) -> list[str]:
    """A line for each way in which they did."""
    found = {name: [ways for each in shared if len(ways := _ways(name, each, methods)) > 1] for name in MEASURED}
    return [
        f"{_WHAT[name]} left out where the runs measured otherwise ({name.replace('_', ' ')} "
        f"{', '.join(f'{way} in {method}' for way, method in unlike[0].items())}): evaluate again with one "
        f"--{name.replace('_', '-')}."
        for name, unlike in found.items()
        if unlike
    ]
