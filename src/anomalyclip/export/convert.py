"""From the graph to files: TorchScript and torch.export by torch, ONNX by its exporter, OpenVINO from the trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from anomalyclip.encoders.formats import OPSET
from anomalyclip.encoders.graph_io import INPUT
from anomalyclip.encoders.quiet import quietly
from anomalyclip.export.graph import DetectorGraph

_PROTOBUF_LIMIT = 2**31 - 2**20  # one protobuf message cannot be larger; weights beyond it go to model.onnx.data


def trace(graph: DetectorGraph) -> torch.jit.ScriptModule:
    """The graph as TorchScript; the batch stays free, one image is enough to see every operation."""
    with quietly(), torch.inference_mode(False), torch.no_grad():
        traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            graph, (graph.example(1),), check_trace=False
        )
    return traced


def write_torchscript(graph: DetectorGraph, path: Path) -> None:
    """TorchScript, read by `torch.jit.load`."""
    with quietly():
        torch.jit.save(trace(graph), str(path))


def write_torch_export(graph: DetectorGraph, path: Path) -> None:
    """An ExportedProgram, read by `torch.export.load`."""
    with quietly(), torch.no_grad():
        program = torch.export.export(graph, (graph.example(),), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, path)


def write_onnx(graph: DetectorGraph, path: Path) -> None:
    """ONNX of opset `OPSET`; weights beside it (`model.onnx.data`) only where one file cannot hold them."""
    with quietly(), torch.no_grad():
        program = torch.onnx.export(
            graph,
            (graph.example(),),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=({0: "batch"},),
            input_names=[INPUT],
            output_names=list(graph.outputs),
            verbose=False,
        )
        assert program is not None
        program.save(str(path), external_data=weight_bytes(graph) > _PROTOBUF_LIMIT)


def weight_bytes(graph: DetectorGraph) -> int:
    """Bytes of all parameters and buffers."""
    tensors = [*graph.parameters(), *graph.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def openvino_model(graph: DetectorGraph) -> Any:
    """An `openvino.Model` whose constants share the graph's memory."""
    import openvino

    shape = openvino.PartialShape([-1, *graph.example(1).shape[1:]])
    with quietly():
        model = openvino.convert_model(trace(graph), example_input=graph.example(1), input=[shape])
    model.inputs[0].get_tensor().set_names({INPUT})
    for output, name in zip(model.outputs, graph.outputs, strict=True):
        output.get_tensor().set_names({name})
    return model


def write_openvino(model: Any, path: Path, *, half: bool) -> None:
    """OpenVINO IR, model.xml and model.bin; `half` keeps the weights in float16."""
    import openvino

    with quietly():
        openvino.save_model(model, str(path), compress_to_fp16=half)
