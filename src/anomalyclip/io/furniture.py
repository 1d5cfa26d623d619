"""What stands around an overlay: colour bar, caption, the untouched image beside it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

_WHITE = 255
PAPER, INK, FAINT = (_WHITE, _WHITE, _WHITE), (32, 34, 38), (150, 152, 156)
_DECISION_INK = {"anomalous": (178, 34, 0), "normal": (0, 92, 140)}  # red and blue: apart for colour-blind eyes too


def unit_of(size: tuple[int, int]) -> int:
    """Font size in pixels for a picture of this size: 12 for small ones, in proportion for large ones, at most 96."""
    return int(min(96, max(12, round((size[0] * size[1]) ** 0.5 / 36))))


@lru_cache(maxsize=16)
def _font(unit: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(unit)


def laid_out(
    pixels: npt.NDArray[np.uint8],
    unit: int,
    *,
    bar: npt.NDArray[np.uint8] | None = None,
    words: npt.NDArray[np.uint8] | None = None,
    side_by_side: bool = False,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A white canvas with a copy of the picture, and the view of that copy, to draw in.

    pixels: (H, W, 3) uint8. bar: on its right, centred, see `colour_bar_of`. words: below, see `caption`.
    side_by_side: the picture once more on its left, with a gap, which stays as it is.
    """
    high, wide = pixels.shape[:2]
    left = wide + max(2, unit // 3) if side_by_side else 0
    right, bottom = left + wide, high if bar is None else max(high, len(bar))
    width = right + (0 if bar is None else bar.shape[1])
    size = (bottom, width) if words is None else (bottom + len(words), max(width, unit // 2 + words.shape[1]))
    canvas = np.full((*size, 3), _WHITE, np.uint8)
    picture = canvas[:high, left:right]
    picture[...] = pixels
    if side_by_side:
        canvas[:high, :wide] = pixels
    if bar is not None:
        top = (bottom - len(bar)) // 2
        canvas[top : top + len(bar), right:width] = bar
    if words is not None:
        canvas[bottom:, : words.shape[1]] = words
    return canvas, picture


def bar_height(picture: int, unit: int) -> int:
    """Of the colour bar beside a picture of so many pixels, without the white above and below."""
    return min(max(picture, 7 * unit) - 2 * (unit // 2), 60 * unit)


def colour_bar_of(
    column: npt.NDArray[np.uint8], height: int, vmin: float, vmax: float, threshold: float | None, unit: int
) -> npt.NDArray[np.uint8]:
    """The scale, (H, W, 3), read-only: `column` (256, 3) from `vmin` at the bottom to `vmax` at the top, and labels."""
    font, pad, wide = _font(unit), unit // 2, unit
    ticks = np.linspace(vmin, vmax, 5 if height >= 9 * unit else 3)
    labels = [f"{value:.3g}" for value in ticks]
    text = round(max(font.getlength(label) for label in labels))
    paper = Image.new("RGB", (pad + wide + pad + text + pad, height + 2 * pad), PAPER)
    left = top = pad
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
    return _read_only(paper)


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


def caption(
    score: float | None,
    decision: str | None,
    score_threshold: float | None,
    region_threshold: float | None,
    unit: int,
) -> npt.NDArray[np.uint8]:
    """The line below a picture, (H, W, 3) uint8: see `caption_parts`."""
    parts = caption_parts(score, decision, score_threshold, region_threshold)
    return np.concatenate([_words(text, ink, unit) for text, ink in parts], axis=1)


@lru_cache(maxsize=8)  # only the score differs from picture to picture
def _words(text: str, ink: tuple[int, int, int], unit: int) -> npt.NDArray[np.uint8]:
    """Words on paper with half a unit of it around them."""
    font, pad = _font(unit), unit // 2
    paper = Image.new("RGB", (round(font.getlength(text)) + unit, unit + 2 * pad), PAPER)
    ImageDraw.Draw(paper).text((pad, paper.height - pad - unit // 2), text, fill=ink, font=font, anchor="lm")
    return _read_only(paper)


def _read_only(paper: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.array(paper)
    pixels.flags.writeable = False
    return pixels
