"""Learned prompts in memory: tensors, settings and where they come from, independent of any file format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from anomalyclip.clip.text import TextTransformer
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.errors import PromptError
from anomalyclip.prompts.learner import PromptLearner
from anomalyclip.prompts.metadata import PromptMetadata
from anomalyclip.prompts.settings import PromptSettings

Kind = Literal["anomalyclip", "published"]
CTX_NAMES = ("ctx_pos", "ctx_neg")
DEEP_PREFIX = "compound_prompts_text."
_UNIT_TOLERANCE = 1e-3
_LATER = ("shared_context", "object_aware")  # settings that did not exist when the first hashes were published


@dataclass(frozen=True, eq=False)
class PromptFile:
    """Learned prompts, checked: right names and shapes, finite values.

    Attributes:
        kind: ``"anomalyclip"`` (our format) or ``"published"`` (the authors' ``.pth``).
        settings: lengths, depth, words, rounding.
        metadata: backbone, training data, scoring presets.
        tensors: learned tensors by checkpoint name, float32 on the CPU: ``ctx_pos``, ``ctx_neg`` (1, 1, n_ctx, D) and
            ``compound_prompts_text.<k>`` (deep_length, D).
        text_features: (2, E) float32, L2-normalised, [normal, abnormal]; ``None`` where the file holds none. Of
            object-aware prompts: those for "object".
        token_ids: (2, C) int64 ids of the templates, of published files only.
        token_embeddings: (2, C - n_ctx, D) the backbone's embeddings of all ids but the learned positions, of published
            files only; tells a wrong backbone of equal width.
        path: where it was read from, for messages.

    Raises:
        PromptError: a name, a shape or a value is wrong.
    """

    kind: Kind
    settings: PromptSettings
    metadata: PromptMetadata
    tensors: Mapping[str, Tensor]
    text_features: Tensor | None = None
    token_ids: Tensor | None = None
    token_embeddings: Tensor | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        where = f" in {self.path}" if self.path else ""
        expected = learned_shapes(self.settings, self.metadata.text_width)
        problems = [f"{name} is missing" for name in expected if name not in self.tensors]
        problems += [f"{name} is not expected" for name in self.tensors if name not in expected]
        for name, shape in expected.items():
            if name in self.tensors:
                problems += _problems(name, self.tensors[name], shape)
        if self.text_features is not None:
            problems += _pair_problems(self.text_features, self.metadata.embed_dim)
        if problems:
            raise PromptError(
                f"the learned prompts{where} do not fit their settings: {'; '.join(problems)};"
                " the file is damaged or was written by other software"
            )

    @classmethod
    def from_learner(cls, learner: PromptLearner, text_features: Tensor, metadata: PromptMetadata) -> PromptFile:
        """Freeze ``learner`` and its final embeddings ``text_features`` (2, E) for saving."""
        final = text_features.detach().float().cpu().clone()
        return cls("anomalyclip", learner.settings, metadata, learner.learned(), final)

    @cached_property
    def sha256(self) -> str:
        """Hash of what decides the scores: settings, learned tensors, final embeddings; not of names or dates."""
        settings = {name: value for name, value in asdict(self.settings).items() if value or name not in _LATER}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        tensors = dict(self.tensors)
        if self.text_features is not None:
            tensors["text_features"] = self.text_features
        for name in sorted(tensors):
            values = tensors[name].float().contiguous().numpy().astype("<f4")
            digest.update(f"\n{name}{list(values.shape)}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def build_learner(self, text: TextTransformer, tokenizer: Tokenizer) -> PromptLearner:
        """A :class:`PromptLearner` on ``text`` that holds these prompts (to encode them, or to go on training).

        Call :func:`anomalyclip.prompts.check_backbone` first.

        Raises:
            PromptError: the words in the settings are not the ones the file's token ids say.
        """
        learner = PromptLearner(text, tokenizer, self.settings)
        if self.token_ids is not None and not torch.equal(self.token_ids, learner.tokenized_prompts.cpu()):
            raise PromptError(
                f"{self.path or 'the prompt file'} was learned with other words than {self.settings.normal_words!r} and"
                f" {self.settings.abnormal_words!r} (its token ids differ); read it with"
                " read_published(path, normal_words=..., abnormal_words=...) as it was trained"
            )
        learner.load_learned(self.tensors)
        return learner


def learned_shapes(settings: PromptSettings, width: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the learned tensors for text width ``width``."""
    contexts = CTX_NAMES[:1] if settings.shared_context else CTX_NAMES
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(contexts, (1, 1, settings.n_ctx, width))
    for index in range(settings.n_deep):
        shapes[f"{DEEP_PREFIX}{index}"] = (settings.deep_length, width)
    return shapes


def _pair_problems(pair: Tensor, width: int | None) -> list[str]:
    problems = _problems("text_features", pair, (2, width or int(pair.shape[-1]) if pair.dim() else 0))
    if problems:
        return problems
    norms = pair.norm(dim=-1)
    if (norms - 1).abs().max() > _UNIT_TOLERANCE:
        return [f"text_features have norms {norms.tolist()} instead of 1"]
    return []


def _problems(name: str, value: Tensor, shape: tuple[int, ...]) -> list[str]:
    if tuple(value.shape) != shape:
        return [f"{name} has shape {tuple(value.shape)} instead of {shape}"]
    if not value.is_floating_point():
        return [f"{name} holds {value.dtype} instead of floating-point numbers"]
    if not torch.isfinite(value).all():
        return [f"{name} holds NaN or infinite values"]
    return []
