"""One product on the int8 kernel alone, to measure what it reaches at best."""

from __future__ import annotations

import ctypes
from itertools import pairwise

import torch
from torch import Tensor

from anomalyclip.encoders import native_structs as structs
from anomalyclip.encoders.native_weights import pack_linear
from anomalyclip.native import kernels
from anomalyclip.native.library import Layout
from anomalyclip.native.team import Team

_GAP = 64  # codes between rows: where their length is a power of two, all would fall into the same lines of the cache


class NativeProduct:
    """A call that gives x W^T, float32 (N, O), in the same memory every time; operands are packed before it.

    Needs int8 kernels, see :func:`anomalyclip.native.why_not`.

    Args:
        x: float32 (N, I), I a multiple of 64.
        weight: float32 (O, I), O a multiple of 32.
        threads: each takes its share of the rows.
    """

    def __init__(self, x: Tensor, weight: Tensor, threads: int) -> None:
        self.columns, self.inner = weight.shape
        library = structs.declare(kernels("int8"))
        self._function, layout = library.ac_product_u8, library.layout
        self._team = Team(threads)
        self._packed = pack_linear(weight, torch.zeros(self.columns), layout)
        self._weights = structs.weights_of(self._packed)
        self._q, self._scale, self._zero = _quantised(x, layout)
        self._out = torch.empty(len(x), self.columns)
        self._to = (ctypes.c_void_p * len(self._q))(*(row.data_ptr() for row in self._out))  # the others go nowhere
        tiles = len(self._q) // layout.tile
        ends = [tiles * part // threads * layout.tile for part in range(threads + 1)]
        self._shares = [self._rows(first, end - first) for first, end in pairwise(ends)]

    def __call__(self) -> Tensor:
        with self._team.alone():
            self._team.run(lambda thread: self._function(self._shares[thread], self._weights, self.columns, self.inner))
        return self._out

    def _rows(self, first: int, count: int) -> structs.Rows:
        start = ctypes.addressof(self._to) + first * ctypes.sizeof(ctypes.c_void_p)
        scale, zero = self._scale[first:].data_ptr(), self._zero[first:].data_ptr()
        return structs.Rows(self._q[first:].data_ptr(), self._q.shape[1], count, 0, 0, scale, zero, start)


def _quantised(x: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
    """Rows as the kernels quantise them, x = scale (q - zero), filled up to whole tiles: codes, scale and zero."""
    low, high = x.amin(1).clamp(max=0), x.amax(1).clamp(min=0)
    scale = ((high - low) / 255).clamp_min(1e-30)
    zero = (-low / scale).round()
    rows = -(-len(x) // layout.tile) * layout.tile
    kind = torch.int16 if layout.code == 2 else torch.int8 if layout.shift else torch.uint8
    q = torch.zeros(rows, x.shape[1] + _GAP, dtype=kind)
    codes = (x / scale[:, None] + zero[:, None]).round_().clamp_(0, 255) - layout.shift
    q[: len(x), : x.shape[1]] = codes.to(kind)
    fill = torch.zeros(rows - len(x))
    return q, torch.cat([scale, fill]), torch.cat([zero - layout.shift, fill])
