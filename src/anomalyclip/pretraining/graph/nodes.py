"""A few lines over `onnx.helper`: an operation is a call that names its result; weights are references into a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 18, 8
"""Of the file: what onnxruntime 1.14 reads, too; the `onnx` package would write newer ones."""

_DTYPES = {"F16": TensorProto.FLOAT16, "F32": TensorProto.FLOAT}
_KINDS = {"i": np.int64, "f": np.float32}


class Nodes:
    """Nodes of a graph in the making. Values are names; constants may be numbers or lists.

    Args:
        weights: the safetensors file whose tensors :meth:`weight` refers to. It must lie beside the graph's file.
    """

    def __init__(self, weights: Path) -> None:
        self._file = weights.name
        with weights.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            self._header: dict[str, Any] = json.loads(stream.read(length))
        self._data = 8 + length
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: dict[str, onnx.TensorProto] = {}
        self._cast: dict[str, str] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def op(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        """One operation of one result; inputs that are no names become constants, int64 or float32."""
        return self.ops(kind, 1, *inputs, **attributes)[0]

    def ops(self, kind: str, results: int, *inputs: Any, **attributes: Any) -> list[str]:
        """An operation of several results."""
        given = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        made = [f"{kind}_{len(self._nodes)}" + (f"_{number}" if number else "") for number in range(results)]
        self._nodes.append(helper.make_node(kind, given, made, name=made[0], **attributes))
        return made

    def _constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(_KINDS[array.dtype.kind])
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = name
            self._tensors[name] = numpy_helper.from_array(array, name)
        return self._constants[key]

    def weight(self, name: str) -> str:
        """A tensor of the weights file, as float32."""
        if name not in self._cast:
            entry = self._header[name]
            begin, end = entry["data_offsets"]
            tensor = TensorProto(name=name, data_type=_DTYPES[entry["dtype"]], dims=entry["shape"])
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", self._file), ("offset", self._data + begin), ("length", end - begin)):
                tensor.external_data.add(key=key, value=str(value))
            self._tensors[name] = tensor
            self._cast[name] = self.op("Cast", name, to=TensorProto.FLOAT)
        return self._cast[name]

    def linear(self, x: str, weight: str, bias: str | None = None) -> str:
        """x W^T + b over the last axis."""
        product = self.op("MatMul", x, self.op("Transpose", self.weight(weight), perm=[1, 0]))
        return product if bias is None else self.op("Add", product, self.weight(bias))

    def centred(self, tokens: str, floor: float) -> str:
        """How tokens (B, N, C) deviate from the mean token of their image, in soft standard deviations."""
        apart = self.op("Sub", tokens, self.op("ReduceMean", tokens, [1], keepdims=1))
        variance = self.op("ReduceMean", self.op("Mul", apart, apart), [1], keepdims=1)
        return self.op("Div", apart, self.op("Add", self.op("Sqrt", variance), floor))

    def resized(self, maps: str, height_width: str) -> str:
        """Maps (B, C, h, w) at another size, a vector of two: bilinear, half-pixel centres."""
        sizes = self.op("Concat", self.op("Slice", self.op("Shape", maps), [0], [2]), height_width, axis=0)
        return self.op("Resize", maps, "", "", sizes, mode="linear", coordinate_transformation_mode="half_pixel")

    def named(self, value: str, name: str) -> None:
        """Give a value the name of an output."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def model(
        self, inputs: Mapping[str, list[str | int]], outputs: Mapping[str, list[str | int]], facts: Mapping[str, str]
    ) -> onnx.ModelProto:
        """The graph; inputs and outputs are float32, sizes that are words are free, facts are kept with it."""
        given, made = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
            for side in (inputs, outputs)
        )
        graph = helper.make_graph(self._nodes, "encoder", given, made, list(self._tensors.values()))
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="anomalyclip", ir_version=IR_VERSION, opset_imports=opsets)
        helper.set_model_props(model, dict(facts))
        return model
