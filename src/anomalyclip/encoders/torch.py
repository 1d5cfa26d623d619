"""The vision tower on torch: any device, float32, half precision or compiled; every kind of feature in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from anomalyclip.clip.attention import SelfAttention
from anomalyclip.clip.plain import window_features
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.encoders.base import Encoder, EncoderFacts, Features, Stage, refuse, together
from anomalyclip.encoders.formats import Precision
from anomalyclip.encoders.glance import sides, with_glance
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from anomalyclip.encoders.base import Array

_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
#: precision -> largest relative distance of a feature vector from float32's (tests/encoders)
BOUNDS = {"fp32": 1e-4, "fp16": 0.02, "bf16": 0.1}
KINDS = ("image", "patches", "tokens", "stages", "windows", "summaries")


class TorchEncoder(Encoder):
    """A tower as it is; whatever it computes in, features leave it in float32.

    Args:
        visual: on its device, frozen; in half precision its weights are turned to it for good.
        name, weights_sha256: see :class:`EncoderFacts`.
        image_size: side of its own input; None is what the positions were trained at.
        precision: "fp32", "fp16" (CUDA and MPS) or "bf16", by autocast.
        compiled: `torch.compile` the blocks: the first input of every shape takes a minute or more.

    Raises:
        ConfigError: the precision is not one that torch runs on this device.
    """

    runtime = "torch"

    def __init__(
        self,
        visual: VisionTransformer,
        *,
        name: str,
        weights_sha256: str,
        image_size: int | None = None,
        precision: Precision = "fp32",
        compiled: bool = False,
    ) -> None:
        self.visual = visual
        self.precision, self.compiled = precision, compiled
        self.facts = facts_of(
            visual, name, weights_sha256, image_size, "" if precision == "fp32" else precision, BOUNDS.get(precision, 0)
        )
        _check(precision, self.where)
        if precision != "fp32":
            _hold_in(visual, _DTYPES[precision])
        self._see = torch.compile(self._seen) if compiled else self._seen

    @property
    def where(self) -> torch.device:
        """The device of the weights."""
        return self.visual.proj.device

    @property
    def device(self) -> str:  # type: ignore[override]  # follows the weights
        """Its type."""
        return self.where.type

    @property
    def weight_bytes(self) -> int:
        """Of all parameters."""
        return sum(p.numel() * p.element_size() for p in self.visual.parameters())

    def to(self, device: str | torch.device) -> Self:
        """Move the tower; returns the encoder itself."""
        self.visual.to(device)
        return self

    def offers(self, request: FeatureRequest) -> str | None:
        """All kinds but a built-in judge's verdict."""
        return refuse(self.facts, request, kinds=KINDS, remedy="a verdict is a graph's own; open the export itself")

    @torch.inference_mode()
    def run(self, pixels: Array, request: FeatureRequest) -> Features:
        """Tensors on :attr:`where`. On a CPU one image comes after the other: nothing is gained by more, and the
        features of a picture then do not depend on its neighbours."""
        self.check(request)
        given = as_tensor(pixels).to(self.where, non_blocking=True)
        at_once = 1 if self.where.type == "cpu" else max(1, len(given))
        return together([self._see(part, request) for part in torch.split(given, at_once)], cat)

    def adopt(self, features: Features) -> Features:
        """As tensors on :attr:`where`."""
        return features.map(lambda values: as_tensor(values).to(self.where))

    def _seen(self, pixels: Tensor, request: FeatureRequest) -> Features:
        with torch.autocast(self.where.type, _DTYPES[self.precision], enabled=self.precision != "fp32"):
            features = see(self.visual, pixels, request)
        # Cosines divided by 0.07 amplify rounding: whoever judges does so in float32.
        return features if self.precision == "fp32" else features.map(Tensor.float)

    def provenance(self) -> dict[str, Any]:
        """`runtime` and `precision` only where numbers differ by more than rounding, or code was compiled."""
        if self.precision == "fp32":
            return {"runtime": "torch"} if self.compiled else {}
        return {"runtime": "torch", "precision": self.precision}


def _hold_in(visual: VisionTransformer, dtype: torch.dtype) -> None:
    """Turn the weights of products and convolutions once, as autocast otherwise would in every pass: the same numbers
    from half the memory."""
    for module in visual.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.to(dtype)
        elif isinstance(module, SelfAttention):
            module.in_proj_weight.data = module.in_proj_weight.data.to(dtype)
            module.in_proj_bias.data = module.in_proj_bias.data.to(dtype)


def see(visual: VisionTransformer, pixels: Tensor, request: FeatureRequest) -> Features:
    """One pass of a tower over normalised images (B, 3, H, W), two with a glance; differentiable in them."""
    return with_glance(partial(_pass, visual), pixels, request, visual.config.patch_size, shrunk_tensor)


