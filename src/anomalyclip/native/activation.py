"""QuickGELU and the bias before it in one pass (csrc/activation_f32.c), where torch takes four."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from anomalyclip.native.library import kernels, why_not
from anomalyclip.native.threads import run_on_threads

if TYPE_CHECKING:
    from torch import Tensor

_LANES = 16


class _Activation(ctypes.Structure):
    _fields_ = (
        ("x", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("width", ctypes.c_int64),
        ("next", ctypes.c_int32),
    )


def fits(x: Tensor, width: int) -> bool:
    """Whether :func:`quick_gelu_` takes what becomes of ``x``: float32, ``width`` a multiple of 16."""
    import torch

    return x.dtype == torch.float32 and width % _LANES == 0 and why_not("fp32") is None


def quick_gelu_(x: Tensor, bias: Tensor) -> Tensor:
    """y = x + bias, then y * sigmoid(1.702 y), in the memory of ``x`` (R, C) float32, contiguous; ``bias`` is (C,)."""
    import torch

    job = _Activation(x.data_ptr(), bias.data_ptr(), *x.shape, 0)
    run_on_threads(kernels("fp32").ac_quick_gelu_f32, job, torch.get_num_threads())
    return x
