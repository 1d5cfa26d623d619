"""How normal and damaged things are spoken of: the words behind the two states during pretraining."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

NOUNS = ("object", "part", "surface", "product", "item", "material", "thing", "specimen", "tissue", "component")
TEMPLATES = (
    "a photo of a {}.",
    "a close-up photo of a {}.",
    "a cropped photo of the {}.",
    "a grey photo of a {}.",
    "an image of the {} for inspection.",
    "{}",
    "there is a {} in the picture.",
    "a low resolution photo of a {}.",
)
NORMAL = (
    "{}",
    "normal {}",
    "flawless {}",
    "perfect {}",
    "undamaged {}",
    "intact {}",
    "healthy {}",
    "{} without defect",
    "{} without flaw",
    "{} without damage",
    "good {}",
)
ABNORMAL = (
    "damaged {}",
    "defective {}",
    "broken {}",
    "abnormal {}",
    "anomalous {}",
    "faulty {}",
    "{} with a defect",
    "{} with a flaw",
    "{} with damage",
    "unhealthy {}",
    "bad {}",
)


def state_phrases(rng: np.random.Generator, count: int, subjects: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """``count`` sentences for the normal and for the abnormal state, with the same nouns and templates.

    ``subjects`` (what the images of the batch show) are mixed into the object-agnostic nouns.
    """
    nouns = [
        str(rng.choice(subjects)) if len(subjects) and rng.random() < 0.3 else str(rng.choice(NOUNS))
        for _ in range(count)
    ]
    templates = [str(rng.choice(TEMPLATES)) for _ in range(count)]
    pairs = list(zip(templates, nouns, strict=True))
    normal = [template.format(str(rng.choice(NORMAL)).format(noun)) for template, noun in pairs]
    abnormal = [template.format(str(rng.choice(ABNORMAL)).format(noun)) for template, noun in pairs]
    return normal, abnormal
