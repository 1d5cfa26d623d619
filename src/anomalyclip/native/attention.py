"""Attention in single precision on our kernel (csrc/attention_f32.c): no copies of Q, K and V, no N x N matrix."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from anomalyclip.native.library import kernels, why_not
from anomalyclip.native.threads import run_on_threads

if TYPE_CHECKING:
    from torch import Tensor

LANES, WIDEST = 32, 256
"""A head's width must be a multiple of the one and at most the other."""


class Counters(ctypes.Structure):
    """Counters that the threads of one call share."""

    _fields_ = tuple((name, ctypes.c_int32) for name in ("size", "waiting", "round", "next"))


class _Attention(ctypes.Structure):
    _fields_ = (
        ("team", ctypes.POINTER(Counters)),
        *((name, ctypes.c_void_p) for name in ("qkv", "bias", "out", "benches")),
        *((name, ctypes.c_int32) for name in ("images", "tokens", "heads", "width", "queries", "a", "b", "arrived")),
    )


def fits(x: Tensor, heads: int) -> bool:
    """Whether :func:`attention` takes the projections of tokens (B, N, D): float32, a head it is made for."""
    import torch

    width = x.shape[-1] // heads
    return x.dtype == torch.float32 and width % LANES == 0 and width <= WIDEST and why_not("fp32") is None


def attention(packed: Tensor, bias: Tensor, heads: int, a: int, b: int, queries: int) -> Tensor:
    """softmax(A B^T / sqrt(d)) V for the first ``queries`` tokens, heads joined: (B, queries, D).

    Not differentiable, and not to be traced.

    Args:
        packed: (B, N, 3 D) float32 on the CPU, contiguous: Q, K, V, each of them head by head (see :func:`fits`).
        bias: (3 D,), is added to every row of ``packed`` on the way.
        a, b: which of Q, K and V (0, 1, 2) are compared.
    """
    import torch

    library = kernels("fp32")
    B, N, D3 = packed.shape
    threads = max(1, min(torch.get_num_threads(), B * heads))
    out = torch.empty(B, queries, D3 // 3)
    size = library.ac_attention_bytes(ctypes.c_int64(N), ctypes.c_int64(D3 // 3 // heads))
    bench = torch.empty(threads, size, dtype=torch.uint8)
    places = (ctypes.c_void_p * threads)(*(bench[thread].data_ptr() for thread in range(threads)))
    team = Counters(threads)
    job = _Attention(
        ctypes.pointer(team),
        packed.data_ptr(),
        bias.data_ptr(),
        out.data_ptr(),
        ctypes.addressof(places),
        *(B, N, heads, D3 // 3 // heads, queries, a, b),
    )
    run_on_threads(library.ac_attention_f32, job, threads)
    return out
