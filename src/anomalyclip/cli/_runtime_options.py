"""Options that choose what runs a model, shared by the verbs that load one; and the loading itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from anomalyclip.runtime.opening import AnyDetector

SPEED = "Speed and limits"


class Runtime(str, Enum):
    """What runs a model."""

    auto = "auto"
    torch = "torch"
    native = "native"
    openvino = "openvino"
    onnx = "onnx"


class Precision(str, Enum):
    """What a model computes in."""

    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"


RuntimeOption = Annotated[
    Runtime,
    typer.Option(
        help="native: int8 on our own kernels; openvino and onnx convert the model once and keep it; auto: an export's "
        "own; torch on a GPU; on a CPU OpenVINO where the model was converted before, else torch.",
        rich_help_panel=SPEED,
    ),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option(
        help="fp32; fp16, bf16: torch on a GPU; int8: native, OpenVINO or ONNX (default: fp32, or the export's).",
        rich_help_panel=SPEED,
        show_default=False,
    ),
]


def chosen(runtime: Runtime, precision: Precision | None) -> dict[str, str | None]:
    """Both options as `open_detector` takes them."""
    return {"runtime": runtime.value, "precision": precision.value if precision is not None else None}


def load_detector(loading: Mapping[str, Any], *, quiet: bool = False) -> AnyDetector:
    """`open_detector`; says on stderr where a faster runtime is installed and not used."""
    from torch import nn

    from anomalyclip.cli._console import note
    from anomalyclip.cli._heap import trim_heap_for
    from anomalyclip.runtime import faster_runtime, open_detector

    detector = open_detector(**loading)
    if isinstance(detector, nn.Module):
        trim_heap_for(detector)
        hint = faster_runtime(loading.get("runtime", "auto"), loading["model"], loading.get("device", "auto"))
        if hint is not None and not quiet:
            note(hint)
    return detector