def shrunk_tensor(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """:func:`anomalyclip.encoders.glance.shrunk` of a tensor."""
    rows, columns = (torch.tensor(area_means(*one)).to(pixels) for one in zip(sides(pixels), size, strict=True))
    return rows @ (pixels @ columns.T)


@lru_cache(maxsize=32)
def area_means(length: int, shorter: int) -> NDArray[np.float32]:
    """(shorter, length): which share of each old cell a new one is the mean of; rows sum to 1."""
    edges = np.arange(shorter + 1) * (length / shorter)
    cells = np.arange(length)
    covered = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    weights: NDArray[np.float32] = (np.clip(covered, 0, None) * (shorter / length)).astype(np.float32)
    weights.setflags(write=False)
    return weights


def _pass(visual: VisionTransformer, pixels: Tensor, request: FeatureRequest) -> Features:
    size = visual.config.patch_size
    grid = (pixels.shape[2] // size, pixels.shape[3] // size)
    if {*request.kinds} <= {"stages", "summaries"}:
        return with_summaries(Features(grid, stages=visual.with_stages(pixels, stages_for(request))[2]), request)
    if request.windows:
        return _windows(visual, pixels, request)
    found = visual(
        pixels,
        layers=request.patches,
        dpam=request.dpam or "qk",
        dpam_blocks=request.dpam_blocks,
        post_norm_class=bool(request.post_norm_class),
        original_layers=request.tokens,
        stages=stages_for(request),
    )
    image = found.image if request.image else None
    return with_summaries(Features(grid, image, found.patches, found.tokens, found.stages), request)


def stages_for(request: FeatureRequest) -> tuple[int, ...]:
    """Those that are wanted whole or summed up."""
    return tuple(sorted({*request.stages, *request.summaries}))


def with_summaries(features: Features, request: FeatureRequest) -> Features:
    """Of the stages of :func:`stages_for` those that are wanted whole, and the summaries."""
    if not request.summaries:
        return features
    stages = {number: features.stages[number] for number in request.stages}
    summaries = {number: summary(features.stages[number]) for number in request.summaries}
    return replace(features, stages=stages, summaries=summaries)


def summary(stage: Tensor) -> Tensor:
    """(B, 3 C) mean, deviation and maximum over the places of every channel of a stage (B, C, h, w), in float32."""
    places = stage.float().flatten(2)
    mean = places.mean(dim=2, keepdim=True)
    deviation = (places - mean).square().mean(dim=2).sqrt()
    return torch.cat([mean[..., 0], deviation, places.amax(dim=2)], dim=1)


def _windows(visual: VisionTransformer, pixels: Tensor, request: FeatureRequest) -> Features:
    """The tokens that enter block 1 serve the whole image and every window."""
    patches, grid, stages = visual.with_stages(pixels, stages_for(request))
    tokens, post_norm = visual.add_positions(patches, grid), bool(request.post_norm_class)
    found = visual.encode_tokens(
        tokens,
        layers=request.patches,
        dpam=request.dpam or "qk",  # type: ignore[arg-type]  # one of the modes
        dpam_blocks=request.dpam_blocks,
        post_norm_class=post_norm,
        original_layers=request.tokens,
    )
    windows = {
        side: window_features(visual, tokens, (side,), post_norm=post_norm, grid=grid) for side in request.windows
    }
    image = found.image if request.image else None
    return with_summaries(Features(grid, image, found.patches, found.tokens, stages, windows), request)


def facts_of(
    visual: VisionTransformer, name: str, weights_sha256: str, image_size: int | None, rounding: str, bound: float
) -> EncoderFacts:
    """Facts of a tower."""
    config, stem = visual.config, visual.config.stem
    return EncoderFacts(
        name=name,
        weights_sha256=weights_sha256,
        patch_size=config.patch_size,
        image_size=image_size or config.image_size,
        layers=config.layers,
        width=config.width,
        embed_dim=visual.proj.shape[1],
        stages=stages_of(stem),
        rounding=rounding,
        bound=bound,
        preprocessing=config.preprocessing,
        reading=config.reading() if config.told_by else {},
    )


def stages_of(stem: Any) -> dict[int, Stage]:
    """Stages of a :class:`~anomalyclip.clip.config.StemConfig`; {} for None."""
    if stem is None:
        return {}
    return {n: Stage(stage.channels, stem.stride_of(n)) for n, stage in enumerate(stem.stages, start=1)}


def as_tensor(pixels: Array) -> Tensor:
    """Arrays without a copy where torch takes them so."""
    if isinstance(pixels, Tensor):
        return pixels
    return torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())


def cat(parts: Sequence[Tensor]) -> Tensor:
    """Behind one another."""
    return torch.cat(list(parts))


def _check(precision: str, device: torch.device) -> None:
    if precision not in _DTYPES:
        raise ConfigError(f"the torch runtime computes in {', '.join(_DTYPES)}, not in {precision!r}")
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("fp16 needs a GPU in torch (on a CPU it is slower than fp32); use fp32, or int8 of OpenVINO")
