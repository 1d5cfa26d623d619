"""The methods that can be trained, as a table: which features each sees, and its own hyper-parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from anomalyclip.features.key import FeatureKind
from anomalyclip.prompts.settings import PromptSettings

Method = Literal["anomalyclip", "coop", "vand", "object-aware", "heads"]
Learned = Literal["prompts", "layers", "heads"]
Level = Literal["both", "image", "pixel"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Recipe:
    """What a method trains on, and its own values where a run gives none.

    Attributes:
        level: terms of the loss. pixel_weight: of the local ones.
        dpam: the local path; "qk" is plain CLIP.
        plain: read plain CLIP: one path, and LN_post on the class token where the backbone was trained so.
        features: what the encoder gives.
        sigma, tau: smoothing of the map and temperature that the result is used with.
        n_ctx: learned vectors per prompt. depth: text blocks that see learned prompts.
        words: after the learned vectors, normal and abnormal; a class's name replaces "object" if ``object_aware``.
        shared_context: both prompts share their vectors.
        learns: prompts; linear layers on the patches, or heads, for which ``n_ctx`` and the like mean nothing.
        staged: from which blocks patches are learned: the ends of the four quarters of the depth, else the last alone.
    """

    level: Level = "both"
    pixel_weight: float = 4.0
    dpam: str = "vv"
    plain: bool = False
    features: FeatureKind = "patches"
    sigma: float = 4.0
    tau: float = 0.07  # literal, here and below: a configuration is read without torch
    n_ctx: int = 12
    depth: int = 9
    words: tuple[str, str] = (PromptSettings.normal_words, PromptSettings.abnormal_words)
    shared_context: bool = False
    object_aware: bool = False
    learns: Learned = "prompts"
    staged: bool = False

    @property
    def names_classes(self) -> bool:
        """Whether the classes' names decide what is learned."""
        return self.object_aware or self.learns == "layers"


RECIPES: dict[Method, Recipe] = {
    "anomalyclip": Recipe(),
    "object-aware": Recipe(object_aware=True),
    # [V1]..[V16] normal|anomalous [class], one context, image cross entropy, plain CLIP (docs/baselines.md)
    "coop": Recipe(
        level="image",
        dpam="qk",
        plain=True,
        n_ctx=16,
        depth=1,
        words=("normal object.", "anomalous object."),
        shared_context=True,
        object_aware=True,
    ),
    "vand": Recipe(
        level="pixel",
        pixel_weight=1.0,
        dpam="qk",
        plain=True,
        features="tokens",
        sigma=0.0,
        tau=0.01,
        learns="layers",
        staged=True,
    ),
    "heads": Recipe(learns="heads", staged=True),
}
"""By name; AnomalyCLIP's values are METHOD section 6."""
