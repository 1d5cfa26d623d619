"""Prompts: learned (object-agnostic, deep), their files, and hand-written ensembles. Names load on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.prompts.backbone import Backbone, check_backbone
    from anomalyclip.prompts.classes import ClassPrompts
    from anomalyclip.prompts.content import PromptFile
    from anomalyclip.prompts.ensembles import ENSEMBLES, NAMES, Ensemble, get_ensemble
    from anomalyclip.prompts.files import load_prompts, save_prompts, with_text_features
    from anomalyclip.prompts.handwritten import ensemble_text_features, ensemble_tokens
    from anomalyclip.prompts.learner import PromptInputs, PromptLearner, tokenize_templates
    from anomalyclip.prompts.metadata import PromptMetadata
    from anomalyclip.prompts.published import read_published, save_published
    from anomalyclip.prompts.settings import PromptSettings

__all__ = [
    "ENSEMBLES",
    "NAMES",
    "Backbone",
    "ClassPrompts",
    "Ensemble",
    "PromptFile",
    "PromptInputs",
    "PromptLearner",
    "PromptMetadata",
    "PromptSettings",
    "check_backbone",
    "ensemble_text_features",
    "ensemble_tokens",
    "get_ensemble",
    "load_prompts",
    "read_published",
    "save_prompts",
    "save_published",
    "tokenize_templates",
    "with_text_features",
]

_ROOMS = {
    "backbone": ("Backbone", "check_backbone"),
    "classes": ("ClassPrompts",),
    "content": ("PromptFile",),
    "ensembles": ("ENSEMBLES", "NAMES", "Ensemble", "get_ensemble"),
    "files": ("load_prompts", "save_prompts", "with_text_features"),
    "handwritten": ("ensemble_text_features", "ensemble_tokens"),
    "learner": ("PromptInputs", "PromptLearner", "tokenize_templates"),
    "metadata": ("PromptMetadata",),
    "published": ("read_published", "save_published"),
    "settings": ("PromptSettings",),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__getattr__, __dir__ = lazy(__name__, _HOME)
