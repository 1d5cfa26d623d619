"""Shapes of a CLIP model as frozen dataclasses: everything the towers need to be built, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from anomalyclip.errors import ConfigError

Activation = Literal["quick_gelu", "gelu"]
DPAMMode = Literal["vv", "qq", "kk", "qk"]
"""Which projection attends to itself in the local path; ``qk`` switches the local path off (plain CLIP)."""

DPAM_MODES: tuple[DPAMMode, ...] = ("vv", "qq", "kk", "qk")


@dataclass(frozen=True)
class StemStage:
    """``repeats`` inverted residuals of one width; the first of them takes the stride."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int


@dataclass(frozen=True)
class StemConfig:
    """A convolutional stem in place of the patch embedding.

    Attributes:
        first: channels of the first convolution (3x3, stride 2).
        stages: what follows it.
        taps: 1-based stages, ascending, whose outputs become tokens.
        stride: pixels per token. Taps twice as fine are folded into channels, finer ones pooled to that first,
            coarser ones resized.
    """

    first: int
    stages: tuple[StemStage, ...]
    taps: tuple[int, ...]
    stride: int

    def __post_init__(self) -> None:
        if not self.taps or not all(1 <= tap <= len(self.stages) for tap in self.taps):
            raise ConfigError(f"stem.taps must lie in 1..{len(self.stages)}, got {self.taps}")
        if list(self.taps) != sorted(set(self.taps)) or self.cells_of(self.taps[0]) < 1:
            raise ConfigError(f"stem.taps must ascend from a stage at least as fine as the tokens, got {self.taps}")

    def stride_of(self, stage: int) -> int:
        """Pixels per cell of a 1-based stage's output."""
        stride = 2
        for each in self.stages[:stage]:
            stride *= each.stride
        return stride

    def cells_of(self, stage: int) -> int:
        """Cells of a tapped stage per token and direction, after pooling: 2, 1, or 0 where it is coarser."""
        return min(2, self.stride // self.stride_of(stage))

    @property
    def tapped_channels(self) -> int:
        """Channels of all taps."""
        return sum(self.stages[tap - 1].channels for tap in self.taps)

    @property
    def token_channels(self) -> int:
        """Channels of all taps on the token grid."""
        return sum(self.stages[tap - 1].channels * max(1, self.cells_of(tap)) ** 2 for tap in self.taps)


@dataclass(frozen=True)
class VisionConfig:
    """Vision tower. ``image_size`` is the side the positional table was trained at; other sizes are interpolated."""

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    stem: StemConfig | None = None

    def __post_init__(self) -> None:
        _check_heads("vision", self.width, self.heads)
        if self.image_size % self.patch_size:
            raise ConfigError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.stem is not None and self.stem.stride != self.patch_size:
            raise ConfigError(f"patch_size {self.patch_size} differs from the stem's stride {self.stem.stride}")

    @property
    def grid(self) -> int:
        """Side of the trained patch grid."""
        return self.image_size // self.patch_size


@dataclass(frozen=True)
class TextConfig:
    """Text tower. ``vocab_size`` also says how many BPE merges the tokenizer uses."""

    context_length: int
    vocab_size: int
    width: int
    layers: int
    heads: int

    def __post_init__(self) -> None:
        _check_heads("text", self.width, self.heads)


@dataclass(frozen=True)
class CLIPConfig:
    """Both towers, the width of the shared embedding, and the MLP activation (OpenAI's models use QuickGELU)."""

    embed_dim: int
    vision: VisionConfig
    text: TextConfig
    activation: Activation = "quick_gelu"

    def to_dict(self) -> dict[str, Any]:
        """Nested plain types, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CLIPConfig:
        """Inverse of :meth:`to_dict`; raises :class:`ConfigError` on unknown or missing fields."""
        try:
            vision = dict(data["vision"])
            if vision.get("stem") is not None:
                stem = vision["stem"]
                stages = tuple(StemStage(**stage) for stage in stem["stages"])
                vision["stem"] = StemConfig(**stem | {"stages": stages, "taps": tuple(stem["taps"])})
            return cls(
                embed_dim=int(data["embed_dim"]),
                vision=VisionConfig(**vision),
                text=TextConfig(**data["text"]),
                activation=data.get("activation", "quick_gelu"),
            )
        except (KeyError, TypeError) as error:
            raise ConfigError(f"not a CLIP configuration ({error}); expected the fields of CLIPConfig") from error


def _check_heads(tower: str, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ConfigError(f"{tower} width {width} cannot be split into {heads} heads")


def _openai(embed_dim: int, vision: VisionConfig, text_width: int) -> CLIPConfig:
    return CLIPConfig(embed_dim, vision, TextConfig(77, 49408, text_width, 12, text_width // 64))


_LITE2 = StemConfig(
    first=32,
    stages=(
        StemStage(kernel=3, stride=1, expand=1, channels=16, repeats=1),
        StemStage(kernel=3, stride=2, expand=6, channels=24, repeats=3),
        StemStage(kernel=5, stride=2, expand=6, channels=48, repeats=3),
        StemStage(kernel=3, stride=2, expand=6, channels=88, repeats=4),
        StemStage(kernel=5, stride=1, expand=6, channels=120, repeats=4),
        StemStage(kernel=5, stride=2, expand=6, channels=208, repeats=5),
    ),
    taps=(2, 3, 4, 5, 6),
    stride=16,
)

PRESETS: dict[str, CLIPConfig] = {
    "vit-b-32": _openai(512, VisionConfig(224, 32, 768, 12, 12), 512),
    "vit-b-16": _openai(512, VisionConfig(224, 16, 768, 12, 12), 512),
    "vit-l-14": _openai(768, VisionConfig(224, 14, 1024, 24, 16), 768),
    "vit-l-14-336": _openai(768, VisionConfig(336, 14, 1024, 24, 16), 768),
    # EfficientNet-Lite2 up to its sixth stage as stem, then a narrow transformer: the embedded model.
    "pocket": CLIPConfig(
        embed_dim=192,
        vision=VisionConfig(image_size=320, patch_size=16, width=192, layers=4, heads=3, stem=_LITE2),
        text=TextConfig(context_length=48, vocab_size=4096, width=192, layers=4, heads=3),
    ),
}
"""Architectures by name. OpenAI's four, and ``pocket``."""


def default_dpam_blocks(layers: int) -> int:
    """How many last blocks run two paths: 19 of 24 as in the reference, in proportion for other depths.

    >>> default_dpam_blocks(24), default_dpam_blocks(12), default_dpam_blocks(5)
    (19, 10, 4)
    """
    return int(19 * layers / 24 + 0.5)


def check_layers(layers: Sequence[int], depth: int) -> frozenset[int]:
    """The layers as a set, or a :class:`ConfigError` that names those outside 1..depth."""
    outside = [layer for layer in layers if not 1 <= layer <= depth]
    if outside:
        raise ConfigError(f"layers {outside} do not exist: this vision encoder has blocks 1..{depth}")
    return frozenset(layers)
