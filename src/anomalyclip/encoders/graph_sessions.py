"""A graph of features as a function: pixels of one picture in, the named outputs out. One opener per runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from anomalyclip.encoders.formats import RUNTIMES
from anomalyclip.extras import require
from anomalyclip.lazy import meanwhile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Run: TypeAlias = "Callable[[NDArray[np.float32], Sequence[str]], list[NDArray[np.float32]]]"

INPUT = "pixels"


def open_graph(runtime: str, path: Path, threads: int | None, streams: int) -> Run:
    """The function of a graph's file. So many threads as there are ``streams`` may call it at once.

    Raises:
        ConfigError: the runtime is not installed. RuntimeError, OSError, ValueError: it cannot read the file.
    """
    require(RUNTIMES[runtime][0])  # type: ignore[index]  # a key of GRAPH_RUNTIMES
    return GRAPH_RUNTIMES[runtime](path, threads or cores(), streams)


def cores() -> int:
    """Cores that this process may use; a container's share is what it was pinned to, not what the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_prepared(path: Path, weights: Mapping[str, NDArray[np.float32]], threads: int | None, streams: int) -> Run:
    """:func:`open_graph` on onnxruntime, of a graph that is handed its weights; raises as that does."""
    require("onnxruntime")
    return _onnx(path, threads or cores(), streams, weights)


def _onnx(path: Path, threads: int, streams: int, weights: Mapping[str, NDArray[np.float32]] | None = None) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = max(1, threads // streams)
    # Threads that wait busily for work would take the cores from decoding and from our own kernels.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
        options.add_external_initializers(list(weights), values)
    with meanwhile():
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(pixels: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = session.run(list(outputs), {INPUT: pixels})
        return found

    return run


def _openvino(path: Path, threads: int, streams: int) -> Run:
    import openvino

    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",  # processors with bfloat16 units would round every activation
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_NUM_THREADS": threads,
    }
    if streams > 1:
        options |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": streams}
    compiled = openvino.Core().compile_model(str(path), "CPU", options)

    def run(pixels: NDArray[np.float32], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        request = compiled.create_infer_request()  # one per call: calls may come from several threads
        request.infer({INPUT: pixels})
        return [np.array(request.get_tensor(name).data) for name in outputs]

    return run


GRAPH_RUNTIMES: dict[str, Callable[[Path, int, int], Run]] = {"onnx": _onnx, "openvino": _openvino}
"""Runtime -> how it opens a graph whose weights lie beside it."""
