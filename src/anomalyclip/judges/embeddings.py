"""The two text embeddings of a model, from learned or hand-written prompts; then the text tower can go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.plain import class_norm
from anomalyclip.clip.weights import load_clip, load_vision
from anomalyclip.encoders.base import as_numpy
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.prompts import (
    ENSEMBLES,
    NAMES,
    Backbone,
    ClassPrompts,
    PromptFile,
    check_backbone,
    ensemble_text_features,
    ensemble_tokens,
    load_prompts,
    tokenize_templates,
)
from anomalyclip.prompts.settings import OBJECT
from anomalyclip.settings import Preset


def text_embeddings(
    clip: str | os.PathLike[str], prompts: str | Path, *, backbone: str, class_name: str
) -> tuple[TextEmbeddings, CLIP, Preset]:
    """Embeddings, the CLIP they belong to (without its text tower) and the settings that come with the prompts.

    Raises:
        PromptError: unreadable prompts, or prompts learned on another backbone than ``clip``.
        WeightsError: ``clip`` cannot be loaded.
    """
    found, tower, preset = class_embeddings(clip, prompts, (class_name,), backbone=backbone)
    return found[class_name], tower, preset


def class_embeddings(
    clip: str | os.PathLike[str], prompts: str | Path, classes: Sequence[str], *, backbone: str, vision: bool = True
) -> tuple[dict[str, TextEmbeddings], CLIP, Preset]:
    """:func:`text_embeddings` for every class at once; object-agnostic prompts give all classes the same.

    Without ``vision`` the vision tower stays on the disk (and its parameters without memory).

    Raises:
        PromptError, ConfigError: also where a class's name cannot fill the prompts.
    """
    if str(prompts) in NAMES:
        tower = load_clip(clip, vision=False, tokens=lambda outline: _ensemble_tokens(outline, str(prompts), classes))
        found = {name: _handwritten(tower, str(prompts), name) for name in classes}
        preset = handwritten_preset(tower, str(prompts))
    else:
        file = load_prompts(prompts)
        named = [name for name in classes if file.settings.object_aware and name != OBJECT]
        needed = bool(named) or file.text_features is None
        tower = load_clip(
            clip, text=needed, vision=False, tokens=lambda outline: _file_tokens(outline, file, backbone, named)
        )
        check_backbone(file, Backbone.of(tower, backbone))
        agnostic = learned_embeddings(file, tower, str(prompts))
        found = dict.fromkeys(classes, agnostic) | _object_aware(file, tower, str(prompts), named)
        preset = file.metadata.preset
    tower.text = None
    if vision:
        load_vision(tower, clip)  # only now: the two towers are never in memory together
    return found, tower, preset


def _ensemble_tokens(outline: CLIP, name: str, classes: Sequence[str]) -> Tensor:
    """Ids (N,) of all that :func:`_handwritten` encodes."""
    tokenizer = outline.tokenizer()
    return torch.cat([torch.unique(ensemble_tokens(tokenizer, each, name)) for each in classes])


def _file_tokens(outline: CLIP, file: PromptFile, backbone: str, named: Sequence[str]) -> Tensor:
    """Ids (N,) of all that a file's prompts, and those of the classes ``named``, look up.

    Raises:
        PromptError: the file's are of another shape: said before its words are told not to fit.
    """
    check_backbone(file, Backbone.of(outline, backbone))
    settings = [file.settings, *map(file.settings.for_class, named)]
    own = [tokenize_templates(each, outline.tokenizer()).flatten() for each in settings]
    if file.token_ids is not None:  # of another vocabulary they are refused once its weights are there
        own.append(file.token_ids.flatten().clamp(0, outline.config.text.vocab_size - 1))
    return torch.cat(own)


def handwritten_preset(clip: CLIP, name: str) -> Preset:
    """Of hand-written prompts: the class token as the backbone was trained, maps from DPAM unless it is a baseline."""
    return Preset(dpam="qk" if ENSEMBLES[name].plain else "vv", post_norm_class=class_norm(clip.config.vision))


@torch.inference_mode()
def _handwritten(clip: CLIP, name: str, class_name: str) -> TextEmbeddings:
    features = ensemble_text_features(clip, clip.tokenizer(), class_name, name)
    return _named(features, name, class_name, digest="", method=name)


@torch.inference_mode()
def learned_embeddings(file: PromptFile, clip: CLIP, name: str) -> TextEmbeddings:
    """Those of a file, for "object"; `clip` needs its text tower where the file holds no final embeddings."""
    method = file.metadata.method
    if file.text_features is not None:
        return TextEmbeddings(as_numpy(file.text_features), name, file.sha256, method)
    text = clip.text_tower()
    learner = file.build_learner(text, clip.tokenizer())
    return TextEmbeddings(as_numpy(learner.text_features(text)), name, file.sha256, method)


@torch.inference_mode()
def _object_aware(file: PromptFile, clip: CLIP, name: str, classes: Sequence[str]) -> dict[str, TextEmbeddings]:
    if not classes:
        return {}
    text, tokenizer = clip.text_tower(), clip.tokenizer()
    prompts = ClassPrompts(file.build_learner(text, tokenizer), text, tokenizer, classes)
    pairs = prompts.text_features(text)
    method = file.metadata.method
    return {
        one: _named(pair, name, one, digest=file.sha256, method=method)
        for one, pair in zip(classes, pairs, strict=True)
    }


def _named(features: Tensor, prompts: str, class_name: str, *, digest: str, method: str) -> TextEmbeddings:
    label = f"{prompts}:{class_name}"
    identity = f"{digest}:{class_name}" if digest else label  # a file's content counts, not where it lies
    digest = hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()
    return TextEmbeddings(as_numpy(features), label, digest, method)
