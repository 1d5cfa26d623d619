"""What stands around an overlay: colour bar, caption, the untouched image beside it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

PAPER, INK, FAINT = (255, 255, 255), (32, 34, 38), (150, 152, 156)
_DECISION_INK = {"anomalous": (178, 34, 0), "normal": (0, 92, 140)}  # red and blue: apart for colour-blind eyes too


def unit_of(size: tuple[int, int]) -> int:
    """Font size in pixels for a picture of this size: 12 for small ones, in proportion for large ones, at most 96."""
    return int(min(96, max(12, round((size[0] * size[1]) ** 0.5 / 36))))


@lru_cache(maxsize=16)
def _font(unit: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(unit)


def _on_paper(picture: Image.Image, right: int, bottom: int, min_width: int = 0, min_height: int = 0) -> Image.Image:
    size = max(picture.width + right, min_width), max(picture.height, min_height) + bottom
    paper = Image.new("RGB", size, PAPER)
    paper.paste(picture)
    return paper


def beside(left: Image.Image, right: Image.Image, unit: int) -> Image.Image:
    """Two pictures of one height with a gap between them."""
    gap = max(2, unit // 3)
    paper = _on_paper(left, gap + right.width, 0)
    paper.paste(right, (left.width + gap, 0))
    return paper


def add_colour_bar(
    picture: Image.Image,
    column: npt.NDArray[np.uint8],
    vmin: float,
    vmax: float,
    threshold: float | None,
    unit: int,
) -> Image.Image:
    """Add the scale on the right: `column` (256, 3) from `vmin` at the bottom to `vmax` at the top, with labels."""
    font, pad, wide = _font(unit), unit // 2, unit
    height = min(max(picture.height, 7 * unit) - 2 * pad, 60 * unit)
    ticks = np.linspace(vmin, vmax, 5 if height >= 9 * unit else 3)
    labels = [f"{value:.3g}" for value in ticks]
    text = round(max(font.getlength(label) for label in labels))
    paper = _on_paper(picture, pad + wide + pad + text + pad, 0, min_height=height + 2 * pad)
    left, top = picture.width + pad, (paper.height - height) // 2
    bar = Image.fromarray(np.ascontiguousarray(column[::-1, None])).resize((wide, height), Image.Resampling.BILINEAR)
    paper.paste(bar, (left, top))
    pen, line = ImageDraw.Draw(paper), max(1, unit // 12)
    pen.rectangle((left - line, top - line, left + wide + line - 1, top + height + line - 1), outline=FAINT, width=line)
    for value, label in zip(ticks, labels, strict=True):
        y = top + round((vmax - value) / (vmax - vmin) * (height - 1))
        pen.line((left + wide, y, left + wide + pad // 2, y), fill=INK, width=line)
        at = min(max(y, top + unit // 3), top + height - unit // 3)  # the end labels stay beside the bar
        pen.text((left + wide + pad, at), label, fill=INK, font=font, anchor="lm")
    if threshold is not None and vmin <= threshold <= vmax:
        y = top + round((vmax - threshold) / (vmax - vmin) * (height - 1))
        pen.line((left - line, y, left + wide + line - 1, y), fill=(20, 20, 20), width=3 * line)
        pen.line((left - line, y, left + wide + line - 1, y), fill=(255, 255, 255), width=line)
    return paper


def caption_parts(
    score: float | None, decision: str | None, score_threshold: float | None, region_threshold: float | None
) -> list[tuple[str, tuple[int, int, int]]]:
    """Words and their ink: the score beside what it was compared with, and, told apart, where regions begin.

    >>> [words for words, _ in caption_parts(0.96, "normal", 0.98, 0.944)]
    ['score 0.960', 'normal, below 0.980', 'regions from 0.944']
    """
    parts = [(f"score {score:.3f}", INK)] if score is not None else []
    against = "" if score_threshold is None else f"{score_threshold:.3f}"
    if decision is not None:
        beside = {"anomalous": f", from {against} on", "normal": f", below {against}"}.get(decision, f", {against}")
        parts.append((decision + (beside if against else ""), _DECISION_INK.get(decision, INK)))
    elif against:
        parts.append((f"threshold {against}", FAINT))
    if region_threshold is not None:
        parts.append((f"regions from {region_threshold:.3f}", FAINT))
    return parts


def add_caption(
    picture: Image.Image,
    score: float | None,
    decision: str | None,
    score_threshold: float | None,
    region_threshold: float | None,
    unit: int,
) -> Image.Image:
    """Add one line below: see `caption_parts`."""
    font, pad = _font(unit), unit // 2
    parts = caption_parts(score, decision, score_threshold, region_threshold)
    widths = [round(font.getlength(text)) + unit for text, _ in parts]
    paper = _on_paper(picture, 0, unit + 2 * pad, min_width=pad + sum(widths))
    pen, x, y = ImageDraw.Draw(paper), pad, paper.height - pad - unit // 2
    for (text, ink), width in zip(parts, widths, strict=True):
        pen.text((x, y), text, fill=ink, font=font, anchor="lm")
        x += width
    return paper
