"""Hand-written prompts with class names, the baselines of the paper (METHOD section 9).

A sentence is ``template.format(state.format(class_name))``; use the class name "object" for an object-agnostic variant.
"""

from __future__ import annotations

from dataclasses import dataclass

from anomalyclip.errors import PromptError
from anomalyclip.prompts.sentences import (
    APRIL_GAN_TEMPLATES,
    IMAGENET_TEMPLATES,
    WINCLIP_ABNORMAL,
    WINCLIP_NORMAL,
    WINCLIP_TEMPLATES,
)
from anomalyclip.prompts.settings import OBJECT

_SLOT = "{}"


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
            IMAGENET_TEMPLATES,
            articles=True,
            plain=True,
        ),
        Ensemble("winclip-ensemble", "WinCLIP, CVPR 2023", WINCLIP_NORMAL, WINCLIP_ABNORMAL, WINCLIP_TEMPLATES),
        Ensemble(
            "april-gan-ensemble",
            "VAND-APRIL-GAN 2023; the ensemble inside the AnomalyCLIP reference code",
            WINCLIP_NORMAL,
            ("damaged {}", "broken {}", "{} with flaw", "{} with defect", "{} with damage"),
            APRIL_GAN_TEMPLATES,
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
