"""`open_detector`: one door to whatever scores images, be it a model's name or an exported artefact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.encoders.formats import (
    FORMATS,
    RUNTIMES,
    Precision,
    RuntimeChoice,
    RuntimeName,
    check_runtime,
    installed,
    require,
)
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable
from anomalyclip.runtime.sidecar import SIDECAR, find_artefact, parse_artefact

if TYPE_CHECKING:
    from typing import TypeAlias

    from anomalyclip.model import AnomalyCLIP
    from anomalyclip.runtime.detector import ExportedDetector
    from anomalyclip.runtime.native_detector import NativeDetector
    from anomalyclip.runtime.torch_detector import TorchDetector

    AnyDetector: TypeAlias = "AnomalyCLIP | TorchDetector | NativeDetector | ExportedDetector"

#: Options that an artefact has built in: they cannot be chosen when it is opened.
_BUILT_IN = ("prompts", "layers", "image_size", "sigma", "map_weight", "dpam")


def open_detector(
    model: str | Path = "pocket",
    *,
    runtime: RuntimeChoice = "auto",
    precision: Precision | None = None,
    compiled: bool = False,
    device: str = "auto",
    threads: int | None = None,
    streams: int = 1,
    **loading: Any,
) -> AnyDetector:
    """A detector for a model or an exported artefact, on one of the runtimes.

    Args:
        model: as for :func:`anomalyclip.load`; or the folder of an export, or its main file.
        runtime: "torch"; "native", our own int8 kernels; or "openvino" or "onnx", for which a model's name or weights
            are converted once and kept in the cache. "auto" never changes numbers by more than rounding, and converts
            nothing unless int8 needs it:

            - an artefact runs on its own runtime;
            - on a GPU, torch;
            - on a CPU, OpenVINO where this very model was converted before (by ``runtime="openvino"``), else torch;
            - with ``precision="int8"``, native for a model without a convolutional stem where the kernels can run,
              else OpenVINO, else onnxruntime, whichever is installed.
        precision: None is "fp32" for a model, "int8" for native, and an artefact's own.
        compiled: `torch.compile` the encoder (torch only).
        device: ``auto``, ``cpu``, ``cuda``, ``mps``; ``xpu`` is OpenVINO's GPU.
        threads: CPU threads of the runtime; None leaves it to the runtime.
        streams: images of a batch that OpenVINO works on at once, for throughput; the others have one stream.
        loading: the other keywords of :func:`anomalyclip.load`.

    Raises:
        ConfigError: a runtime that is not installed, or options that contradict each other.
        InputError: an artefact that is damaged, or that must be trusted and was not asked for by runtime="torch".
        And what :func:`anomalyclip.load` raises.
    """
    check_runtime(runtime)
    where: dict[str, Any] = {"device": device, "threads": threads}
    artefact = find_artefact(model)
    if artefact is not None:
        return _open_artefact(artefact, runtime, precision, loading, streams=streams, **where)
    chosen = _choose(runtime, precision, {"model": model, **loading}, device)
    if chosen == "native":
        from anomalyclip.runtime.native_opening import open_native

        return open_native({"model": model, **loading}, precision, compiled=compiled, **where)
    if chosen != "torch":
        return _open_converted(
            chosen, precision or "fp32", {"model": model, **loading}, compiled, streams=streams, **where
        )
    from anomalyclip.model import load

    plain = load(model, **where, **loading)
    if precision in (None, "fp32") and not compiled:
        return plain
    from anomalyclip.runtime.torch_detector import TorchDetector

    return TorchDetector(plain, precision or "fp32", compiled=compiled)


def faster_runtime(runtime: RuntimeChoice, model: str | Path, device: str) -> str | None:
    """What to tell a user of "auto" whose model runs on torch though OpenVINO is there; None if there is nothing."""
    on_cpu = _device_type(device) == "cpu"
    if runtime != "auto" or not on_cpu or find_artefact(model) is not None or not installed("openvino"):
        return None
    return "OpenVINO is installed: --runtime openvino converts this model once and is faster from then on."


def _choose(
    runtime: RuntimeChoice, precision: Precision | None, loading: Mapping[str, Any], device: str
) -> RuntimeName:
    from anomalyclip.runtime.conversions import known_conversion
    from anomalyclip.runtime.native_opening import prefers_native

    if runtime != "auto":
        return runtime
    if precision == "int8":
        if device in ("auto", "cpu") and prefers_native(loading):
            return "native"
        for name in ("openvino", "onnx"):
            if installed(name):
                return name
        raise ConfigError(
            "int8 needs OpenVINO or onnxruntime: pip install 'anomalyclip[openvino]'; or --runtime native on a "
            "processor with AVX-512 VNNI"
        )
    if precision in ("fp16", "bf16") or not installed("openvino") or _device_type(device) != "cpu":
        return "torch"
    return "openvino" if known_conversion("openvino", "fp32", loading) is not None else "torch"


def _device_type(device: str) -> str:
    """`auto` resolved; torch is imported only where the answer depends on it."""
    if device != "auto":
        return device.partition(":")[0]
    from anomalyclip.model import pick_device

    return pick_device(device).type


def _open_converted(
    runtime: RuntimeName, precision: Precision, loading: Mapping[str, Any], compiled: bool, **where: Any
) -> ExportedDetector:
    from anomalyclip.runtime.conversions import convert_once
    from anomalyclip.runtime.detector import ExportedDetector

    if compiled:
        raise ConfigError(f"only the torch runtime is compiled by torch; leave compile out for {runtime}")
    require(RUNTIMES[runtime][0])
    return ExportedDetector(convert_once(runtime, precision, loading), **where)


def _open_artefact(
    folder: Path, runtime: RuntimeChoice, precision: Precision | None, loading: Mapping[str, Any], **where: Any
) -> ExportedDetector:
    from anomalyclip.runtime.detector import ExportedDetector

    told = parse_artefact(folder / SIDECAR)
    spec = FORMATS[told.format]
    if chosen := [name for name in _BUILT_IN if loading.get(name) is not None]:
        raise ConfigError(
            f"{', '.join(chosen)} of the export {printable(folder)} cannot be changed: export the model again with them"
        )
    if precision not in (None, told.precision):
        raise ConfigError(f"{printable(folder)} was exported in {told.precision}, not in {precision}; leave it out")
    if runtime == "auto" and spec.trusted_only:
        raise ConfigError(
            f"{printable(folder)} is a {spec.name} file: reading one can run code that is in it. If you made it or "
            "trust who did, say so with --runtime torch; else use an ONNX or OpenVINO export"
        )
    if runtime not in ("auto", spec.runtime):
        raise ConfigError(f"{printable(folder)} runs on {spec.runtime}, not on {runtime}; leave --runtime out")
    return ExportedDetector(folder, **where)
