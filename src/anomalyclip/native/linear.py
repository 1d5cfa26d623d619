"""Linear layers in single precision on our kernel (csrc/linear_f32.h), with what follows them in the same pass."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from anomalyclip.native.library import kernels, why_not
from anomalyclip.native.targets import multiplies_faster
from anomalyclip.native.threads import run_on_threads

if TYPE_CHECKING:
    from torch import Tensor

LANES, FEWEST = 16, 2**18
"""Input features must be a multiple of the one; of fewer weights than the other nothing is won."""
_TALLEST, _STEP = 1536, 96
"""Rows that a piece may have, since a thread packs them all; what cut sides are multiples of: each target's panel."""


class _Linear(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("x", "weight", "bias", "y", "benches")),
        *((name, ctypes.c_int64) for name in ("rows", "inner", "columns", "tall", "wide")),
        *((name, ctypes.c_int32) for name in ("quick_gelu", "next", "arrived")),
    )


def fits(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`linear` takes them and is known to be the faster way: float32 on a CPU it was measured on.

    However few the rows: a picture's numbers must not hang on how many share its batch.
    """
    import torch

    return (
        x.dtype == weight.dtype == torch.float32
        and weight.is_contiguous()
        and x.shape[-1] % LANES == 0
        and x.numel() > 0
        and weight.numel() >= FEWEST
        and why_not("fp32") is None
        and multiplies_faster((found := kernels("fp32")).suffix, found.features)
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None, *, quick_gelu: bool = False) -> Tensor:
    """x W^T + bias (..., C), then x sigmoid(1.702 x) of it if asked for. Not differentiable, and not to be traced.

    Args:
        x: (..., K) float32 on the CPU, K a multiple of 16.
        weight: (C, K), contiguous. bias: (C,).
    """
    import torch

    x = x.contiguous()
    y = torch.empty(*x.shape[:-1], len(weight))
    library, threads = kernels("fp32"), torch.get_num_threads()
    columns, inner = weight.shape
    rows = x.numel() // inner
    job = _Linear(
        *(x.data_ptr(), weight.data_ptr(), None if bias is None else bias.data_ptr(), y.data_ptr(), None),
        *(rows, inner, columns, *_pieces(rows, columns, threads)),
        quick_gelu,
    )
    library.ac_linear_bytes.restype = ctypes.c_int64
    bench = torch.empty(threads, library.ac_linear_bytes(ctypes.byref(job)), dtype=torch.uint8)
    places = (ctypes.c_void_p * threads)(*(bench[thread].data_ptr() for thread in range(threads)))
    job.benches = ctypes.addressof(places)
    run_on_threads(library.ac_linear_f32, job, threads)
    return y


def _pieces(rows: int, columns: int, threads: int) -> tuple[int, int]:
    """Rows and columns of a piece: two pieces a thread, where there are several, as square as can be.

    A piece packs what it multiplies: the longer its sides, the less that costs.
    """
    tall, wide = min(rows, _TALLEST), columns
    while threads > 1 and -(-rows // tall) * -(-columns // wide) < 2 * threads and max(tall, wide) > _STEP:
        if tall > wide:
            tall = _half(tall)
        else:
            wide = _half(wide)
    return tall, wide


def _half(size: int) -> int:
    return -(-size // 2 // _STEP) * _STEP
