"""The vision transformer's blocks in 8 bits on our own kernels (`native/csrc/encoder_u8.h`)."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from anomalyclip.clip.blocks import Block, QuickGELU
from anomalyclip.clip.config import NORM_EPS, VisionConfig
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.encoders import native_structs as structs
from anomalyclip.encoders.base import Encoder, Features, refuse, together
from anomalyclip.encoders.glance import with_glance
from anomalyclip.encoders.native_weights import PANEL, PackedBlock, group_of, pack_block
from anomalyclip.encoders.native_workspace import Workspace
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import as_tensor, cat, facts_of, shrunk_tensor, stages_for, with_summaries
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.native import kernels, why_not
from anomalyclip.native.attention import Counters
from anomalyclip.native.library import Layout
from anomalyclip.native.team import Team

if TYPE_CHECKING:
    from anomalyclip.encoders.base import Array

ELSEWHERE = "Every model runs with --runtime torch, or openvino"
BOUND = 0.25
"""Largest relative distance of a feature from float32's (tests/encoders); 0.02 to 0.06 on trained weights."""
_WIDEST_HEAD = 256
_KINDS = ("image", "patches", "tokens", "stages", "summaries")
_ACTIVATIONS = ("quick_gelu", "gelu")
OWN: dict[str, int] = {"qq": 0, "kk": 1, "vv": 2, "qk": 2}  # with qk no block runs the local path


