"""One run of `anomalyclip bench`: what is asked for, what was found, in the order it is measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from anomalyclip.bench.ceiling import Ceiling, ceiling_share, flops
from anomalyclip.bench.drift import BASE, measure_drift
from anomalyclip.bench.labelled import LabelledSet, rendered_set, sets_on_disk
from anomalyclip.bench.models import RANDOM, bench_model
from anomalyclip.bench.operators import profile_operators
from anomalyclip.bench.processes import measure_detect
from anomalyclip.bench.timing import Timing, alternate
from anomalyclip.bench.variants import VARIANTS, Variant, artefact, open_variant
from anomalyclip.io.scratch import scratch

if TYPE_CHECKING:
    from anomalyclip.bench.variants import Runner
    from anomalyclip.detector import Detector

SCHEMA = 1
_PRECISION_OF_CEILING = {"int8": "int8"}


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        model: see :func:`anomalyclip.bench.models.bench_model`.
        variants: what to compare; ratios need the reference among them.
        batches, image_sizes, threads: every combination is timed; None is the model's own size, or all cores.
        rounds: timed rounds; every round runs each variant once.
        renders: labelled renders on which accuracy is compared; 0 for none.
        data: a data set's folder, or a folder of such, for the same.
        data_images: at most so many images of each.
        detect_images: images of the end-to-end runs of the command; 0 for none. Not for random weights.
        operators: profile torch's operators.
        exports: where exports are kept; None makes them anew and throws them away.
        calibration: images for int8.
    """

    model: str = "pocket"
    variants: tuple[Variant, ...] = tuple(VARIANTS.values())
    batches: tuple[int, ...] = (1,)
    image_sizes: tuple[int | None, ...] = (None,)
    threads: tuple[int | None, ...] = (None,)
    rounds: int = 5
    renders: int = 40
    data: Path | None = None
    data_images: int = 100
    detect_images: int = 0
    operators: bool = True
    exports: Path | None = None
    calibration: Path | None = None


@dataclass
class Findings:
    """What a run found; every row is a plain dictionary. :meth:`record` is the JSON file's content."""

    plan: dict[str, Any]
    machine: dict[str, Any]
    model: dict[str, Any] = field(default_factory=dict)
    ceiling: list[dict[str, Any]] = field(default_factory=list)
    flops: list[dict[str, Any]] = field(default_factory=list)
    speed: list[dict[str, Any]] = field(default_factory=list)
    operators: list[dict[str, Any]] = field(default_factory=list)
    drift: list[dict[str, Any]] = field(default_factory=list)
    detect: list[dict[str, Any]] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Plain types, with the schema's number first."""
        return {"schema": SCHEMA, **asdict(self)}


def run_bench(plan: Plan, tell: Callable[[str], None] = lambda line: None) -> Findings:
    """Measure everything the plan names; ``tell`` gets a line per step.

    Raises:
        ConfigError, HubError, InputError: a model, a data set or a runtime cannot be used.
    """
    found = Findings(_described(plan), describe_machine())
    before = torch.get_num_threads()
    sets = _labelled_sets(plan)
    try:
        with _exports(plan) as exports:
            for size in plan.image_sizes:
                model = bench_model(plan.model, image_size=size)
                found.model = found.model or model.provenance()
                _measure_size(plan, model, exports, sets, found, tell)
    finally:
        torch.set_num_threads(before)
    return found


def _measure_size(
    plan: Plan, model: Detector, exports: Path, sets: list[LabelledSet], found: Findings, tell: Callable[[str], None]
) -> None:
    size = model.settings.image_size
    found.flops.append({"image_size": size, **flops(model)})
    for count in plan.threads:
        threads = count or os.cpu_count() or 1
        torch.set_num_threads(threads)
        detectors = {
            variant.name: open_variant(
                variant, model, exports, threads=threads, calibration=plan.calibration, tell=tell
            )
            for variant in plan.variants
        }
        tell(f"timing at {size} px with {threads} threads")
        ceiling = Ceiling()
        for batch in plan.batches:
            timings, rates = _time(detectors, model, batch, plan.rounds, ceiling)
            needed = found.flops[-1]["total"] * batch
            found.speed += _speed_rows(timings, size, threads, batch, needed, rates)
        found.ceiling.append({"threads": threads, **ceiling.best})
    if plan.operators:
        tell("profiling torch's operators")
        found.operators += [{"image_size": size, **asdict(one)} for one in profile_operators(model)]
    for data in sets:
        tell(f"comparing accuracy on {data.count} images: {data.name}")
        drifts = measure_drift({BASE: model, **detectors}, data, size)
        found.drift += [{"image_size": size, **asdict(one)} for one in drifts]
    if plan.detect_images:
        tell(f"running `anomalyclip detect` on {plan.detect_images} images")
        found.detect += _detect(plan, model, exports, threads, size)


