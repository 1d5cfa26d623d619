"""What is trained, by method: prompts, prompts with class names, VAND's linear layers, or heads. All else is frozen."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.model import CLIP
from anomalyclip.errors import PromptError
from anomalyclip.features.encoding import Features
from anomalyclip.hub import resolve_prompts
from anomalyclip.judges.embeddings import learned_embeddings
from anomalyclip.judges.linear import ENSEMBLE, stage_map
from anomalyclip.losses import GlocalLoss, dice_loss, focal_loss
from anomalyclip.prompts import (
    NAMES,
    Backbone,
    ClassPrompts,
    PromptFile,
    PromptLearner,
    PromptMetadata,
    PromptSettings,
    check_backbone,
    ensemble_text_features,
    load_prompts,
    save_prompts,
)
from anomalyclip.prompts.heads import HeadsFile, save_heads
from anomalyclip.prompts.linear import LinearFile, LinearLayers, save_linear
from anomalyclip.prompts.settings import OBJECT
from anomalyclip.scoring import ABNORMAL
from anomalyclip.settings import ModelSettings
from anomalyclip.training.batches import Batch
from anomalyclip.training.config import TrainConfig
from anomalyclip.training.objective import training_loss
from anomalyclip.training.recipes import Recipe


class Student(nn.Module, ABC):
    """The trained part with the loss it is trained by."""

    @abstractmethod
    def loss(self, features: Features, batch: Batch) -> GlocalLoss:
        """The loss of one batch."""

    @abstractmethod
    def learned(self) -> dict[str, Tensor]:
        """Detached float32 CPU copies of what is trained, by name."""

    @abstractmethod
    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite what is trained; raises :class:`PromptError` where names or shapes differ."""

    @abstractmethod
    def save(self, path: Path, metadata: PromptMetadata) -> None:
        """Write the method's file; raises :class:`OutputError`."""

    def origin(self) -> dict[str, Any]:
        """What decides the initial values besides the configuration, JSON-ready; it belongs to a run's identity."""
        return {}

    def trained(self) -> list[nn.Parameter]:
        """What the optimiser changes."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


class PromptStudent(Student):
    """AnomalyCLIP's prompts, the same for all classes (METHOD section 6)."""

    def __init__(self, learner: PromptLearner, clip: CLIP, recipe: Recipe) -> None:
        super().__init__()
        self.learner, self.text, self._recipe = learner, clip.text_tower(), recipe

    def pairs(self, batch: Batch) -> Tensor:
        """Text embeddings: (2, E), or (B, 2, E) where every image has its own."""
        return self.learner.text_features(self.text)

    def loss(self, features: Features, batch: Batch) -> GlocalLoss:
        text = self.pairs(batch).float()
        with torch.autocast(text.device.type, enabled=False):  # the focal term's 1e-5 is below bf16's and fp16's grain
            return training_loss(
                features,
                text,
                batch.labels,
                batch.masks,
                batch.known,
                level=self._recipe.level,
                pixel_weight=self._recipe.pixel_weight,
            )

    def learned(self) -> dict[str, Tensor]:
        return self.learner.learned()

    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        self.learner.load_learned(tensors)

    def save(self, path: Path, metadata: PromptMetadata) -> None:
        with torch.no_grad():
            features = self.learner.text_features(self.text)
        save_prompts(path, PromptFile.from_learner(self.learner, features, metadata))


class ClassPromptStudent(PromptStudent):
    """Prompts that name each image's class: CoOp, and the object-aware ablation."""

    def __init__(self, learner: PromptLearner, clip: CLIP, recipe: Recipe, classes: Sequence[str]) -> None:
        super().__init__(learner, clip, recipe)
        self.prompts = ClassPrompts(learner, clip.text_tower(), clip.tokenizer(), classes)

    def pairs(self, batch: Batch) -> Tensor:
        present, own = torch.unique(
            batch.classes, return_inverse=True
        )  # a class costs one pass however many images it has
        return self.prompts.text_features(self.text, present)[own]


class LinearStudent(Student):
    """VAND's linear layers against constant words: focal and dice of the abnormal map, summed over stages."""

    words: Tensor

    def __init__(self, layers: LinearLayers, words: Tensor, recipe: Recipe) -> None:
        super().__init__()
        self.layers, self._recipe = layers, recipe
        self.register_buffer("words", words)  # (K, 2, E)

    def loss(self, features: Features, batch: Batch) -> GlocalLoss:
        projected = self.layers(features.patches.unbind(dim=1))
        text, masks = self.words[batch.classes], batch.masks.float()
        with torch.autocast(text.device.type, enabled=False):
            maps = [stage_map(one.float(), text, masks.shape[-1], self._recipe.tau) for one in projected]
            focal = tuple(focal_loss(one, masks) for one in maps)
            dice = tuple(dice_loss(one[:, ABNORMAL], masks) for one in maps)
            pixel = torch.stack([*focal, *dice]).sum()
        return GlocalLoss(self._recipe.pixel_weight * pixel, pixel.new_zeros(()), pixel, focal, dice, ())

    def learned(self) -> dict[str, Tensor]:
        return self.layers.learned()

    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        self.layers.load_learned(tensors)

    def save(self, path: Path, metadata: PromptMetadata) -> None:
        save_linear(path, LinearFile(ENSEMBLE, metadata, self.learned()))