class NativeEncoder(Encoder):
    """The blocks of a vision tower, quantised when it is made; everything before and after them stays with the tower.

    Activations are quantised row by row as they come, so that no calibration is needed. Calls from several threads are
    safe and take turns. The memory of a call is kept for the next one of the same shape:
    22 bytes per token and unit of width, 4 more per layer asked for.

    Args:
        visual: on the CPU.
        name, weights_sha256: see :class:`EncoderFacts`.
        threads: of a forward pass; None is as many as torch takes. Their number changes no bit of the result.
        owned: nobody else needs the tower: every block's own weights are dropped once they are packed (1.2 GB for
            ViT-L/14).
        blocks: the tower's, as they are filled (:func:`anomalyclip.clip.weights.vision_blocks`); all else of the tower
            is filled with the first. None: all are.

    Raises:
        ConfigError: the kernels are missing or this processor can run none, the tower has a width that they do not take
            or is not on the CPU, or a number of threads below 1.
    """

    runtime = "native"
    device = "cpu"

    def __init__(
        self,
        visual: VisionTransformer,
        threads: int | None = None,
        *,
        name: str = "",
        weights_sha256: str = "",
        image_size: int | None = None,
        owned: bool = False,
        blocks: Iterable[Block] | None = None,
    ) -> None:
        if reason := why_not_native(visual.config):
            raise ConfigError(f"{reason}. {ELSEWHERE}")
        tower: list[Block] = list(visual.transformer.resblocks)  # type: ignore[arg-type]
        if blocks is None:
            _check_device(tower)
        self.visual = visual
        self.facts = facts_of(visual, name, weights_sha256, image_size, "int8 native", BOUND)
        self.threads = torch.get_num_threads() if threads is None else threads
        if self.threads < 1:
            raise ConfigError(f"threads must be 1 or more, got {threads}")
        self._library = structs.declare(kernels("int8"))
        self._blocks = [_packed(block, self._library.layout, owned) for block in (tower if blocks is None else blocks)]
        self._encoder = _described(visual.config, self._blocks, quick=isinstance(tower[0].mlp.act, QuickGELU))
        self._team = Team(self.threads)
        self._workspace: Workspace | None = None
        self._positions: tuple[tuple[int, int], Tensor] | None = None

    def __reduce__(self) -> NoReturn:
        """Raises ConfigError: packed weights stay where they are."""
        raise ConfigError("a detector on native cannot be copied or sent to another process: load it there")

    def offers(self, request: FeatureRequest) -> str | None:
        """Everything but windows: the kernels take all tokens of a picture or none."""
        remedy = "use --runtime torch" if request.windows else "open the export itself"
        return refuse(self.facts, request, kinds=_KINDS, remedy=remedy)

    @torch.inference_mode()
    def run(self, pixels: Array, request: FeatureRequest) -> Features:
        """Tensors on the CPU: what torch gives, but for rounding to 8 bits.

        The original path's tokens beside another local path cost a second pass, as does a glance. One image comes after
        the other, so that a picture's features do not depend on its neighbours.

        Raises:
            ConfigError: a layer or ``dpam_blocks`` outside the encoder's depth.
            InputError: pixels that are not finite, of which 8 bits would make ordinary numbers.
        """
        self.check(request)
        patch, each = self.facts.patch_size, torch.split(as_tensor(pixels), 1)
        return together([with_glance(self._pass, one, request, patch, shrunk_tensor) for one in each], cat)

    def _pass(self, pixels: Tensor, request: FeatureRequest) -> Features:
        visual, dpam = self.visual, request.dpam or "qk"
        first_dual = visual.first_dual_block(dpam, request.dpam_blocks)  # type: ignore[arg-type]  # one of the modes
        tokens, grid, stages = self._embed(pixels, stages_for(request))
        if not tokens.isfinite().all():
            raise InputError("the image's values must be finite, and their features: got NaN or infinity")
        single = first_dual > visual.config.layers or not request.patches
        if single:
            first_dual = visual.config.layers + 1
        with self._team.alone():
            wanted = frozenset(request.patches) | (frozenset(request.tokens) if single else frozenset())
            original, taps = self._run(tokens, wanted, first_dual, OWN[dpam])
            patches = {layer: visual.ln_post(taps[layer][:, 1:]) @ visual.proj for layer in request.patches}
            first = visual.ln_post(original[:, 0]) if request.post_norm_class else original[:, 0]
            image = first @ visual.proj if request.image else None
            if not single and request.tokens:
                _, taps = self._run(tokens, frozenset(request.tokens), visual.config.layers + 1, OWN["qk"])
            plain = {layer: taps[layer][:, 1:].clone() for layer in request.tokens}  # the memory is used again
        return with_summaries(Features(grid, image, patches, plain, stages), request)

    def adopt(self, features: Features) -> Features:
        """As tensors."""
        return features.map(as_tensor)

    def provenance(self) -> dict[str, Any]:
        """How it is rounded tells it from the int8 of other runtimes, whose profiles do not fit it."""
        return {"runtime": "native", "precision": "int8", "quantised": "row by row"}

    def _embed(self, pixels: Tensor, wanted: Sequence[int]) -> tuple[Tensor, tuple[int, int], dict[int, Tensor]]:
        """The tower's own, with the positions of the latest grid kept: interpolating them takes longer than adding."""
        patches, grid, stages = self.visual.with_stages(pixels, wanted)
        kept = self._positions
        if kept is None or kept[0] != grid:
            kept = self._positions = grid, self.visual.positions(grid)
        return self.visual.add_positions(patches, grid, kept[1]), grid, stages

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
    if config.norm_eps != NORM_EPS or config.activation not in _ACTIVATIONS or (config.mlp_width or PANEL) % PANEL:
        return (
            f"the int8 kernels take QuickGELU and GELU, an epsilon of {NORM_EPS:g} and MLPs of multiples of {PANEL}; "
            f"this vision tower has {config.activation}, {config.norm_eps:g} and {config.mlp_width or 4 * config.width}"
        )
    return why_not("int8")


def _check_device(blocks: Sequence[Block]) -> None:
    devices = {parameter.device.type for block in blocks for parameter in block.parameters()}
    if devices - {"cpu"}:
        raise ConfigError(
            f"the int8 kernels need the model's weights on the CPU, got {', '.join(sorted(devices))}: load it with "
            "device 'cpu'"
        )


def _packed(block: Block, layout: Layout, owned: bool) -> PackedBlock:
    packed = pack_block(block, layout)
    if owned:
        block.to("meta")  # without memory; whoever calls the block nevertheless gets an error, not nonsense
        _give_back()
    return packed


def _give_back() -> None:
    """Freed float weights go back to the system: glibc may keep them between packed ones, 2 GB of ViT-L/14."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None
    if trim is not None:
        trim(0)


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
