"""The vision transformer's blocks in 8 bits on our own kernels (`native/csrc/encoder_u8.c`)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.blocks import Block, QuickGELU
from anomalyclip.clip.config import VisionConfig
from anomalyclip.clip.vision import VisionFeatures, VisionTransformer, check_layers
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.native import kernels, why_not
from anomalyclip.native.attention import Counters
from anomalyclip.native.team import Team
from anomalyclip.runtime import native_structs as structs
from anomalyclip.runtime.native_weights import PANEL, PackedBlock, group_of, pack_block
from anomalyclip.runtime.native_workspace import Workspace

ELSEWHERE = "Every model runs with --runtime torch, or openvino"
_WIDEST_HEAD = 256
_OWN: dict[DPAMMode, int] = {"qq": 0, "kk": 1, "vv": 2, "qk": 2}  # with qk no block runs the local path


class NativeEncoder:
    """The blocks of a vision tower, quantised when it is made; everything before and after them stays with the tower.

    Activations are quantised row by row as they come, so that no calibration is needed. Calls from several threads are
    safe and take turns. The memory of a call is kept for the next one of the same shape:
    22 bytes per token and unit of width, 4 more per layer asked for.

    Args:
        visual: on the CPU.
        threads: of a forward pass; None is as many as torch takes. Their number changes no bit of the result.
        owned: nobody else needs the tower: every block's own weights are dropped once they are packed.

    Raises:
        ConfigError: the kernels are missing or this processor lacks VNNI, the tower has a width that they do not take
            or is not on the CPU, or a number of threads below 1.
    """

    def __init__(self, visual: VisionTransformer, threads: int | None = None, *, owned: bool = False) -> None:
        if reason := why_not_native(visual.config):
            raise ConfigError(f"{reason}. {ELSEWHERE}")
        blocks: list[Block] = list(visual.transformer.resblocks)  # type: ignore[arg-type]
        _check_device(blocks)
        self.visual = visual
        self.threads = torch.get_num_threads() if threads is None else threads
        if self.threads < 1:
            raise ConfigError(f"threads must be 1 or more, got {threads}")
        self._library = structs.declare(kernels())
        self._blocks = [_packed(block, owned) for block in blocks]
        self._encoder = _described(visual.config, self._blocks, quick=isinstance(blocks[0].mlp.act, QuickGELU))
        self._team = Team(self.threads)
        self._workspace: Workspace | None = None
        self._positions: tuple[tuple[int, int], Tensor] | None = None

    @torch.inference_mode()
    def encode(
        self,
        pixel_values: Tensor,
        *,
        layers: Sequence[int] = (),
        dpam: DPAMMode = "vv",
        dpam_blocks: int | None = None,
        post_norm_class: bool = False,
    ) -> VisionFeatures:
        """What :meth:`VisionTransformer.forward` gives, but for rounding to 8 bits.

        Raises:
            ConfigError: a layer or ``dpam_blocks`` outside the encoder's depth.
            InputError: pixels that are not finite, of which 8 bits would make ordinary numbers.
        """
        visual = self.visual
        wanted = check_layers(layers, visual.config.layers)
        first_dual = visual.first_dual_block(dpam, dpam_blocks)
        tokens = self._embed(pixel_values)
        if not tokens.isfinite().all():
            raise InputError("the image's values must be finite, and their features: got NaN or infinity")
        with self._team.alone():
            original, taps = self._run(tokens, wanted, first_dual, _OWN[dpam])
            patches = {layer: visual.ln_post(tap[:, 1:]) @ visual.proj for layer, tap in taps.items()}
            first = original[:, 0]
            return VisionFeatures((visual.ln_post(first) if post_norm_class else first) @ visual.proj, patches)

    def _embed(self, pixel_values: Tensor) -> Tensor:
        """The tower's own, with the positions of the latest grid kept: interpolating them takes longer than adding."""
        patches, grid = self.visual.patch_tokens(pixel_values)
        kept = self._positions
        if kept is None or kept[0] != grid:
            kept = self._positions = grid, self.visual.positions(grid)
        return self.visual.add_positions(patches, grid, kept[1])

    def _run(
        self, tokens: Tensor, wanted: frozenset[int], first_dual: int, own: int
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Tokens (B, N, D) through all blocks: the original path's, and the local path's after each wanted block."""
        B, N, _ = tokens.shape
        depth = len(self._blocks)
        space = self._space((B, N, tokens.shape[2]), len(wanted))
        space.original.copy_(tokens)
        taps = dict(zip(sorted(wanted), space.taps, strict=True))
        job = structs.Job(
            ctypes.pointer(self._encoder),
            ctypes.pointer(Counters(self.threads)),
            B,
            N,
            first_dual - 1,
            max(wanted, default=0) - 1,
            depth not in wanted or first_dual <= depth,
            own,
            *(x.data_ptr() for x in (space.original, space.local, space.qkv, space.attended, space.attended_own)),
            _pointers([taps.get(number) for number in range(1, depth + 1)]),
            _pointers(space.benches),
        )
        self._team.run(lambda thread: self._library.ac_encode_u8(ctypes.byref(job), thread))
        return space.original, taps

    def _space(self, shape: tuple[int, int, int], taps: int) -> Workspace:
        if self._workspace is None or not self._workspace.fits(shape, taps):
            self._workspace = None  # the old one goes before the new one comes
            bench_bytes = self._library.ac_bench_bytes(ctypes.byref(self._encoder), shape[1])
            self._workspace = Workspace.of(shape, taps, self.threads, bench_bytes)
        return self._workspace


def why_not_native(config: VisionConfig) -> str | None:
    """None if the kernels can run a tower of this shape on this machine, else the reason in one sentence."""
    head = config.width // config.heads
    if config.width % PANEL or head % PANEL or head > _WIDEST_HEAD:
        return (
            f"the int8 kernels take widths and head widths that are multiples of {PANEL}, of a head at most "
            f"{_WIDEST_HEAD}; this vision tower has {config.width} and {head}"
        )
    return why_not("vnni")


def _check_device(blocks: Sequence[Block]) -> None:
    devices = {parameter.device.type for block in blocks for parameter in block.parameters()}
    if devices - {"cpu"}:
        raise ConfigError(
            f"the int8 kernels need the model's weights on the CPU, got {', '.join(sorted(devices))}: load it with "
            "device 'cpu'"
        )


def _packed(block: Block, owned: bool) -> PackedBlock:
    packed = pack_block(block)
    if owned:
        block.to("meta")  # without memory; whoever calls the block nevertheless gets an error, not nonsense
    return packed


def _described(config: VisionConfig, blocks: Sequence[PackedBlock], *, quick: bool) -> structs.Encoder:
    layers = (structs.Layer * len(blocks))(
        *(
            structs.Layer(*(x.data_ptr() for x in block.norms), *map(structs.weights_of, block.linears))
            for block in blocks
        )
    )
    hidden = len(blocks[0].up.bias)
    return structs.Encoder(layers, len(blocks), config.width, config.heads, hidden, group_of(hidden), quick)


def _pointers(tensors: Sequence[Tensor | None]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*(None if x is None else x.data_ptr() for x in tensors))
