"""Hand-written prompts with class names, the baselines of the paper (METHOD section 9), as data tables.

A sentence is ``template.format(state.format(class_name))``; use the class name "object" for an object-agnostic variant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.errors import PromptError
from anomalyclip.prompts.settings import OBJECT

_SLOT = "{}"


class TextEncoder(Protocol):
    """Anything that turns token ids (B, C) into features (B, E); :class:`anomalyclip.clip.model.CLIP` does."""

    @property
    def encode_text(self) -> Callable[[Tensor], Tensor]: ...


@dataclass(frozen=True)
class Ensemble:
    """State phrases times sentence templates, each with one ``{}``.

    Attributes:
        name: as the command line and result files call it.
        source: where the words were published.
        normal_states: phrases of a normal object.
        abnormal_states: phrases of an anomalous object.
        templates: sentences around a phrase.
        articles: write "an" for "a" directly before a phrase that begins with a vowel.
        plain: a baseline of plain CLIP: its maps come from CLIP's own single path, not from DPAM's local one.
    """

    name: str
    source: str
    normal_states: tuple[str, ...]
    abnormal_states: tuple[str, ...]
    templates: tuple[str, ...]
    articles: bool = False
    plain: bool = False

    def sentences(self, class_name: str = OBJECT) -> tuple[list[str], list[str]]:
        """All normal and all abnormal sentences for ``class_name`` (underscores become spaces).

        Raises:
            PromptError: the class name is empty.

        >>> ENSEMBLES["clip"].sentences("metal_nut")
        (['a photo of a normal metal nut'], ['a photo of an anomalous metal nut'])
        """
        name = class_name.replace("_", " ").strip()
        if not name:
            raise PromptError(f"class_name must not be empty, got {class_name!r}; use {OBJECT!r} for any object")
        return self._compose(self.normal_states, name), self._compose(self.abnormal_states, name)

    def _compose(self, states: tuple[str, ...], name: str) -> list[str]:
        # replace, not format: a class name may itself hold braces
        phrases = [state.replace(_SLOT, name) for state in states]
        return [self._fill(template, phrase) for phrase in phrases for template in self.templates]

    def _fill(self, template: str, phrase: str) -> str:
        if self.articles and phrase[0].lower() in "aeiou":
            head, tail = template.split(_SLOT)
            if head == "a " or head.endswith(" a "):
                template = f"{head[:-1]}n {_SLOT}{tail}"
        return template.replace(_SLOT, phrase)


# State words of WinCLIP (CVPR 2023, supplementary) as used by two implementations that agree word for word: anomalib
# (src/anomalib/models/image/winclip/prompting.py) and zqhang/Accurate-WinCLIP-pytorch (by AnomalyCLIP's authors).
_WINCLIP_NORMAL = (
    "{}",
    "flawless {}",
    "perfect {}",
    "unblemished {}",
    "{} without flaw",
    "{} without defect",
    "{} without damage",
)
_WINCLIP_ABNORMAL = ("damaged {}", "{} with flaw", "{} with defect", "{} with damage")

# The same two sources, 21 lines. Both count "a jpeg corrupted photo of the" twice, which weighs in the mean, and lack
# "a cropped photo of a"; a third implementation (caoyunkang/WinClip) has 22 different sentences without final periods.
_WINCLIP_TEMPLATES = (
    "a cropped photo of the {}.",
    "a close-up photo of a {}.",
    "a close-up photo of the {}.",
    "a bright photo of a {}.",
    "a bright photo of the {}.",
    "a dark photo of the {}.",
    "a dark photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a blurry photo of the {}.",
    "a blurry photo of a {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a photo of a small {}.",
    "a photo of the small {}.",
    "a photo of a large {}.",
    "a photo of the large {}.",
    "a photo of the {} for visual inspection.",
    "a photo of a {} for visual inspection.",
    "a photo of the {} for anomaly detection.",
    "a photo of a {} for anomaly detection.",
)

# CLIP's 80 ImageNet templates: openai/CLIP, notebooks/imagenet_data.json and Prompt_Engineering_for_ImageNet.ipynb.
_IMAGENET_TEMPLATES = (
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "a photo of the hard to see {}.",
    "a low resolution photo of the {}.",
    "a rendering of a {}.",
    "graffiti of a {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a tattoo of a {}.",
    "the embroidered {}.",
    "a photo of a hard to see {}.",
    "a bright photo of a {}.",
    "a photo of a clean {}.",
    "a photo of a dirty {}.",
    "a dark photo of the {}.",
    "a drawing of a {}.",
    "a photo of my {}.",
    "the plastic {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a painting of the {}.",
    "a painting of a {}.",
    "a pixelated photo of the {}.",
    "a sculpture of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a plastic {}.",
    "a photo of the dirty {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a rendering of the {}.",
    "a {} in a video game.",
    "a photo of one {}.",
    "a doodle of a {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "the origami {}.",
    "the {} in a video game.",
    "a sketch of a {}.",
    "a doodle of the {}.",
    "a origami {}.",
    "a low resolution photo of a {}.",
    "the toy {}.",
    "a rendition of the {}.",
    "a photo of the clean {}.",
    "a photo of a large {}.",
    "a rendition of a {}.",
    "a photo of a nice {}.",
    "a photo of a weird {}.",
    "a blurry photo of a {}.",
    "a cartoon {}.",
    "art of a {}.",
    "a sketch of the {}.",
    "a embroidered {}.",
    "a pixelated photo of a {}.",
    "itap of the {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a plushie {}.",
    "a photo of the nice {}.",
    "a photo of the small {}.",
    "a photo of the weird {}.",
    "the cartoon {}.",
    "art of the {}.",
    "a drawing of the {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "the plushie {}.",
    "a dark photo of a {}.",
    "itap of a {}.",
    "graffiti of the {}.",
    "a toy {}.",
    "itap of my {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "a tattoo of the {}.",
)

# APRIL-GAN (VAND challenge 2023): ByChelsea/VAND-APRIL-GAN and, unchanged, zqhang/AnomalyCLIP (prompt_ensemble.py).
_APRIL_GAN_TEMPLATES = (
    "a bad photo of a {}.",
    "a low resolution photo of the {}.",
    "a bad photo of the {}.",
    "a cropped photo of the {}.",
    "a bright photo of a {}.",
    "a dark photo of the {}.",
    "a photo of my {}.",
    "a photo of the cool {}.",
    "a close-up photo of a {}.",
    "a black and white photo of the {}.",
    "a bright photo of the {}.",
    "a cropped photo of a {}.",
    "a jpeg corrupted photo of a {}.",
    "a blurry photo of the {}.",
    "a photo of the {}.",
    "a good photo of the {}.",
    "a photo of one {}.",
    "a close-up photo of the {}.",
    "a photo of a {}.",
    "a low resolution photo of a {}.",
    "a photo of a large {}.",
    "a blurry photo of a {}.",
    "a jpeg corrupted photo of the {}.",
    "a good photo of a {}.",
    "a photo of the small {}.",
    "a photo of the large {}.",
    "a black and white photo of a {}.",
    "a dark photo of a {}.",
    "a photo of a cool {}.",
    "a photo of a small {}.",
    "there is a {} in the scene.",
    "there is the {} in the scene.",
    "this is a {} in the scene.",
    "this is the {} in the scene.",
    "this is one {} in the scene.",
)

_TWO_STATES = (("normal {}",), ("anomalous {}",))

ENSEMBLES: dict[str, Ensemble] = {
    entry.name: entry
    for entry in (
        Ensemble(
            "clip",
            "AnomalyCLIP, appendix, baseline CLIP",
            *_TWO_STATES,
            ("a photo of a {}",),
            articles=True,
            plain=True,
        ),
        Ensemble(
            "clip-ac",
            "AnomalyCLIP, appendix, baseline CLIP-AC",
            *_TWO_STATES,
            _IMAGENET_TEMPLATES,
            articles=True,
            plain=True,
        ),
        Ensemble("winclip-ensemble", "WinCLIP, CVPR 2023", _WINCLIP_NORMAL, _WINCLIP_ABNORMAL, _WINCLIP_TEMPLATES),
        Ensemble(
            "april-gan-ensemble",
            "VAND-APRIL-GAN 2023; the ensemble inside the AnomalyCLIP reference code",
            _WINCLIP_NORMAL,
            ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage"),
            _APRIL_GAN_TEMPLATES,
        ),
    )
}
"""Hand-written ensembles by name."""

NAMES: tuple[str, ...] = tuple(ENSEMBLES)
"""Names the command line offers."""


def get_ensemble(name: str) -> Ensemble:
    """The ensemble called ``name``; raises :class:`PromptError` that lists the names."""
    if name not in ENSEMBLES:
        raise PromptError(f"no hand-written prompts are called {name!r}; choose one of {', '.join(NAMES)}")
    return ENSEMBLES[name]


@torch.no_grad()
def ensemble_text_features(
    clip: TextEncoder,
    tokenizer: Tokenizer,
    class_name: str = OBJECT,
    ensemble: Ensemble | str = "clip",
    batch_size: int = 64,
) -> Tensor:
    """One embedding per side: mean of the normalised sentence features, normalised again (CLIP, section 3.1.4).

    Args:
        clip: encodes token ids (B, C) to features (B, E).
        tokenizer: of that CLIP.
        class_name: fills the sentences; "object" for an object-agnostic pair.
        ensemble: one of :data:`ENSEMBLES`, or its name.
        batch_size: sentences encoded at once.

    Returns:
        (2, E) on the encoder's device, L2-normalised; index 0 normal, 1 abnormal.

    Raises:
        PromptError: unknown ensemble or empty class name.
        InputError: a sentence does not fit the context length.
    """
    if isinstance(ensemble, str):
        ensemble = get_ensemble(ensemble)
    sides = [_mean_direction(clip, tokenizer, side, batch_size) for side in ensemble.sentences(class_name)]
    return torch.stack(sides)


def _mean_direction(clip: TextEncoder, tokenizer: Tokenizer, sentences: list[str], batch_size: int) -> Tensor:
    device = _device_of(clip)
    parts = []
    for start in range(0, len(sentences), batch_size):
        tokens = tokenizer.encode_batch(sentences[start : start + batch_size]).to(device)
        features = clip.encode_text(tokens)
        parts.append(features / features.norm(dim=-1, keepdim=True))
    mean = torch.cat(parts).mean(dim=0)
    direction: Tensor = mean / mean.norm()
    return direction


def _device_of(clip: TextEncoder) -> torch.device:
    if isinstance(clip, torch.nn.Module):
        return next((parameter.device for parameter in clip.parameters()), torch.device("cpu"))
    return torch.device("cpu")
