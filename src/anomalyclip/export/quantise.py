"""Int8 by post-training quantisation (NNCF): weights per channel, activations from a few images, scoring in float."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from anomalyclip.encoders.graph_io import INPUT
from anomalyclip.encoders.quiet import quietly
from anomalyclip.extras import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Module scopes that stay in float, with the reason; everything outside the encoder does, too (docs/export.md).
KEPT: dict[str, str] = {
    r"visual\.stem(\.|$)": "what relations between patches are made of: exponentials of small distances",
}
_ENCODER = "visual"
_NOT_COMPUTED = ("Constant", "Parameter", "Result")


def quantise_openvino(model: Any, images: Sequence[NDArray[np.uint8]], *, kept: Iterable[str] = KEPT) -> Any:
    """An int8 copy of an `openvino.Model`. Statistics are taken inside the graph, image by image."""
    scopes = {
        node.get_friendly_name(): _openvino_scope(node.get_friendly_name())
        for node in model.get_ops()
        if node.get_type_name() not in _NOT_COMPUTED
    }
    return _quantise(model, images, _outside(scopes, kept))


def quantise_onnx(model: Any, images: Sequence[NDArray[np.uint8]], *, kept: Iterable[str] = KEPT) -> Any:
    """An int8 copy of an `onnx.ModelProto`.

    The products of attention stay in float: onnxruntime hands every activation that is measured to Python, and theirs
    alone would be 120 MB per path and block at 518 pixels.
    """
    scopes = {node.name: _onnx_scope(node) for node in model.graph.node}
    attention = [name for name, scope in scopes.items() if "scaled_dot_product_attention" in scope]
    return _quantise(model, images, [*_outside(scopes, kept), *attention])


def _quantise(model: Any, images: Sequence[NDArray[np.uint8]], ignored: Sequence[str]) -> Any:
    require("nncf")
    import nncf  # sets its logger's level as it is imported, so it comes before quietly

    with quietly(), _progress_on_stderr():
        return nncf.quantize(
            model,
            nncf.Dataset(images, lambda image: {INPUT: image[None]}),
            subset_size=len(images),
            model_type=nncf.ModelType.TRANSFORMER,
            ignored_scope=nncf.IgnoredScope(names=sorted(set(ignored)), validate=False),
        )


@contextlib.contextmanager
def _progress_on_stderr() -> Iterator[None]:
    """NNCF draws its bars on stdout, which holds data only; where nobody watches there are none."""
    with contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
        yield


def _outside(scopes: dict[str, str], kept: Iterable[str]) -> list[str]:
    """Names of operations outside the encoder, or in one of the kept scopes."""
    patterns = [re.compile(pattern) for pattern in kept]
    return [
        name
        for name, scope in scopes.items()
        if not scope.startswith(_ENCODER) or any(pattern.search(scope) for pattern in patterns)
    ]


def _openvino_scope(name: str) -> str:
    """`__module.visual.conv1/aten::_convolution/Convolution` -> `visual.conv1`."""
    return name.partition("/")[0].removeprefix("__module.") if name.startswith("__module.") else ""


def _onnx_scope(node: Any) -> str:
    """The innermost module; for attention its operation, too: `visual/scaled_dot_product_attention_2`."""
    told = {entry.key: entry.value for entry in node.metadata_props}
    names = re.findall(r"'([^']*)'", told.get("pkg.torch.onnx.name_scopes", ""))
    modules = [name for name in names if name.startswith(_ENCODER)]
    last = names[-1] if names else ""
    return f"{modules[-1]}/{last}" if modules and "attention" in last else modules[-1] if modules else ""
