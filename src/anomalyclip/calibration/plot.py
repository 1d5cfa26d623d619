"""A picture of a profile: what normal images score, and where the thresholds stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from anomalyclip.calibration.plot_parts import BLUE, FAINT, GREEN, INK, PAPER, RED, WIDTH, Colour, font
from anomalyclip.calibration.plot_pictures import draw_chart, draw_unusual

if TYPE_CHECKING:
    from anomalyclip.calibration.making import Unusual
    from anomalyclip.calibration.profile import Profile
    from anomalyclip.calibration.selftest.chart import Tried

SIZE = (WIDTH, 460)  # of a histogram
BINS = 48
_ROUNDING = 1e-9  # of a step: a tick at the very end stays
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 92, 66  # margins of a panel


@dataclass(frozen=True)
class _Line:
    at: float
    colour: Colour
    label: str


def draw_profile(
    profile: Profile,
    anomalies: Sequence[float] | None = None,
    *,
    unusual: Sequence[Unusual] = (),
    tried: Sequence[Tried] = (),
) -> Image.Image:
    """Two histograms, of image scores and of map peaks of the normal images, with their thresholds; RGB.

    anomalies: image scores of labelled anomalies, drawn over the normal ones. unusual: the pictures that set the
    threshold, shown below. tried: the self-test, whose chart ends the picture.
    """
    lines = [_Line(profile.image.threshold, BLUE, f"{profile.image.rate:.3g} of normal images may lie above")]
    if profile.operating is not None:
        lines.append(_Line(profile.operating.threshold, GREEN, f"chosen by {profile.operating.by}"))
    rule = "normal images may lie" if profile.pixel.rule == "image" else "the pixels of normal images may lie"
    word = f"{profile.pixel.rate:.3g} of {rule} above"
    panels = [
        _panel(
            f"{profile.name}: image scores of {profile.count:,} normal images", profile.image.scores, lines, anomalies
        ),
        _panel("peaks of their anomaly maps", profile.pixel.peaks, [_Line(profile.pixel.threshold, BLUE, word)], None),
    ]
    panels += [draw_unusual(unusual, profile)] if unusual else []
    panels += [draw_chart(tried, profile.image.rate)] if tried else []
    paper = Image.new("RGB", (SIZE[0], sum(panel.height for panel in panels)), PAPER)
    top = 0
    for panel in panels:
        paper.paste(panel, (0, top))
        top += panel.height
    return paper


def _panel(title: str, normals: Sequence[float], lines: list[_Line], anomalies: Sequence[float] | None) -> Image.Image:
    groups = [(np.asarray(normals), BLUE, "normal")]
    if anomalies:
        groups.append((np.asarray(anomalies), RED, f"{len(anomalies):,} anomalous"))
    low, high = _extent([*(values for values, _, _ in groups), np.array([line.at for line in lines])])
    paper = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(paper, "RGBA")
    counts = [np.histogram(np.clip(values, low, high), BINS, (low, high))[0] for values, _, _ in groups]
    tallest = max(int(one.max()) for one in counts)
    for (_, colour, _), heights in zip(groups, counts, strict=True):
        _bars(pen, heights, tallest, colour)
    _axes(pen, low, high, tallest)
    for line in lines:
        x = _place(line.at, low, high)
        pen.line((x, _TOP, x, SIZE[1] - _BOTTOM), fill=line.colour, width=2)
    pen.text((_LEFT, 14), title, fill=INK, font=font(20))
    words = [(f"| {line.at:.4g}: {line.label}", line.colour) for line in lines]
    _legend(pen, words + ([(name, colour) for _, colour, name in groups] if anomalies else []))
    return paper


def _extent(parts: list[np.ndarray[tuple[int], np.dtype[np.float64]]]) -> tuple[float, float]:
    """All values with some air; never empty."""
    values = np.concatenate(parts)
    low, high = float(values.min()), float(values.max())
    air = (high - low) * 0.04 or max(0.01, abs(high) * 0.04)
    return max(0.0, low - air), high + air


def _place(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (SIZE[0] - _LEFT - _RIGHT)


def _bars(
    pen: ImageDraw.ImageDraw, heights: np.ndarray[tuple[int], np.dtype[np.int64]], most: int, ink: Colour
) -> None:
    width, floor = (SIZE[0] - _LEFT - _RIGHT) / BINS, SIZE[1] - _BOTTOM
    for i, count in enumerate(heights):
        if count:
            top = floor - int(count) / most * (floor - _TOP)
            left = _LEFT + i * width
            pen.rectangle((left + 1, top, left + width - 1, floor), fill=(*ink, 150))


def _axes(pen: ImageDraw.ImageDraw, low: float, high: float, most: int) -> None:
    floor = SIZE[1] - _BOTTOM
    pen.line((_LEFT, floor, SIZE[0] - _RIGHT, floor), fill=INK, width=1)
    for value in round_ticks(low, high):
        x = _place(value, low, high)
        pen.line((x, floor, x, floor + 6), fill=INK, width=1)
        pen.text((x, floor + 10), f"{value:.3g}", fill=INK, font=font(15), anchor="ma")
    pen.text((_LEFT - 10, _TOP), f"{most:,}", fill=FAINT, font=font(15), anchor="rm")
    pen.text((_LEFT - 10, floor), "0", fill=FAINT, font=font(15), anchor="rm")
    pen.text((SIZE[0] // 2, SIZE[1] - 22), "anomaly value, 0 to 1", fill=FAINT, font=font(15), anchor="mm")


def round_ticks(low: float, high: float) -> list[float]:
    """The multiples of 1, 2 or 5 times a power of ten within [low, high], six at most.

    >>> [round(tick, 9) for tick in round_ticks(0.0825, 0.547)]
    [0.1, 0.2, 0.3, 0.4, 0.5]
    """
    tenth = 10.0 ** math.floor(math.log10((high - low) / 6))
    for step in (times * tenth for times in (1, 2, 5, 10)):
        first, last = math.ceil(low / step - _ROUNDING), math.floor(high / step + _ROUNDING)
        if last - first < 6:
            break
    return [number * step for number in range(first, last + 1)]


def _legend(pen: ImageDraw.ImageDraw, words: list[tuple[str, Colour]]) -> None:
    x: float = _LEFT
    for text, colour in words:
        pen.text((x, 50), text, fill=colour, font=font(16))
        x += font(16).getlength(text) + 28
