"""Panels of a profile's picture that show pictures: those that set the threshold, and the self-test's chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from anomalyclip.calibration.plot_parts import BLUE, FAINT, INK, PAPER, RED, WIDTH, font
from anomalyclip.calibration.selftest.chart import CONTRASTS, SIZES, found_share
from anomalyclip.calibration.selftest.painters import KINDS
from anomalyclip.io import read_image_bytes
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration.making import Unusual
    from anomalyclip.calibration.profile import Profile
    from anomalyclip.calibration.selftest.chart import Tried

_LEFT, _SHOWN, _HEAD = 70, 240, 80
_ROW, _CELL, _NAMES = 30, 96, 210
_LONGEST = 30  # letters of a name


def draw_unusual(unusual: Sequence[Unusual], profile: Profile) -> Image.Image:
    """The pictures that set the threshold, side by side, each with its score and the threshold without it."""
    paper = Image.new("RGB", (WIDTH, _HEAD + _SHOWN + 90), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((_LEFT, 14), "the most unusual good pictures: are they really good?", fill=INK, font=font(20))
    words = f"they set the threshold, {profile.image.threshold:.3f}; --drop NAME leaves one out"
    pen.text((_LEFT, 44), words, fill=FAINT, font=font(16))
    for column, (spoiler, thumbnail) in enumerate(unusual):
        left, below = _LEFT + column * (_SHOWN + 50), _HEAD + _SHOWN + 8
        if thumbnail is not None:
            shown = read_image_bytes(thumbnail)
            shown.thumbnail((_SHOWN, _SHOWN))
            paper.paste(shown, (left, _HEAD + _SHOWN - shown.height))
        name = printable(Path(spoiler.path).name)
        cut = name if len(name) <= _LONGEST else f"...{name[3 - _LONGEST :]}"
        pen.text((left, below), cut, fill=INK, font=font(16))
        pen.text((left, below + 22), f"scores {spoiler.score:.3f}", fill=RED, font=font(16))
        pen.text((left, below + 44), f"without it the threshold is {spoiler.without:.3f}", fill=BLUE, font=font(16))
    return paper


def draw_chart(tried: Sequence[Tried], rate: float) -> Image.Image:
    """Kinds of painted faults by size and contrast: found ones filled, missed ones empty, each with its score."""
    cells = [(size, contrast) for contrast in CONTRASTS[::-1] for size in SIZES]
    paper = Image.new("RGB", (WIDTH, _HEAD + 44 + _ROW * (len(KINDS) + 1)), PAPER)
    pen = ImageDraw.Draw(paper)
    title = f"self-test: {found_share(tried):.0%} of {len(tried)} painted faults found at {rate:.2g} false alarms"
    pen.text((_LEFT, 14), title, fill=INK, font=font(20))
    words = "columns: share of the side that a fault reaches over, and its contrast; above 0.500 it is found"
    pen.text((_LEFT, 44), words, fill=FAINT, font=font(16))
    for column, (size, contrast) in enumerate(cells):
        middle = _NAMES + (column + 0.5) * _CELL
        pen.text((middle, _HEAD + 10), f"{size:.0%}", fill=INK, font=font(15), anchor="mm")
        pen.text((middle, _HEAD + 28), f"contrast {contrast:.0%}", fill=FAINT, font=font(13), anchor="mm")
    for row, kind in enumerate(KINDS):
        top = _HEAD + 44 + row * _ROW
        pen.text((_NAMES - 14, top + _ROW / 2), kind, fill=INK, font=font(15), anchor="rm")
        for column, (size, contrast) in enumerate(cells):
            scores = [one.score for one in tried if (one.kind, one.size, one.contrast) == (kind, size, contrast)]
            if scores:
                _cell(pen, (_NAMES + column * _CELL, top), max(scores))
        share = found_share(tried, kind=kind)
        words = "" if share != share else f"{share:.0%}"
        pen.text((_NAMES + len(cells) * _CELL + 20, top + _ROW / 2), words, fill=INK, font=font(15), anchor="lm")
    return paper


def _cell(pen: ImageDraw.ImageDraw, corner: tuple[float, float], score: float) -> None:
    left, top = corner
    box, found = (left + 2, top + 2, left + _CELL - 2, top + _ROW - 2), score > 0.5
    pen.rectangle(box, fill=BLUE if found else PAPER, outline=BLUE if found else FAINT)
    middle = left + _CELL / 2, top + _ROW / 2
    pen.text(middle, f"{score:.3f}", fill=PAPER if found else INK, font=font(14), anchor="mm")