def _time(
    detectors: dict[str, Runner], model: Detector, batch: int, rounds: int, ceiling: Ceiling
) -> tuple[dict[str, Timing], dict[str, list[float]]]:
    """How long each variant takes, and the rates of the ceiling around its calls, in its precision."""
    images = [one.image for one in rendered_set(batch).read(model.settings.image_size)]
    prepared = {
        name: np.stack([detector.preprocess(image) for image in images]) for name, detector in detectors.items()
    }
    calls = {name: _call(detector, prepared[name]) for name, detector in detectors.items()}
    rates: dict[str, list[float]] = {name: [] for name in detectors}

    def around(name: str) -> None:
        rates[name].append(ceiling.now(_PRECISION_OF_CEILING.get(VARIANTS[name].precision, "fp32")))

    return alternate(calls, rounds, around=around), rates


def _call(detector: Runner, pixels: np.ndarray[Any, Any]) -> Callable[[], object]:
    return lambda: detector.predict(pixels)


def _speed_rows(
    timings: dict[str, Timing], size: int, threads: int, batch: int, needed: float, rates: dict[str, list[float]]
) -> list[dict[str, Any]]:
    """Rows with what follows from the times: rate, ratio to the reference, share of the ceiling of the precision."""
    reference = timings.get("reference")
    rows = []
    for name, timing in timings.items():
        rows.append(
            {
                "variant": name,
                "image_size": size,
                "threads": threads,
                "batch": batch,
                "median_s": timing.median,
                "q1_s": timing.q1,
                "q3_s": timing.q3,
                "cpu_s": timing.cpu,
                "images_per_s": batch / timing.median,
                "vs_reference": reference.median / timing.median if reference else None,
                "vs_reference_cpu": reference.cpu / timing.cpu if reference and timing.cpu else None,
                "ceiling_share": ceiling_share(needed, timing.each, rates[name]),
            }
        )
    return rows


def _detect(plan: Plan, model: Detector, exports: Path, threads: int, size: int) -> list[dict[str, Any]]:
    """The command knows no reference, and cannot make random weights: those rows are left out."""
    asked = {}
    for variant in plan.variants:
        if variant.format is not None:
            asked[variant.name] = ["--model", str(artefact(variant, model, exports))]
        elif variant.name != "reference" and not plan.model.startswith(RANDOM):
            precision = ["--precision", variant.precision] if variant.runtime == "native" else []
            asked[variant.name] = ["--model", plan.model, "--runtime", variant.runtime, *precision]
    measured = measure_detect(asked, plan.detect_images, threads=threads)
    return [{"image_size": size, "threads": threads, **asdict(one)} for one in measured]


def _labelled_sets(plan: Plan) -> list[LabelledSet]:
    rendered = [rendered_set(plan.renders)] if plan.renders else []
    return rendered + (sets_on_disk(plan.data, plan.data_images) if plan.data is not None else [])


@contextmanager
def _exports(plan: Plan) -> Iterator[Path]:
    if plan.exports is not None:
        yield plan.exports
        return
    with scratch("exports") as folder:
        yield folder


def _described(plan: Plan) -> dict[str, Any]:
    plain = asdict(plan) | {"variants": [variant.name for variant in plan.variants]}
    return {key: str(value) if isinstance(value, Path) else value for key, value in plain.items()}


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, system, versions, and when."""
    from anomalyclip.export.making import package_versions

    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
