"""The structures of `native/csrc/tower_f32.h` as ctypes, field by field, and the functions with their arguments."""

from __future__ import annotations

import ctypes

from anomalyclip.native.library import Kernels, fields

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int32


class Dense(ctypes.Structure):
    """Weights of a linear layer, packed."""

    _fields_ = [*fields(_POINTER, "panels bias"), *fields(_INT, "inner columns")]


class Inverted(ctypes.Structure):
    """An inverted residual; the first one of a stem takes the picture."""

    _fields_ = [
        *fields(Dense, "widen narrow"),
        *fields(_POINTER, "filter filter_bias"),
        *fields(_INT, "inputs inner outputs kernel stride residual pixels"),
    ]


class Tap(ctypes.Structure):
    """A stage that becomes tokens."""

    _fields_ = [*fields(_INT, "block channels pooled cells"), *fields(_POINTER, "mean factor")]


class Layer(ctypes.Structure):
    """A transformer block."""

    _fields_ = [
        *fields(_POINTER, "norm_1_weight norm_1_bias norm_2_weight norm_2_bias qkv_bias"),
        *fields(Dense, "qkv out up down"),
    ]


class Tower(ctypes.Structure):
    """All of it."""

    _fields_ = [
        ("stem", ctypes.POINTER(Inverted)),
        ("taps", ctypes.POINTER(Tap)),
        ("layers", ctypes.POINTER(Layer)),
        *fields(Dense, "tokens contrast projection"),
        *fields(_POINTER, "class_token norm_pre_weight norm_pre_bias norm_post_weight norm_post_bias"),
        *fields(_INT, "stem_blocks tap_count depth width heads hidden quick"),
    ]


class Job(ctypes.Structure):
    """One picture: what is wanted, and the memory for it."""

    _fields_ = [
        ("tower", ctypes.POINTER(Tower)),
        *fields(_POINTER, "phases picture positions"),
        *fields(_INT, "height width grid_h grid_w threads blocks own post_norm"),
        *fields(ctypes.POINTER(_INT), "needed dual"),
        *fields(ctypes.POINTER(_POINTER), "stages patches plain"),
        *fields(_POINTER, "image common"),
        ("benches", ctypes.POINTER(_POINTER)),
    ]


NONE, CLASS, ALL = range(3)
"""Which rows of a block's original path are needed."""


def declare(library: Kernels) -> Kernels:
    """Tell ctypes the arguments and results of the functions."""
    library.ac_tower_layout.argtypes = [ctypes.POINTER(_INT)]
    library.ac_tower_layout.restype = None
    library.ac_tower_bytes.argtypes = [ctypes.POINTER(Job), ctypes.POINTER(ctypes.c_int64)]
    library.ac_tower_bytes.restype = None
    library.ac_tower_f32.argtypes = [ctypes.POINTER(Job), ctypes.c_int32]
    library.ac_tower_f32.restype = None
    return library
