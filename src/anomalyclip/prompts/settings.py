"""What a learnable prompt pair looks like: lengths, depth and fixed words (METHOD section 4). Plain data, no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anomalyclip.errors import ConfigError

OBJECT = "object"
PLACEHOLDER = "X"
_MAX_LENGTH = 512  # of anything counted here; CLIP's context is 77 tokens and no text tower has that many blocks
_MAX_WORDS = 200  # characters; far above any class name, far below anything that could stall the tokenizer


@dataclass(frozen=True)
class PromptSettings:
    """Shape and fixed words of the normal/abnormal prompt pair.

    Attributes:
        n_ctx: learned vectors at the front of each prompt (paper: E = 12).
        depth: text blocks that see learned prompts; the first takes the ``n_ctx`` vectors, blocks 2..depth one deep
            prompt each (paper: 9). 1 means no deep prompts.
        deep_length: vectors per deep prompt (paper: 4); they replace positions 1..deep_length, so at most ``n_ctx``.
        normal_words: words after the learned vectors of the normal prompt.
        abnormal_words: the same for the abnormal prompt.
        round_deep_to_half: round deep prompts to fp16 before they are inserted, as the reference code does.
        shared_context: the normal and the abnormal prompt share their learned vectors, as in CoOp.
        object_aware: the prompts were learned with class names in place of "object" (:meth:`for_class`), and are to be
            used so.

    Raises:
        ConfigError: a value is out of its range.

    >>> PromptSettings().for_class("metal_nut").abnormal_words
    'damaged metal nut.'
    """

    n_ctx: int = 12
    depth: int = 9
    deep_length: int = 4
    normal_words: str = f"{OBJECT}."
    abnormal_words: str = f"damaged {OBJECT}."
    round_deep_to_half: bool = False
    shared_context: bool = False
    object_aware: bool = False

    def __post_init__(self) -> None:
        for name in ("n_ctx", "depth", "deep_length"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_LENGTH:
                raise ConfigError(f"{name} must be a whole number in 1..{_MAX_LENGTH}, got {value!r}")
        if self.depth > 1 and self.deep_length > self.n_ctx:
            raise ConfigError(
                f"deep_length {self.deep_length} exceeds n_ctx {self.n_ctx}: deep prompts replace"
                " learned positions only; lower deep_length or raise n_ctx"
            )
        for name in ("normal_words", "abnormal_words"):
            words = getattr(self, name)
            if not isinstance(words, str) or not words.strip() or len(words) > _MAX_WORDS:
                raise ConfigError(f"{name} must be text of 1 to {_MAX_WORDS} characters, got {words!r}")
        for name in ("round_deep_to_half", "shared_context", "object_aware"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false, got {getattr(self, name)!r}")

    @property
    def n_deep(self) -> int:
        """Number of deep prompts: one for each of the blocks 2..depth."""
        return self.depth - 1

    @property
    def templates(self) -> tuple[str, str]:
        """The two sentences to tokenise, normal then abnormal, with a placeholder word per learned vector."""
        front = " ".join([PLACEHOLDER] * self.n_ctx)
        return f"{front} {self.normal_words}", f"{front} {self.abnormal_words}"

    def for_class(self, class_name: str) -> PromptSettings:
        """The object-aware ablation: "object" replaced by ``class_name`` (underscores become spaces)."""
        name = class_name.replace("_", " ").strip()
        if not name:
            raise ConfigError(f"class_name must not be empty, got {class_name!r}")
        return replace(
            self,
            normal_words=self.normal_words.replace(OBJECT, name),
            abnormal_words=self.abnormal_words.replace(OBJECT, name),
        )
