"""Exported graphs as functions: images in, named arrays out. One per runtime, chosen by a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from anomalyclip.encoders.formats import FORMATS, RUNTIMES, FormatName
from anomalyclip.encoders.graph_io import INPUT
from anomalyclip.encoders.quiet import quietly
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.extras import require
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Session: TypeAlias = Callable[[NDArray[Any]], dict[str, Floats]]

#: device of the command line -> OpenVINO's name
_OPENVINO_DEVICES = {"auto": "CPU", "cpu": "CPU", "xpu": "GPU"}
_ONNX_PROVIDERS = {"auto": "CPUExecutionProvider", "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(
    format: FormatName,
    folder: Path,
    outputs: Sequence[str],
    *,
    device: str = "auto",
    threads: int | None = None,
    streams: int = 1,
) -> tuple[Session, str]:
    """A function for the artefact in `folder`, and the device that it runs on (in torch's words).

    It takes images (B, S, S, 3) uint8 or (B, 3, S, S) float32, as exported, and gives the graph's `outputs` by name.
    Calls from several threads are safe; OpenVINO's take turns. With ``streams`` above 1 OpenVINO works on so many
    images of a batch at once, each with its share of the threads: a batch is done sooner, a single image later.

    Raises:
        ConfigError: the runtime is not installed, or cannot use the device. InputError: it cannot read the file.
    """
    spec = FORMATS[format]
    if spec.runtime != "torch":
        require(RUNTIMES[spec.runtime][0])
    path = folder / spec.file
    try:
        with quietly():
            opener = partial(_openvino, streams=streams) if format == "openvino" else _OPENERS[format]
            return opener(path, tuple(outputs), device, threads)
    except (RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{spec.runtime} cannot read {printable(path)} ({reason}); export the model again") from error


def _openvino(
    path: Path, outputs: Sequence[str], device: str, threads: int | None, streams: int = 1
) -> tuple[Session, str]:
    import openvino

    target = _pick(device, _OPENVINO_DEVICES, "openvino")
    # Float32 stays float32: processors with bfloat16 units would round every activation without saying so.
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if target == "CPU":
        # Threads bound to their cores wait for whatever else runs there, be it our own decoding.
        options["ENABLE_CPU_PINNING"] = False
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        if streams > 1:
            options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams}
    compiled = openvino.Core().compile_model(str(path), target, options)
    at_once = streams == 1 or target != "CPU"
    run = _openvino_at_once(compiled, outputs) if at_once else _openvino_streams(compiled, outputs, streams)
    return _in_turn(run), "cpu" if target == "CPU" else "xpu"


def _in_turn(run: Session) -> Session:
    """One call at a time: requests and queues of OpenVINO are refused, or mixed up, while another call uses them."""
    turn = Lock()

    def alone(images: NDArray[Any]) -> dict[str, Floats]:
        with turn:
            return run(images)

    return alone


def _openvino_at_once(compiled: Any, outputs: Sequence[str]) -> Session:
    def run(images: NDArray[Any]) -> dict[str, Floats]:
        found = compiled({INPUT: images})
        return {name: np.array(found[name]) for name in outputs}  # copied: the buffers are used again

    return run


def _openvino_streams(compiled: Any, outputs: Sequence[str], streams: int) -> Session:
    """Every image of a batch is a request of its own, `streams` of them under way at a time."""
    import openvino

    queue = openvino.AsyncInferQueue(compiled, streams)
    found: dict[int, dict[str, Floats]] = {}

    def done(request: Any, index: int) -> None:
        found[index] = {name: np.array(request.get_tensor(name).data) for name in outputs}

    queue.set_callback(done)

    def run(images: NDArray[Any]) -> dict[str, Floats]:
        found.clear()
        for index in range(len(images)):
            queue.start_async({INPUT: images[index : index + 1]}, index)
        queue.wait_all()
        return {name: np.concatenate([found[index][name] for index in range(len(images))]) for name in outputs}

    return run


def _onnx(path: Path, outputs: Sequence[str], device: str, threads: int | None) -> tuple[Session, str]:
    import onnxruntime

    provider = _pick(device, _ONNX_PROVIDERS, "onnx")
    if provider not in onnxruntime.get_available_providers():
        raise ConfigError(
            f"this onnxruntime has no {provider}, which --device {device} needs: pip install onnxruntime-gpu"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=[provider])

    def run(images: NDArray[Any]) -> dict[str, Floats]:
        found = session.run(list(outputs), {INPUT: images})
        return {name: np.asarray(values, np.float32) for name, values in zip(outputs, found, strict=True)}

    return run, "cuda" if provider.startswith("CUDA") else "cpu"


def _torchscript(path: Path, outputs: Sequence[str], device: str, threads: int | None) -> tuple[Session, str]:
    import torch

    where = _torch_device(device, threads)
    module = torch.jit.load(str(path), map_location=where)  # type: ignore[no-untyped-call]
    return _run_torch(module, outputs, where), where.type


def _torch_export(path: Path, outputs: Sequence[str], device: str, threads: int | None) -> tuple[Session, str]:
    import torch

    where = _torch_device(device, threads)
    return _run_torch(torch.export.load(path).module().to(where), outputs, where), where.type


def _torch_device(device: str, threads: int | None) -> Any:
    import torch

    from anomalyclip.encoders.devices import pick_device

    if threads is not None:
        torch.set_num_threads(threads)
    return pick_device(device)


def _run_torch(module: Any, outputs: Sequence[str], device: Any) -> Session:
    import torch

    def run(images: NDArray[Any]) -> dict[str, Floats]:
        with torch.inference_mode():
            found = module(torch.from_numpy(images).to(device))
        return {name: values.float().cpu().numpy() for name, values in zip(outputs, found, strict=True)}

    return run


def _pick(device: str, table: Mapping[str, str], runtime: str) -> str:
    name = device.partition(":")[0]
    if name not in table:
        raise ConfigError(
            f"the {runtime} runtime runs on {', '.join(table)}, not on {device!r}; use --runtime torch there"
        )
    return table[name]


_OPENERS: dict[FormatName, Callable[[Path, Sequence[str], str, int | None], tuple[Session, str]]] = {
    "openvino": _openvino,
    "onnx": _onnx,
    "torchscript": _torchscript,
    "torch-export": _torch_export,
}
