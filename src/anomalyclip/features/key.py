"""Which features of which encoder: the identity of a cache, and the shape of what it holds."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.encoders.base import EncoderFacts

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
        glance: side of the look that the global feature and summaries are of; 0 is the input itself.
        summaries: (stage, numbers) of what is kept of a stem, too, see :class:`anomalyclip.encoders.base.Features`.
        rounding: of the encoder ("" is float32), see :class:`anomalyclip.encoders.EncoderFacts`; numbers of another
            rounding never mix with these.
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
    rounding: str = ""
    summaries: tuple[tuple[int, int], ...] = ()
    glance: int = 0

    @property
    def digest(self) -> str:
        """Name of the cache's folder; without what came later it is what it was before that came."""
        later = ("rounding", "summaries", "glance")
        told = {name: value for name, value in asdict(self).items() if name not in later or value}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]

    @property
    def request(self) -> FeatureRequest:
        """What to ask an encoder for."""
        blocks = self.dpam_blocks if self.kind == "patches" else None
        path: dict[str, Any] = {"dpam": self.dpam, "dpam_blocks": blocks} if self.kind == "patches" else {}
        path |= {"post_norm_class": self.post_norm_class, "glance": self.glance or None}
        local: dict[str, Any] = {self.kind: self.scales if self.kind == "windows" else self.layers}
        stages = tuple(stage for stage, _ in self.summaries)
        return FeatureRequest(image=True, summaries=stages, **local, **path)

    @property
    def local_shape(self) -> tuple[int, int, int]:
        """Of one image's local features: (L, N, width), or (1, windows, E)."""
        if self.kind == "windows":
            side = math.isqrt(self.patches)
            return 1, sum(max(side - scale + 1, 0) ** 2 for scale in self.scales), self.embed_dim
        return len(self.layers), self.patches, self.width or self.embed_dim

    @property
    def shape(self) -> tuple[int]:
        """Of one record: the global feature, then the local ones, then the summaries, flat."""
        return (self.embed_dim + math.prod(self.local_shape) + sum(width for _, width in self.summaries),)


def key_of(facts: EncoderFacts, request: FeatureRequest, image_size: int, dtype: str) -> CacheKey:
    """The cache of what an encoder gives for a request at S x S.

    Raises:
        ConfigError: features that are not kept: stages, a verdict, or several local kinds at once.
    """
    local = [kind for kind in request.kinds if kind not in ("image", "summaries")]
    if len(local) > 1 or set(local) - set(get_args(FeatureKind)):
        raise ConfigError(f"features of {' and '.join(local)} are not kept; leave --cache out")
    kind: FeatureKind = local[0] if local else "patches"  # type: ignore[assignment]  # one of them
    plain = kind != "patches" or request.dpam in (None, "qk")
    return CacheKey(
        weights_sha256=facts.weights_sha256,
        dpam="qk" if plain else str(request.dpam),
        dpam_blocks=0 if plain else int(request.dpam_blocks or 0),  # plain CLIP is the same whatever the number
        layers=() if kind == "windows" else getattr(request, kind),
        image_size=image_size,
        embed_dim=facts.embed_dim,
        patches=(image_size // facts.patch_size) ** 2,
        dtype=dtype,
        kind=kind,
        width=facts.width if kind == "tokens" else 0,
        scales=request.windows,
        post_norm_class=bool(request.post_norm_class),
        rounding=facts.rounding,
        glance=request.glance or 0,
        summaries=tuple((number, 3 * facts.stages[number].channels) for number in request.summaries),
    )
