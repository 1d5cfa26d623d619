"""A graph as onnxruntime prepares it when it opens one, done once: `prepared.onnx`.

Two thirds of the time in which onnxruntime opens `graph.onnx` go into weights that are cast and transposed and
operations that are fused. Here they are done: what is left refers to weights by name, which
``anomalyclip.encoders.prepared`` hands over as arrays. It holds operations of onnxruntime's own, so that other runtimes
read `graph.onnx`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from safetensors.numpy import load_file

from anomalyclip.encoders.prepared import TURNED, float_arrays
from anomalyclip.io.scratch import scratch

_DOMAINS = ("", "com.microsoft")
"""Of the operations; the file that onnxruntime writes names others, in versions that earlier ones refuse."""


def prepared(graph: Path, weights: Path) -> tuple[onnx.ModelProto, list[str]]:
    """The prepared graph, for any processor, and the names of the weights that it wants.

    Args:
        graph: refers to ``weights``, a safetensors file beside it.
    """
    model = _optimised(graph)
    known = _by_content(weights)
    wanted = []
    for tensor in model.graph.initializer:
        name = known.get(_key(numpy_helper.to_array(tensor)))
        if name is not None and name not in wanted:
            _rename(model.graph, tensor.name, name)
            wanted.append(name)
            _hollow(tensor, name)
    kept = [one for one in model.opset_import if one.domain in _DOMAINS]
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(one.domain, one.version) for one in kept)
    return model, wanted


def _optimised(graph: Path) -> onnx.ModelProto:
    import onnxruntime

    with scratch("graph") as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # What lies above depends on the processor, and is done when the file is opened.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(folder / "optimised.onnx")
        onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _by_content(weights: Path) -> dict[tuple[tuple[int, ...], bytes], str]:
    tensors = load_file(weights)
    names = [*tensors, *(f"{name}{TURNED}" for name, value in tensors.items() if value.ndim == 2)]
    return {_key(value): name for name, value in float_arrays(tensors, names).items()}


def _key(array: np.ndarray) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.tobytes()


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def _hollow(tensor: onnx.TensorProto, name: str) -> None:
    """A tensor whose content will be handed over: it names a file that nobody opens."""
    size = int(np.prod(tensor.dims)) * 4
    tensor.ClearField("raw_data")
    tensor.name, tensor.data_location = name, onnx.TensorProto.EXTERNAL
    for key, value in (("location", "handed over"), ("offset", 0), ("length", size)):
        tensor.external_data.add(key=key, value=str(value))
