"""Exported graphs as functions: images in, scores and maps out. One per runtime, chosen by a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from anomalyclip.encoders.formats import FORMATS, RUNTIMES, FormatName, require
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable
from anomalyclip.runtime.convert import quietly
from anomalyclip.runtime.graph_io import INPUT, OUTPUTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Maps = NDArray[np.float32]
    Session: TypeAlias = Callable[[NDArray[Any]], tuple[Maps, Maps]]

#: device of the command line -> OpenVINO's name
_OPENVINO_DEVICES = {"auto": "CPU", "cpu": "CPU", "xpu": "GPU"}
_ONNX_PROVIDERS = {"auto": "CPUExecutionProvider", "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def open_session(
    format: FormatName, folder: Path, *, device: str = "auto", threads: int | None = None, streams: int = 1
) -> tuple[Session, str]:
    """A function for the artefact in `folder`, and the device that it runs on (in torch's words).

    It takes images (B, S, S, 3) uint8 or (B, 3, S, S) float32, as exported, and gives scores (B,) and maps (B, S, S).
    One thread may call it at a time. With ``streams`` above 1 OpenVINO works on so many images of a batch at once, each
    with its share of the threads: a batch is done sooner, a single image later.

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
            return opener(path, device, threads)
    except (RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{spec.runtime} cannot read {printable(path)} ({reason}); export the model again") from error


def _openvino(path: Path, device: str, threads: int | None, streams: int = 1) -> tuple[Session, str]:
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
    run = _openvino_at_once(compiled) if streams == 1 or target != "CPU" else _openvino_streams(compiled, streams)
    return run, "cpu" if target == "CPU" else "xpu"


def _openvino_at_once(compiled: Any) -> Session:
    def run(images: NDArray[Any]) -> tuple[Maps, Maps]:
        found = compiled({INPUT: images})
        scores, maps = (np.array(found[name]) for name in OUTPUTS)  # copied: the buffers are used again
        return scores, maps

    return run


def _openvino_streams(compiled: Any, streams: int) -> Session:
    """Every image of a batch is a request of its own, `streams` of them under way at a time."""
    import openvino

    queue = openvino.AsyncInferQueue(compiled, streams)
    found: dict[int, tuple[Maps, Maps]] = {}

    def done(request: Any, index: int) -> None:
        scores, maps = (np.array(request.get_tensor(name).data) for name in OUTPUTS)
        found[index] = scores, maps

    queue.set_callback(done)

    def run(images: NDArray[Any]) -> tuple[Maps, Maps]:
        found.clear()
        for index in range(len(images)):
            queue.start_async({INPUT: images[index : index + 1]}, index)
        queue.wait_all()
        ordered = [found[index] for index in range(len(images))]
        return np.concatenate([scores for scores, _ in ordered]), np.concatenate([maps for _, maps in ordered])

    return run


def _onnx(path: Path, device: str, threads: int | None) -> tuple[Session, str]:
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

    def run(images: NDArray[Any]) -> tuple[Maps, Maps]:
        scores, maps = session.run(list(OUTPUTS), {INPUT: images})
        return np.asarray(scores, np.float32), np.asarray(maps, np.float32)

    return run, "cuda" if provider.startswith("CUDA") else "cpu"


def _torchscript(path: Path, device: str, threads: int | None) -> tuple[Session, str]:
    import torch

    where = _torch_device(device, threads)
    module = torch.jit.load(str(path), map_location=where)  # type: ignore[no-untyped-call]
    return _run_torch(module, where), where.type


def _torch_export(path: Path, device: str, threads: int | None) -> tuple[Session, str]:
    import torch

    where = _torch_device(device, threads)
    return _run_torch(torch.export.load(path).module().to(where), where), where.type


def _torch_device(device: str, threads: int | None) -> Any:
    import torch

    from anomalyclip.model import pick_device

    if threads is not None:
        torch.set_num_threads(threads)
    return pick_device(device)


def _run_torch(module: Any, device: Any) -> Session:
    import torch

    def run(images: NDArray[Any]) -> tuple[Maps, Maps]:
        with torch.inference_mode():
            scores, maps = module(torch.from_numpy(images).to(device))
        return scores.cpu().numpy(), maps.cpu().numpy()

    return run


def _pick(device: str, table: Mapping[str, str], runtime: str) -> str:
    name = device.partition(":")[0]
    if name not in table:
        raise ConfigError(
            f"the {runtime} runtime runs on {', '.join(table)}, not on {device!r}; use --runtime torch there"
        )
    return table[name]


_OPENERS: dict[FormatName, Callable[[Path, str, int | None], tuple[Session, str]]] = {
    "openvino": _openvino,
    "onnx": _onnx,
    "torchscript": _torchscript,
    "torch-export": _torch_export,
}
