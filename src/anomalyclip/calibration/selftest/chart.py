"""Which painted faults a line finds: the detection chart of `anomalyclip calibrate`.

A prognosis, not a promise: painted faults are simpler than real ones. How well it ranks what is found of real ones
stands in docs/memory-log.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from anomalyclip.calibration.profile_parts import PaintedFault, SelfTest
from anomalyclip.calibration.selftest.painters import KINDS, paint

if TYPE_CHECKING:
    from anomalyclip.calibration.gathering import Gatherer, Good
    from anomalyclip.judges.memory.held_out import HeldOut
    from anomalyclip.judges.memory.line import Line

SIZES = (0.05, 0.1, 0.2)
"""Shares of the picture's shorter side that a fault reaches over."""

CONTRASTS = (0.15, 0.4)
"""Shares of the grey scale."""

SECONDS = 60
"""After so long no further fault is painted, once every kind was tried: a slow model gets a smaller chart."""

SEED = 0


class Tried(NamedTuple):
    """One painted fault, and what the picture scores with it; above 0.5 it is found."""

    kind: str
    size: float
    contrast: float
    score: float


def try_faults(
    gatherer: Gatherer,
    line: Line,
    pictures: Sequence[Good],
    held: Sequence[HeldOut],
    advance: Callable[[], object] = lambda: None,
    *,
    seconds: float = SECONDS,
) -> list[Tried]:
    """Every kind in every size and contrast, each on one of the memory's pictures, which is left out of it.

    Fewer where the model is slow, see :data:`SECONDS`.

    pictures: of the line's bank. held: each of them against it.

    Raises ImageReadError where a picture has gone meanwhile.
    """
    rng = np.random.default_rng(SEED)
    tried = []
    end = time.monotonic() + seconds
    for index, (kind, size, contrast) in enumerate(plan()):
        if index >= len(KINDS) and time.monotonic() > end:
            break
        number = index % len(pictures)
        picture = pictures[number]
        original = picture.original()
        painted, _ = paint(kind, np.asarray(original), size * min(original.size), contrast, rng)
        seen = gatherer.seen(Image.fromarray(painted), picture.views)
        score = float(line.score_scale(line.raw_scores(held[number].repainted(seen).parts())).max())
        tried.append(Tried(kind, size, contrast, score))
        advance()
    return tried


def plan() -> list[tuple[str, float, float]]:
    """(kind, size, contrast) of every fault: each ten hold every kind and size, and so do charts cut short."""
    turns = range(len(SIZES))
    return [
        (kind, SIZES[(number + turn) % len(SIZES)], contrast)
        for contrast in CONTRASTS[::-1]
        for turn in turns
        for number, kind in enumerate(KINDS)
    ]


def found_share(tried: Sequence[Tried], *, kind: str | None = None, size: float | None = None) -> float:
    """The share that is found, of a kind or size if given; NaN of none.

    >>> tried = [Tried("crack", 0.1, 0.4, 0.7), Tried("stain", 0.1, 0.4, 0.3)]
    >>> found_share(tried), found_share(tried, kind="crack")
    (0.5, 1.0)
    """
    scores = [one.score for one in tried if kind in (None, one.kind) and size in (None, one.size)]
    return float(np.mean([score > 0.5 for score in scores])) if scores else float("nan")


def summary_of(tried: Sequence[Tried]) -> SelfTest:
    """What a profile keeps."""
    kinds = {kind: found_share(tried, kind=kind) for kind in KINDS if any(one.kind == kind for one in tried)}
    faults = tuple(PaintedFault(**one._asdict()) for one in tried)
    return SelfTest(faults=len(tried), found=found_share(tried), kinds=kinds, tried=faults)


def chart_lines(tried: Sequence[Tried], rate: float, at_tenth: float | None = None) -> list[str]:
    """For people: what share of which painted faults is found, and what would help.

    at_tenth: where the line would lie at 10% false alarms.
    """
    sizes = [size for size in SIZES if any(one.size == size for one in tried)]
    by_size = ", ".join(f"{found_share(tried, size=size):.0%} at {size:.0%} of the side" for size in sizes)
    kinds = sorted(KINDS, key=lambda kind: -found_share(tried, kind=kind))
    lines = [
        f"self-test at {rate:.2g} false alarms, {len(tried)} faults painted on these pictures: "
        f"{found_share(tried):.0%} found; {by_size}",
        "  by kind: " + ", ".join(f"{kind} {found_share(tried, kind=kind):.0%}" for kind in kinds),
    ]
    if found_share(tried, size=sizes[0]) < found_share(tried, size=sizes[-1]) - 0.4:
        lines.append("  small faults are missed: --tile or a region of interest shows them larger")
    wider = None if at_tenth is None or rate >= 0.1 else float(np.mean([one.score > at_tenth for one in tried]))
    if wider is not None and wider >= found_share(tried) + 0.05:
        lines.append(f"  at --fpr 0.1 these pictures would find {wider:.0%}")
    if found_share(tried) < 0.4:
        lines.append(
            "  much is missed: more good pictures (--more) draw a line nearer to them, and --tile looks closer"
        )
    faint = found_share([one for one in tried if one.contrast == CONTRASTS[0]])
    if faint < found_share([one for one in tried if one.contrast == CONTRASTS[-1]]) - 0.4:
        lines.append("  faint faults are missed: steadier light and exposure let good pictures differ less")
    return lines
