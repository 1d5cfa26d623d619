"""`anomalyclip.clip.relations` in ONNX, for any grid: the windows' cells are reckoned inside the graph."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from anomalyclip.clip.relations import TEMPERATURES
from anomalyclip.pretraining.graph.nodes import Nodes

_RADIUS, _MIRRORED_RADIUS = 2, 1  # as clip.relations
_FLOOR = 0.02
_LEAST = 1e-30
_POWERS = (10, 3, 1)
"""exp(-d / t) of every temperature as a power of the largest one's: one exponential per pair in place of three."""
_NEVER = 1e4
"""Divided by a temperature, a distance whose exponential is 0."""


@dataclass(frozen=True)
class Windows:
    """What the relations of every stage share.

    ``least`` (N, N) is 1 / t of the largest temperature t, and for a patch itself so much that exp(-it) is 0; ``share``
    is 1 / (N - 1). ``near`` and ``opposite`` are cells
    (N, K) and their weights (N, K): neighbours of a cell, and of its left-right mirror image with that itself.
    """

    least: str
    share: str
    near: tuple[str, str]
    opposite: tuple[str, str]


def windows(nodes: Nodes, h: str, w: str, patches: str) -> Windows:
    """Of a grid of ``h`` rows and ``w`` columns, ``patches`` in all (vectors of one number)."""
    numbers = nodes.op("Range", 0, nodes.op("Squeeze", patches), 1)
    down, across = nodes.op("Unsqueeze", numbers, [1]), nodes.op("Unsqueeze", numbers, [0])
    itself = nodes.op("Equal", down, across)
    least = nodes.op("Add", nodes.op("Mul", nodes.op("Cast", itself, to=1), _NEVER), 1 / TEMPERATURES[-1])
    more = nodes.op("Max", nodes.op("Sub", patches, 1), 1)
    share = nodes.op("Div", 1.0, nodes.op("Cast", more, to=1))
    row = nodes.op("Div", down, w)
    column = nodes.op("Sub", down, nodes.op("Mul", row, w))
    mirrored = nodes.op("Sub", nodes.op("Sub", w, 1), column)
    near, around = ([*product(range(-r, r + 1), range(-r, r + 1))] for r in (_RADIUS, _MIRRORED_RADIUS))
    near.remove((0, 0))
    return Windows(least, share, _window(nodes, row, column, h, w, near), _window(nodes, row, mirrored, h, w, around))


def _window(nodes: Nodes, row: str, column: str, h: str, w: str, offsets: list[tuple[int, int]]) -> tuple[str, str]:
    rows = nodes.op("Add", row, [down for down, _ in offsets])
    columns = nodes.op("Add", column, [right for _, right in offsets])
    tests = [nodes.op("GreaterOrEqual", rows, 0), nodes.op("Less", rows, h)]
    tests += [nodes.op("GreaterOrEqual", columns, 0), nodes.op("Less", columns, w)]
    inside = nodes.op("And", nodes.op("And", *tests[:2]), nodes.op("And", *tests[2:]))
    cells = nodes.op("Where", inside, nodes.op("Add", nodes.op("Mul", rows, w), columns), 0)
    counted = nodes.op("Cast", inside, to=1)
    count = nodes.op("Max", nodes.op("ReduceSum", counted, [1], keepdims=1), 1.0)
    return cells, nodes.op("Div", counted, count)


def relations(nodes: Nodes, maps: str, channels: int, windows: Windows) -> str:
    """(B, h w, 12) of feature maps (B, C, h, w)."""
    flat = nodes.op("Reshape", maps, [0, channels, -1])
    unit = nodes.op("Div", flat, nodes.op("Max", nodes.op("ReduceL2", flat, [1], keepdims=1), 1e-12))  # (B, C, N)
    # Cosines over t, which the exponentials below want; every operation on all pairs costs, those on windows do not.
    t = TEMPERATURES[-1]
    pairs = nodes.op("MatMul", nodes.op("Transpose", nodes.op("Mul", unit, 1 / t), perm=[0, 2, 1]), unit)

    def distances(cosines: str) -> str:
        return nodes.op("Sub", 1.0, nodes.op("Mul", cosines, t))

    near = nodes.op("Mul", distances(_gathered(nodes, pairs, windows.near[0])), windows.near[1])
    opposite = _likeness(nodes, distances(_gathered(nodes, pairs, windows.opposite[0])), TEMPERATURES[1])
    columns = [
        *_to_others(nodes, pairs, windows),
        distances(nodes.op("ReduceMean", pairs, [2], keepdims=1)),
        nodes.op("ReduceSum", near, [2], keepdims=1),
        _soft(nodes, nodes.op("Mul", opposite, windows.opposite[1]), TEMPERATURES[1]),
    ]
    raw = nodes.op("Concat", *columns, axis=2)
    return nodes.op("Concat", raw, nodes.centred(raw, _FLOOR), axis=2)


def _gathered(nodes: Nodes, distance: str, cells: str) -> str:
    """(B, N, K) of distances (B, N, N)."""
    shape = nodes.op(
        "Concat", nodes.op("Slice", nodes.op("Shape", distance), [0], [1]), nodes.op("Shape", cells), axis=0
    )
    return nodes.op("GatherElements", distance, nodes.op("Expand", cells, shape), axis=2)


def _likeness(nodes: Nodes, distance: str, temperature: float) -> str:
    return nodes.op("Exp", nodes.op("Mul", distance, -1 / temperature))


def _soft(nodes: Nodes, weighted: str, temperature: float) -> str:
    """-t log(sum over the last axis)."""
    total = nodes.op("Add", nodes.op("ReduceSum", weighted, [2], keepdims=1), _LEAST)
    return nodes.op("Mul", nodes.op("Log", total), -temperature)


def _to_others(nodes: Nodes, pairs: str, windows: Windows) -> list[str]:
    """The soft distances to all other patches, a column (B, N, 1) per temperature, of cosines over the largest."""
    assert [round(TEMPERATURES[-1] / t) for t in TEMPERATURES] == list(_POWERS)
    one = nodes.op("Exp", nodes.op("Sub", pairs, windows.least))
    three = nodes.op("Mul", nodes.op("Mul", one, one), one)
    nine = nodes.op("Mul", nodes.op("Mul", three, three), three)
    columns = []
    for likeness, temperature in zip((nodes.op("Mul", nine, one), three, one), TEMPERATURES, strict=True):
        mean = nodes.op("Mul", nodes.op("ReduceSum", likeness, [2], keepdims=1), windows.share)
        columns.append(nodes.op("Mul", nodes.op("Log", nodes.op("Add", mean, _LEAST)), -temperature))
    return columns
