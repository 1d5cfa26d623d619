"""The vision transformer's blocks in 8 bits on our own kernels (`native/csrc/encoder_u8.c`)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.blocks import Block, QuickGELU
from anomalyclip.clip.vision import VisionFeatures, VisionTransformer, check_layers
from anomalyclip.errors import ConfigError
from anomalyclip.native.library import kernels
from anomalyclip.runtime.native_weights import PANEL, PackedLinear, pack_linear

_GROUP = 1024  # hidden units that share a scale: few enough for the second cache, and finer than a scale per row
_ALIGNMENT = 64

_OWN = {"qq": 0, "kk": 1, "vv": 2, "qk": 2}


class _Weights(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("panels", "scale", "sums", "bias")]


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("norm_1_weight", "norm_1_bias", "norm_2_weight", "norm_2_bias")),
        *((name, _Weights) for name in ("qkv", "out", "up", "down")),
    ]


class _Encoder(ctypes.Structure):
    _fields_ = [
        ("layers", ctypes.POINTER(_Layer)),
        *((name, ctypes.c_int32) for name in ("depth", "width", "heads", "hidden", "group", "quick")),
    ]


class _Team(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int32) for name in ("size", "waiting", "round", "next")]


class _Job(ctypes.Structure):
    _fields_ = [
        ("encoder", ctypes.POINTER(_Encoder)),
        ("team", ctypes.POINTER(_Team)),
        *((n, ctypes.c_int32) for n in ("images", "tokens", "first_dual", "last_dual", "class_only", "own")),
        *((name, ctypes.c_void_p) for name in ("original", "local", "qkv", "attended", "attended_own")),
        ("taps", ctypes.POINTER(ctypes.c_void_p)),
        ("benches", ctypes.POINTER(ctypes.c_void_p)),
    ]


class NativeEncoder:
    """The blocks of a vision tower, quantised when it is made; everything before and after them stays with the tower.

    Activations are quantised row by row as they come, so that no calibration is needed.

    Args:
        visual: on the CPU. Its blocks' weights are not needed afterwards.
        threads: of a forward pass; None is one per core.

    Raises:
        ConfigError: the kernels are missing or this processor lacks VNNI, or a width that they do not take.
    """

    def __init__(self, visual: VisionTransformer, threads: int | None = None) -> None:
        self._kernels = kernels()
        self.visual = visual
        self.threads = threads or os.cpu_count() or 1
        blocks: list[Block] = list(visual.transformer.resblocks)  # type: ignore[arg-type]
        self.depth, self.width, self.heads = len(blocks), visual.config.width, visual.config.heads
        self.hidden = blocks[0].mlp.c_fc.out_features
        check_shape(self.width, self.heads)
        self.group = max(size for size in range(PANEL, min(_GROUP, self.hidden) + 1, PANEL) if self.hidden % size == 0)
        self._kept: list[Any] = []
        self._layers = (_Layer * self.depth)(*(self._layer(block) for block in blocks))
        self._encoder = _Encoder(
            self._layers,
            self.depth,
            self.width,
            self.heads,
            self.hidden,
            self.group,
            isinstance(blocks[0].mlp.act, QuickGELU),
        )
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="anomalyclip-int8")

    def encode(
        self,
        pixel_values: Tensor,
        *,
        layers: Sequence[int] = (),
        dpam: DPAMMode = "vv",
        dpam_blocks: int | None = None,
        post_norm_class: bool = False,
    ) -> VisionFeatures:
        """What :meth:`VisionTransformer.forward` gives, but for rounding to 8 bits."""
        visual = self.visual
        wanted = check_layers(layers, self.depth)
        first_dual = visual.first_dual_block(dpam, dpam_blocks)
        original, taps = self._run(visual.embed(pixel_values), wanted, first_dual, _OWN[dpam])
        patches = {layer: visual.ln_post(tap[:, 1:]) @ visual.proj for layer, tap in taps.items()}
        first = original[:, 0]
        return VisionFeatures((visual.ln_post(first) if post_norm_class else first) @ visual.proj, patches)

    def _run(
        self, tokens: Tensor, wanted: frozenset[int], first_dual: int, own: int
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Tokens (B, N, D) through all blocks: the original path's, and the local path's after each wanted block."""
        B, N, D = tokens.shape
        original = tokens.float().contiguous().clone()
        local, attended, attended_own = (torch.empty_like(original) for _ in range(3))
        qkv = torch.empty(B, N, 3 * D, dtype=torch.float16)
        taps = {layer: torch.empty_like(original) for layer in sorted(wanted)}
        last_dual = max(wanted, default=0)
        bench_bytes = self._kernels.ac_bench_bytes(ctypes.byref(self._encoder), ctypes.c_int64(N))
        benches = [torch.empty(bench_bytes, dtype=torch.uint8) for _ in range(self.threads)]
        team = _Team(self.threads)
        class_only = self.depth not in wanted or first_dual <= self.depth
        job = _Job(
            ctypes.pointer(self._encoder),
            ctypes.pointer(team),
            B,
            N,
            first_dual - 1,
            last_dual - 1,
            class_only,
            own,
            *(x.data_ptr() for x in (original, local, qkv, attended, attended_own)),
            (ctypes.c_void_p * self.depth)(*(taps[n].data_ptr() if n in taps else None for n in range(1, self.depth + 1))),
            (ctypes.c_void_p * self.threads)(*(bench.data_ptr() for bench in benches)),
        )
        run = self._kernels.ac_encode_u8
        for done in [self._pool.submit(run, ctypes.byref(job), thread) for thread in range(self.threads)]:
            done.result()
        return original, taps

    def _layer(self, block: Block) -> _Layer:
        attention, mlp = block.attn, block.mlp
        packed = (
            pack_linear(attention.in_proj_weight, attention.in_proj_bias),
            pack_linear(attention.out_proj.weight, attention.out_proj.bias),
            pack_linear(mlp.c_fc.weight, mlp.c_fc.bias),
            pack_linear(mlp.c_proj.weight, mlp.c_proj.bias, self.hidden // self.group),
        )
        norms = [x.detach().float().contiguous() for norm in (block.ln_1, block.ln_2) for x in (norm.weight, norm.bias)]
        self._kept += [packed, norms]
        return _Layer(*(x.data_ptr() for x in norms), *(_pointers(each) for each in packed))


def check_shape(width: int, heads: int) -> None:
    """ConfigError for widths that the kernels do not take."""
    if width % PANEL or (width // heads) % PANEL or width // heads > 256:
        raise ConfigError(
            f"the int8 kernels need a width and a head width that are multiples of {PANEL} (at most 256 per head), got "
            f"{width} and {width // heads}; use --runtime openvino"
        )


def _pointers(packed: PackedLinear) -> _Weights:
    return _Weights(*(x.data_ptr() for x in (packed.panels, packed.scale, packed.sums, packed.bias)))
