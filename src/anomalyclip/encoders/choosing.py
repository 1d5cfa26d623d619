"""Which runtime runs a model, where the caller leaves it open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anomalyclip.encoders.formats import Precision, RuntimeChoice, RuntimeName, installed
from anomalyclip.errors import AnomalyClipError, ConfigError


def choose_runtime(
    runtime: RuntimeChoice,
    precision: Precision | None,
    model: str | Path,
    device: str,
    *,
    converted: Callable[[], bool],
    offline: bool = False,
) -> RuntimeName:
    """What "auto" comes to; it never changes numbers by more than rounding, and converts nothing but for int8.

    - on a GPU, torch;
    - on a CPU, OpenVINO where this very model was ``converted`` before, else torch;
    - with int8, native for a model without a convolutional stem where the kernels can run, else OpenVINO, else
      onnxruntime, whichever is installed.

    Raises:
        ConfigError: int8, and nothing that computes in it.
    """
    if runtime != "auto":
        return runtime
    if precision == "int8":
        if device in ("auto", "cpu") and prefers_native(model, offline=offline):
            return "native"
        for name in ("openvino", "onnx"):
            if installed(name):
                return name
        raise ConfigError(
            "int8 needs OpenVINO or onnxruntime: pip install 'anomalyclip[openvino]'; or --runtime native on a "
            "processor with AVX2"
        )
    if precision in ("fp16", "bf16") or not installed("openvino") or device_type(device) != "cpu":
        return "torch"
    return "openvino" if converted() else "torch"


def device_type(device: str) -> str:
    """`auto` resolved; torch is imported only where the answer depends on it."""
    if device != "auto":
        return device.partition(":")[0]
    from anomalyclip.encoders.devices import pick_device

    return pick_device(device).type


def prefers_native(model: str | Path, *, offline: bool = False) -> bool:
    """Whether int8 is fastest with our kernels: they can run here, and the whole vision tower is blocks for them.

    A convolutional stem stays in float here and is quantised by OpenVINO. Reads the header of the weights, no more.
    """
    from anomalyclip.clip.architecture import infer_config
    from anomalyclip.clip.formats import read_weights
    from anomalyclip.encoders.native import why_not_native
    from anomalyclip.hub import meter, resolve_model
    from anomalyclip.native import why_not

    if why_not("int8") is not None:
        return False
    try:
        files = resolve_model(model, offline=offline, meter=meter)
        vision = infer_config(read_weights(files.weights)).vision
    except AnomalyClipError:  # a conversion may be there without the weights; else loading says the same again
        return False
    return vision.stem is None and why_not_native(vision) is None


def faster_runtime(runtime: str, used: str, device: str) -> str | None:
    """What to tell a user of "auto" whose model runs on torch though OpenVINO is there; None if there is nothing."""
    if runtime != "auto" or used != "torch" or device != "cpu" or not installed("openvino"):
        return None
    return "OpenVINO is installed: --runtime openvino converts this model once and is faster from then on."
