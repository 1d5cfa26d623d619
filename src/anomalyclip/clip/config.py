"""Shapes of a CLIP model as frozen dataclasses: everything the towers need to be built, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from anomalyclip.clip.limits import check_choice, check_number, check_positive
from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.errors import ConfigError

Activation = Literal["quick_gelu", "gelu", "gelu_tanh"]
DPAMMode = Literal["vv", "qq", "kk", "qk"]
"""Which projection attends to itself in the local path; ``qk`` switches the local path off (plain CLIP)."""

DPAM_MODES: tuple[DPAMMode, ...] = ("vv", "qq", "kk", "qk")
NORM_EPS = 1e-5
_HEAD_WIDTH = 64  # of all of OpenAI's


@dataclass(frozen=True)
class StemStage:
    """``repeats`` inverted residuals of one width; the first of them takes the stride."""

    kernel: int
    stride: int
    expand: int
    channels: int
    repeats: int

    def __post_init__(self) -> None:
        for name, most in (("kernel", 31), ("stride", 8), ("expand", 64), ("channels", 2**14), ("repeats", 64)):
            check_number(f"stem.{name}", getattr(self, name), 1, most)


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
        check_number("stem.first", self.first, 1, 2**14)
        check_number("stem.stride", self.stride, 1, 1024)
        check_number("stem.stages", len(self.stages), 1, 64)
        for tap in self.taps:
            check_number("stem.taps", tap, 1, 64)
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
    """Vision tower.

    Attributes:
        image_size: the side the positional table was trained at; other sizes are interpolated.
        patch_size: pixels per patch and direction.
        width: D of a token. layers: blocks. heads: of the attention; they share ``width`` evenly.
        stem: a convolutional stem in place of the patch embedding.
        activation: of the MLP. "quick_gelu" is OpenAI's, "gelu" the exact one, "gelu_tanh" its approximation.
        norm_eps: epsilon of every layer norm.
        mlp_width: hidden units of the MLP; 0 is four times the width.
        preprocessing: see :class:`Preprocessing`.
        told_by: who said what shapes cannot tell (heads, activation, epsilon, preprocessing); plays no part in
            comparisons.
    """

    image_size: int
    patch_size: int
    width: int
    layers: int
    heads: int
    stem: StemConfig | None = None
    activation: Activation = "quick_gelu"
    norm_eps: float = NORM_EPS
    mlp_width: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    told_by: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        _check_tower("vision", self)
        check_number("image_size", self.image_size, 1, 2**14)
        check_number("patch_size", self.patch_size, 1, 1024)
        if self.image_size % self.patch_size:
            raise ConfigError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.stem is not None and self.stem.stride != self.patch_size:
            raise ConfigError(f"patch_size {self.patch_size} differs from the stem's stride {self.stem.stride}")

    @property
    def grid(self) -> int:
        """Side of the trained patch grid."""
        return self.image_size // self.patch_size

    def reading(self) -> dict[str, Any]:
        """How the weights are read, as provenance records it: what their shapes do not tell, and who told it."""
        return {
            "heads": self.heads,
            "activation": self.activation,
            "norm_eps": self.norm_eps,
            "mean": list(self.preprocessing.mean),
            "std": list(self.preprocessing.std),
            "interpolation": self.preprocessing.interpolation,
            "told_by": self.told_by or "the file itself",
        }


@dataclass(frozen=True)
class TextConfig:
    """Text tower; ``activation``, ``norm_eps`` and ``mlp_width`` as in :class:`VisionConfig`.

    Attributes:
        context_length: positions of the table.
        vocab_size: rows of the token table; they also say how many BPE merges the tokenizer uses, up to ``end``.
        width, layers, heads: as of the vision tower.
        end: id of the end-of-text token, whose output is the feature; None is the largest id of a text.
    """

    context_length: int
    vocab_size: int
    width: int
    layers: int
    heads: int
    activation: Activation = "quick_gelu"
    norm_eps: float = NORM_EPS
    mlp_width: int = 0
    end: int | None = None

    def __post_init__(self) -> None:
        _check_tower("text", self)
        check_number("context_length", self.context_length, 1, 2**14)
        check_number("vocab_size", self.vocab_size, 2, 2**22)
        if self.end is not None:
            check_number("end", self.end, 1, self.vocab_size - 1)


@dataclass(frozen=True)
class CLIPConfig:
    """Both towers and the width of the shared embedding."""

    embed_dim: int
    vision: VisionConfig
    text: TextConfig

    def __post_init__(self) -> None:
        check_number("embed_dim", self.embed_dim, 1, 2**16)

    @property
    def activation(self) -> Activation:
        """The vision tower's activation; ``text.activation`` is the text tower's."""
        return self.vision.activation

    def to_dict(self) -> dict[str, Any]:
        """Nested plain types, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> CLIPConfig:
        """Inverse of :meth:`to_dict`; raises :class:`ConfigError` on unknown, missing, mistyped or absurd fields."""
        try:
            common = {key: data[key] for key in ("activation",) if key in data}  # of both, in older files of ours
            if unknown := set(data) - {"embed_dim", "vision", "text", "activation"}:
                raise ConfigError(f"not a CLIP configuration: unknown fields {', '.join(map(str, sorted(unknown)))}")
            vision = common | dict(data["vision"]) | {"told_by": ""}
            if vision.get("stem") is not None:
                stem = vision["stem"]
                stages = tuple(StemStage(**stage) for stage in stem["stages"])
                vision["stem"] = StemConfig(**stem | {"stages": stages, "taps": tuple(stem["taps"])})
            if "preprocessing" in vision:
                told = vision["preprocessing"]
                triples = {name: tuple(told[name]) for name in ("mean", "std") if name in told}
                vision["preprocessing"] = Preprocessing(**told | triples)
            return cls(data["embed_dim"], VisionConfig(**vision), TextConfig(**common | dict(data["text"])))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"not a CLIP configuration ({error}); expected the fields of CLIPConfig") from error

    def reading(self) -> dict[str, Any]:
        """What decides the features beside the tensors, told so that equal readings are equal dicts."""
        plain = ("heads", "activation", "norm_eps")
        text = {name: getattr(self.text, name) for name in plain} | {"end": self._end()}
        pixels = {each.name: getattr(self.vision.preprocessing, each.name) for each in fields(Preprocessing)}
        return {"vision": {name: getattr(self.vision, name) for name in plain} | pixels, "text": text}

    def is_openais_reading(self) -> bool:
        """Whether OpenAI's own code would read the weights so: QuickGELU, heads of 64, its epsilon and pixels.

        Files that carry a stem are ours, and always were read as they say.
        """
        heads = all(tower.width == _HEAD_WIDTH * tower.heads for tower in (self.vision, self.text))
        towers = all(
            tower.activation == "quick_gelu" and tower.norm_eps == NORM_EPS for tower in (self.vision, self.text)
        )
        return heads and towers and self._end() is None and self.vision.preprocessing == Preprocessing()

    def _end(self) -> int | None:
        return None if self.text.end == self.text.vocab_size - 1 else self.text.end


def _check_tower(name: str, tower: VisionConfig | TextConfig) -> None:
    check_number(f"{name} width", tower.width, 1, 2**15)
    check_number(f"{name} layers", tower.layers, 0, 256)
    check_number(f"{name} heads", tower.heads, 1, tower.width)
    check_number(f"{name} mlp_width", tower.mlp_width, 0, 2**18)
    check_choice(f"{name} activation", tower.activation, get_args(Activation))
    check_positive(f"{name} norm_eps", tower.norm_eps, 1.0)
    if tower.width % tower.heads:
        raise ConfigError(f"{name} width {tower.width} cannot be split into {tower.heads} heads")


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
