"""`anomalyclip.clip.stem` in ONNX: inverted residuals, and what their stages tell about each patch."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import TensorProto, helper

from anomalyclip.clip.config import StemConfig, StemStage
from anomalyclip.pretraining.graph.nodes import Nodes
from anomalyclip.pretraining.graph.relations import relations, windows

_PREFIX = "visual.stem"
_SPREAD = 6.0  # as clip.stem
_FLOOR = 0.5
_ONE = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])


def stages(nodes: Nodes, config: StemConfig, pixels: str) -> dict[int, str]:
    """Outputs (B, C, h', w') of all stages, of pixels whose sides are multiples of the stride."""
    x = _relu6(nodes, _convolution(nodes, "first", pixels, kernel=3, stride=2))
    found, channels, before = {}, config.first, 2
    for number, stage in enumerate(config.stages, start=1):
        # Within the stride sides divide evenly, and SAME is a fixed padding; a coarser stage may meet an odd side.
        even = config.stride % (before * stage.stride) == 0
        x = _stage(nodes, f"stages.{number - 1}", stage, x, channels, even=even)
        found[number], channels, before = x, stage.channels, before * stage.stride
    return found


def summary(nodes: Nodes, stage: str) -> str:
    """(B, 3 C) mean, deviation and maximum over the places of every channel of a stage (B, C, h, w)."""
    mean = nodes.op("GlobalAveragePool", stage)
    apart = nodes.op("Sub", stage, mean)
    deviation = nodes.op("Sqrt", nodes.op("GlobalAveragePool", nodes.op("Mul", apart, apart)))
    return nodes.op("Flatten", nodes.op("Concat", mean, deviation, nodes.op("GlobalMaxPool", stage), axis=1), axis=1)


def patch_tokens(nodes: Nodes, config: StemConfig, found: Mapping[int, str], h: str, w: str) -> str:
    """Patch tokens (B, h w, width) of the stages; ``h`` and ``w`` are vectors of one number."""
    patches, grid = nodes.op("Mul", h, w), nodes.op("Concat", h, w, axis=0)
    shared = windows(nodes, h, w, patches)
    folded, related, begin = [], [], 0
    for tap in config.taps:
        cells, channels = config.cells_of(tap), config.stages[tap - 1].channels
        values = _standardised(nodes, _pooled(nodes, config, tap, found[tap]), begin, begin + channels)
        begin += channels
        on_grid = nodes.resized(values, grid) if cells == 0 else _halved(nodes, values, cells)
        related.append(relations(nodes, on_grid, channels, shared))
        if cells > 1:
            shape = nodes.op("Concat", [0, channels], h, [cells], w, [cells], axis=0)
            apart = nodes.op("Transpose", nodes.op("Reshape", values, shape), perm=[0, 2, 4, 1, 3, 5])
            last = nodes.op("Concat", [0], patches, [channels * cells * cells], axis=0)
            folded.append(nodes.op("Reshape", apart, last))
        else:
            flat = nodes.op("Reshape", on_grid, [0, channels, -1])
            folded.append(nodes.op("Transpose", flat, perm=[0, 2, 1]))
    tokens = nodes.op("Concat", *folded, axis=2)
    relate = nodes.linear(nodes.op("Concat", *related, axis=2), f"{_PREFIX}.relate.weight")
    return nodes.op("Add", _projected(nodes, tokens, patches), relate)


def _projected(nodes: Nodes, tokens: str, patches: str) -> str:
    """t P^T + b + ((t - m) / s) C^T of tokens t (B, N, F), their mean m and soft deviations s: as one product,
    t (P^T + diag(1 / s) C^T) + (b - (m / s) C^T).
    """
    op = nodes.op
    straight, contrast = (
        op("Transpose", nodes.weight(f"{_PREFIX}.{name}.weight"), perm=[1, 0]) for name in ("proj", "contrast")
    )
    each = op(
        "Div", op("ConstantOfShape", op("Concat", [1, 1], patches, axis=0), value=_ONE), op("Cast", patches, to=1)
    )
    mean = op("MatMul", each, tokens)  # (B, 1, F): a product is quicker than a mean along this axis
    apart = op("Sub", tokens, mean)
    scale = op("Div", 1.0, op("Add", op("Sqrt", op("MatMul", each, op("Mul", apart, apart))), _FLOOR))
    both = op("Add", straight, op("Mul", contrast, op("Transpose", scale, perm=[0, 2, 1])))  # (B, F, width)
    shift = op("Sub", nodes.weight(f"{_PREFIX}.proj.bias"), op("MatMul", op("Mul", mean, scale), contrast))
    return op("Add", op("MatMul", tokens, both), shift)


def _stage(nodes: Nodes, name: str, stage: StemStage, x: str, channels: int, *, even: bool) -> str:
    for index in range(stage.repeats):
        stride, block, inner = stage.stride if index == 0 else 1, f"{name}.{index}", x
        if stage.expand > 1:
            inner = _relu6(nodes, _convolution(nodes, f"{block}.widen", x))
        groups, fixed = channels * stage.expand, even or stride == 1
        inner = _convolution(
            nodes, f"{block}.filter", inner, kernel=stage.kernel, stride=stride, groups=groups, even=fixed
        )
        out = _convolution(nodes, f"{block}.narrow", _relu6(nodes, inner))
        x = nodes.op("Add", x, out) if stride == 1 and channels == stage.channels else out
        channels = stage.channels
    return x


def _convolution(
    nodes: Nodes, name: str, x: str, *, kernel: int = 1, stride: int = 1, groups: int = 1, even: bool = True
) -> str:
    """Padded as TensorFlow's SAME does."""
    total = kernel - stride if stride > 1 else kernel - 1
    fixed = {"pads": [total // 2] * 2 + [total - total // 2] * 2}
    return nodes.op(
        "Conv",
        x,
        nodes.weight(f"{_PREFIX}.{name}.conv.weight"),
        nodes.weight(f"{_PREFIX}.{name}.conv.bias"),
        kernel_shape=[kernel] * 2,
        strides=[stride] * 2,
        group=groups,
        **(fixed if even else {"auto_pad": "SAME_UPPER"}),
    )


def _relu6(nodes: Nodes, x: str) -> str:
    return nodes.op("Clip", x, 0.0, 6.0)


def _pooled(nodes: Nodes, config: StemConfig, tap: int, values: str) -> str:
    """A stage finer than half the stride, at half the stride."""
    return _halved(nodes, values, max(1, config.stride // 2 // config.stride_of(tap)))


def _halved(nodes: Nodes, values: str, times: int) -> str:
    if times == 1:
        return values
    return nodes.op("AveragePool", values, kernel_shape=[times] * 2, strides=[times] * 2)


def _standardised(nodes: Nodes, values: str, begin: int, end: int) -> str:
    mean, deviation = (
        nodes.op("Unsqueeze", nodes.op("Slice", nodes.weight(f"{_PREFIX}.{part}"), [begin], [end]), [0, 2, 3])
        for part in ("mean", "deviation")
    )
    return nodes.op("Clip", nodes.op("Div", nodes.op("Sub", values, mean), deviation), -_SPREAD, _SPREAD)
