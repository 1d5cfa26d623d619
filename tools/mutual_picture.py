"""Draws docs/images/mutual-failures.png: python tools/mutual_picture.py

21 constructed pictures of one part (81 patches, features of 32 numbers, 30% noise). Left: one fault, the same in 1 to 9
pictures; right: one faulty picture and 0 to 3 copies of it. The score of the fault's patch over that of a normal patch
(median), by the published form and by the robust one of `anomalyclip.judges.mutual`: at 1 the fault is not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from anomalyclip.judges.mutual import mutual_scores, mutual_scores_robust

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "mutual-failures.png"
PICTURES, PATCHES, WIDTH, PLACE = 21, 81, 32, 40
FORMS = {"published": mutual_scores, "robust": mutual_scores_robust}
Score = Callable[..., np.ndarray]


def part(seed: int = 0) -> np.ndarray:
    """(PICTURES, PATCHES, WIDTH): the same part with noise."""
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=(1, PATCHES, WIDTH))
    return (plain + 0.3 * rng.normal(size=(PICTURES, PATCHES, WIDTH))).astype(np.float32)


def contrast(form: Score, tokens: np.ndarray) -> float:
    """The fault's score over a normal patch's."""
    scores = form({1: tokens}, (1,))
    return float(scores[0, PLACE] / np.median(scores))


def repeated(form: Score, times: int) -> float:
    """With the same fault in so many pictures, each with noise of its own."""
    tokens, rng = part(), np.random.default_rng(1)
    fault = 1.5 * rng.normal(size=WIDTH)
    tokens[:times, PLACE] = fault + 0.1 * rng.normal(size=(times, WIDTH))
    return contrast(form, tokens)


def copied(form: Score, copies: int) -> float:
    """With copies of the faulty picture."""
    tokens = part()
    tokens[0, PLACE] = 1.5 * np.random.default_rng(1).normal(size=WIDTH)
    tokens[1 : 1 + copies] = tokens[0]
    return contrast(form, tokens[: 7 + copies])


def main() -> None:
    """Both panels."""
    figure, panels = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
    cases = (
        (repeated, range(1, 10), "pictures with the same fault, of 21"),
        (copied, range(4), "copies of the picture"),
    )
    for panel, (case, values, label) in zip(panels, cases, strict=True):
        for name, form in FORMS.items():
            panel.plot(list(values), [case(form, value) for value in values], marker="o", label=name)
        panel.axhline(1, color="grey", linewidth=0.8, linestyle="--")
        panel.set_xlabel(label)
        panel.set_xticks(list(values))
    panels[0].set_ylabel("fault / normal patch")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