class HeadStudent(Student):
    """Heads: a pair of vectors for the class token and one for the patches of every layer, all starting from one pair.

    Args:
        start: (2, E) unit vectors, [normal, abnormal]. layers: L, how many blocks' patches are judged.
    """

    def __init__(self, start: Tensor, layers: int, recipe: Recipe) -> None:
        super().__init__()
        self._start, self._recipe = start.detach().float().cpu(), recipe
        self.image = nn.Parameter(self._start.clone())
        self.patches = nn.Parameter(self._start.repeat(layers, 1, 1))

    def loss(self, features: Features, batch: Batch) -> GlocalLoss:
        with torch.autocast(self.image.device.type, enabled=False):
            return training_loss(
                features,
                F.normalize(self.image, dim=-1),
                batch.labels,
                batch.masks,
                batch.known,
                level=self._recipe.level,
                pixel_weight=self._recipe.pixel_weight,
                local=F.normalize(self.patches, dim=-1).unbind(0),
            )

    def learned(self) -> dict[str, Tensor]:
        return {name: value.detach().float().cpu().clone() for name, value in self.named_parameters()}

    @torch.no_grad()
    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        own = dict(self.named_parameters())
        if {name: value.shape for name, value in own.items()} != {name: one.shape for name, one in tensors.items()}:
            raise PromptError("the learned heads do not fit this model and its layers: missing, or of another shape")
        for name, value in own.items():
            value.copy_(tensors[name])

    def origin(self) -> dict[str, Any]:
        """The pair by its content: where it was read from may move."""
        return {"start": hashlib.sha256(self._start.numpy().astype("<f4").tobytes()).hexdigest()}

    def save(self, path: Path, metadata: PromptMetadata) -> None:
        image, patches = (F.normalize(value, dim=-1) for value in self.learned().values())
        save_heads(path, HeadsFile(metadata, image.numpy(), patches.numpy()))


def start_pair(config: TrainConfig, clip: CLIP, backbone: str) -> Tensor:
    """The pair (2, E) that heads start from: of `config.start`, else of the two sentences of "clip", for "object".

    Raises:
        PromptError, HubError: no such prompts, or prompts of another backbone.
    """
    name = config.start or "clip"
    if name in NAMES:
        return ensemble_text_features(clip, clip.tokenizer(), OBJECT, name)
    file = load_prompts(resolve_prompts(name, offline=config.offline))
    check_backbone(file, Backbone.of(clip, backbone))
    return torch.from_numpy(learned_embeddings(file, clip, name).features)


def make_student(
    config: TrainConfig, clip: CLIP, settings: ModelSettings, classes: Sequence[str], backbone: str = ""
) -> Student:
    """The method's trained part with its seeded initial values.

    Raises:
        ConfigError: prompts that do not fit the text tower, or a class name that cannot fill them.
        PromptError, HubError: heads that are to start from prompts which are not here, or of another backbone.
    """
    recipe = config.recipe
    if recipe.learns == "heads":
        return HeadStudent(start_pair(config, clip, backbone), len(settings.layers), recipe)
    if recipe.learns == "layers":
        layers = LinearLayers(len(settings.layers), clip.config.vision.width, clip.config.embed_dim, config.seed)
        tokenizer = clip.tokenizer()
        words = [ensemble_text_features(clip, tokenizer, name, ENSEMBLE) for name in classes]
        return LinearStudent(layers, torch.stack(words), recipe)
    learner = PromptLearner(clip.text_tower(), clip.tokenizer(), prompt_settings(config, clip), seed=config.seed)
    if recipe.object_aware:
        return ClassPromptStudent(learner, clip, recipe, classes)
    return PromptStudent(learner, clip, recipe)


def prompt_settings(config: TrainConfig, clip: CLIP) -> PromptSettings:
    """Lengths, depth and words; the method's depth, or all blocks of a text tower that has fewer."""
    recipe = config.recipe
    return PromptSettings(
        n_ctx=recipe.n_ctx,
        depth=config.depth or min(recipe.depth, clip.config.text.layers),
        deep_length=config.deep_length,
        normal_words=recipe.words[0],
        abnormal_words=recipe.words[1],
        round_deep_to_half=config.round_deep_to_half,
        shared_context=recipe.shared_context,
        object_aware=recipe.object_aware,
    )
