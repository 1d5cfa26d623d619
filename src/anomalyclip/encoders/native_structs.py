"""The structures of `native/csrc` for int8 as ctypes, field by field, and the functions with their arguments."""

from __future__ import annotations

import ctypes

from anomalyclip.encoders.native_weights import PackedLinear
from anomalyclip.native.attention import Counters
from anomalyclip.native.library import Kernels, fields

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64


class Weights(ctypes.Structure):
    """A matrix of weights, see :class:`anomalyclip.encoders.native_weights.PackedLinear`."""

    _fields_ = fields(_POINTER, "panels scale sums bias")


class Rows(ctypes.Structure):
    """Quantised rows, and where each one's results go."""

    _fields_ = [
        ("q", _POINTER),
        *fields(_LONG, "stride count part jump"),
        *fields(_POINTER, "scale zero to"),
    ]


class Layer(ctypes.Structure):
    """One block."""

    _fields_ = [
        *fields(_POINTER, "norm_1_weight norm_1_bias norm_2_weight norm_2_bias"),
        *fields(Weights, "qkv out up down"),
    ]


class Encoder(ctypes.Structure):
    """All blocks."""

    _fields_ = [
        ("layers", ctypes.POINTER(Layer)),
        *fields(_INT, "depth width heads hidden group quick"),
    ]


class Job(ctypes.Structure):
    """One call: which images go through the blocks, how, and the memory for it. Blocks are counted from 0 here."""

    _fields_ = [
        ("encoder", ctypes.POINTER(Encoder)),
        ("team", ctypes.POINTER(Counters)),
        *fields(_INT, "images tokens first_dual last_dual class_only own"),
        *fields(_POINTER, "original local qkv attended attended_own"),
        *fields(ctypes.POINTER(_POINTER), "taps benches"),
    ]


def weights_of(packed: PackedLinear) -> Weights:
    """Addresses; the tensors must be kept as long as they are used."""
    return Weights(*(x.data_ptr() for x in (packed.panels, packed.scale, packed.sums, packed.bias)))


def declare(library: Kernels) -> Kernels:
    """Tell ctypes the arguments and results of the functions."""
    library.ac_bench_bytes.argtypes = [ctypes.POINTER(Encoder), _LONG]
    library.ac_bench_bytes.restype = _LONG
    library.ac_product_u8.argtypes = [ctypes.POINTER(Rows), ctypes.POINTER(Weights), _LONG, _LONG]
    library.ac_product_u8.restype = None
    library.ac_encode_u8.argtypes = [ctypes.POINTER(Job), ctypes.c_int32]
    library.ac_encode_u8.restype = None
    return library
