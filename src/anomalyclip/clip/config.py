"""Shapes of a CLIP model as frozen dataclasses: everything the towers need to be built, nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from anomalyclip.errors import ConfigError

Activation = Literal["quick_gelu", "gelu"]


@dataclass(frozen=True)
class StemConfig:
    """A convolutional stem in place of the patch embedding: 3x3 convolutions in stages, halving between stages.

    Attributes:
        stages: output channels of every convolution, stage by stage, e.g. ``((64, 64), (128, 128))``.
        taps: 1-based stages whose outputs (brought to the last stage's grid by average pooling) are concatenated.
        contrast: also project how every patch deviates from the mean patch of its own image.
    """

    stages: tuple[tuple[int, ...], ...]
    taps: tuple[int, ...]
    contrast: bool = False

    def __post_init__(self) -> None:
        if not self.stages or not all(self.stages):
            raise ConfigError(f"stem.stages must name at least one convolution per stage, got {self.stages}")
        if not self.taps or not all(1 <= tap <= len(self.stages) for tap in self.taps):
            raise ConfigError(f"stem.taps must lie in 1..{len(self.stages)}, got {self.taps}")

    @property
    def stride(self) -> int:
        """Pixels per grid cell: one halving between consecutive stages."""
        return int(2 ** (len(self.stages) - 1))

    @property
    def out_channels(self) -> int:
        """Channels of the concatenated taps."""
        return sum(self.stages[tap - 1][-1] for tap in self.taps)


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
                vision["stem"] = StemConfig(
                    tuple(tuple(stage) for stage in stem["stages"]), tuple(stem["taps"]), bool(stem.get("contrast"))
                )
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


PRESETS: dict[str, CLIPConfig] = {
    "vit-b-32": _openai(512, VisionConfig(224, 32, 768, 12, 12), 512),
    "vit-b-16": _openai(512, VisionConfig(224, 16, 768, 12, 12), 512),
    "vit-l-14": _openai(768, VisionConfig(224, 14, 1024, 24, 16), 768),
    "vit-l-14-336": _openai(768, VisionConfig(336, 14, 1024, 24, 16), 768),
    # VGG16's first four blocks as stem (stride 8), then a narrow transformer: the embedded model.
    "pocket": CLIPConfig(
        embed_dim=192,
        vision=VisionConfig(
            image_size=224,
            patch_size=8,
            width=192,
            layers=4,
            heads=3,
            stem=StemConfig(((64, 64), (128, 128), (256, 256, 256), (512, 512, 512)), taps=(3, 4), contrast=True),
        ),
        text=TextConfig(context_length=48, vocab_size=8192, width=192, layers=4, heads=3),
    ),
}
"""Architectures by name. OpenAI's four, and ``pocket``."""
