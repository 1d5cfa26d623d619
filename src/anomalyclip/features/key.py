"""Which features of which encoder: the identity of a cache, and the shape of what it holds."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomalyclip.clip.attention import DPAMMode
    from anomalyclip.clip.vision import VisionTransformer

FeatureKind = Literal["patches", "tokens", "windows"]
CacheDtype = Literal["fp16", "fp32"]


@dataclass(frozen=True)
class CacheKey:
    """Everything besides the image that decides its features; another value is another cache.

    Attributes:
        weights_sha256: of the encoder.
        dpam, dpam_blocks, layers, image_size: the encoder's settings; no layers caches the global feature alone.
        embed_dim: E. patches: N, patches of one image.
        dtype: "fp16" or "fp32".
        kind: what there is besides the global feature: "patches" in the shared embedding (E numbers each), "tokens" as
            plain CLIP's blocks leave them (``width`` numbers each), or the class token of every window ("windows", E).
        width: numbers per local feature; 0 stands for E.
        scales: sides of the windows, in patches.
        post_norm_class: LN_post on the class token, as plain CLIP does.
        recipe: counts up when preprocessing or the format changes.
    """

    weights_sha256: str
    dpam: str
    dpam_blocks: int
    layers: tuple[int, ...]
    image_size: int
    embed_dim: int
    patches: int
    dtype: str = "fp16"
    kind: FeatureKind = "patches"
    width: int = 0
    scales: tuple[int, ...] = ()
    post_norm_class: bool = False
    recipe: int = 2

    @property
    def digest(self) -> str:
        """Name of the cache's folder."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]

    @property
    def local_shape(self) -> tuple[int, int, int]:
        """Of one image's local features: (L, N, width), or (1, windows, E)."""
        if self.kind == "windows":
            from anomalyclip.clip.plain import window_count

            return 1, sum(window_count(math.isqrt(self.patches), scale) for scale in self.scales), self.embed_dim
        return len(self.layers), self.patches, self.width or self.embed_dim

    @property
    def shape(self) -> tuple[int]:
        """Of one record: the global feature, then the local ones, flat."""
        return (self.embed_dim + math.prod(self.local_shape),)


def patch_key(
    visual: VisionTransformer,
    weights_sha256: str,
    *,
    image_size: int,
    layers: Sequence[int],
    dpam: DPAMMode,
    dpam_blocks: int,
    post_norm_class: bool,
    dtype: str,
) -> CacheKey:
    """Patch features in the shared embedding, as AnomalyCLIP and plain CLIP score them."""
    return CacheKey(
        weights_sha256=weights_sha256,
        dpam=dpam,
        dpam_blocks=0 if dpam == "qk" else dpam_blocks,  # plain CLIP is the same whatever the number
        layers=tuple(layers),
        image_size=image_size,
        embed_dim=visual.proj.shape[1],
        patches=(image_size // visual.config.patch_size) ** 2,
        dtype=dtype,
        post_norm_class=post_norm_class,
    )


def token_key(
    visual: VisionTransformer,
    weights_sha256: str,
    *,
    image_size: int,
    layers: Sequence[int],
    post_norm_class: bool,
    dtype: str,
) -> CacheKey:
    """Plain CLIP's patch tokens, as VAND's linear layers take them."""
    return CacheKey(
        weights_sha256=weights_sha256,
        dpam="qk",
        dpam_blocks=0,
        layers=tuple(layers),
        image_size=image_size,
        embed_dim=visual.proj.shape[1],
        patches=(image_size // visual.config.patch_size) ** 2,
        dtype=dtype,
        kind="tokens",
        width=visual.config.width,
        post_norm_class=post_norm_class,
    )


def window_key(
    visual: VisionTransformer,
    weights_sha256: str,
    *,
    image_size: int,
    scales: Sequence[int],
    post_norm_class: bool,
    dtype: str,
) -> CacheKey:
    """Plain CLIP's class token of every window, as WinCLIP scores them."""
    return CacheKey(
        weights_sha256=weights_sha256,
        dpam="qk",
        dpam_blocks=0,
        layers=(),
        image_size=image_size,
        embed_dim=visual.proj.shape[1],
        patches=(image_size // visual.config.patch_size) ** 2,
        dtype=dtype,
        kind="windows",
        scales=tuple(scales),
        post_norm_class=post_norm_class,
    )
