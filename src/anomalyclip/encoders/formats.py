"""What can be exported and what runs it, as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from anomalyclip.errors import ConfigError
from anomalyclip.extras import present

FormatName = Literal["onnx", "openvino", "torchscript", "torch-export"]
RuntimeName = Literal["torch", "native", "openvino", "onnx"]
RuntimeChoice = Literal["auto", "torch", "native", "openvino", "onnx"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]

OPSET = 18
"""Of ONNX files: the first with everything the graph needs, so that older onnxruntimes (1.14 and later) read it."""


@dataclass(frozen=True)
class ExportFormat:
    """One kind of artefact.

    Attributes:
        name: on the command line.
        runtime: what runs it.
        file: the main file's name in the artefact's folder.
        precisions: what it can be exported in.
        makers: packages (import names) that write it, beside torch.
        trusted_only: reading the file can run code that is in it, so it is read on explicit request only.
    """

    name: FormatName
    runtime: RuntimeName
    file: str
    precisions: tuple[Precision, ...]
    makers: tuple[str, ...] = ()
    trusted_only: bool = False


FORMATS: dict[str, ExportFormat] = {
    each.name: each
    for each in (
        ExportFormat("onnx", "onnx", "model.onnx", ("fp32", "fp16", "int8"), ("onnx", "onnxscript", "onnxruntime")),
        ExportFormat("openvino", "openvino", "model.xml", ("fp32", "fp16", "int8"), ("openvino",)),
        ExportFormat("torchscript", "torch", "model.torchscript", ("fp32", "fp16"), trusted_only=True),
        ExportFormat("torch-export", "torch", "model.pt2", ("fp32", "fp16"), trusted_only=True),
    )
}

#: runtime -> (import name of what runs it, extra that installs it, the format that it takes from a conversion)
RUNTIMES: dict[RuntimeName, tuple[str, str, FormatName | None]] = {
    "torch": ("torch", "torch", None),
    "native": (
        "torch",
        "torch",
        None,
    ),  # what surrounds the kernels; whether they can be used, anomalyclip.native knows
    "openvino": ("openvino", "openvino", "openvino"),
    "onnx": ("onnxruntime", "onnx", "onnx"),
}


def export_format(name: str, precision: str) -> ExportFormat:
    """The format of a name; ConfigError for an unknown one or a precision that it does not have."""
    if name not in FORMATS:
        raise ConfigError(f"unknown export format {name!r}; expected one of {', '.join(FORMATS)}")
    found = FORMATS[name]
    if precision not in found.precisions:
        others = [each.name for each in FORMATS.values() if precision in each.precisions]
        elsewhere = f"; {precision} exists for {', '.join(others)}" if others else ""
        raise ConfigError(f"{name} is exported in {', '.join(found.precisions)}, not in {precision!r}{elsewhere}")
    return found


def installed(runtime: RuntimeName) -> bool:
    """Whether the runtime's package is there (it is not imported)."""
    return present(RUNTIMES[runtime][0])


def check_runtime(name: str) -> None:
    """ConfigError for a name that is no runtime."""
    if name not in get_args(RuntimeChoice):
        raise ConfigError(f"unknown runtime {name!r}; expected one of {', '.join(get_args(RuntimeChoice))}")
