"""The heat map over its image, on a fixed colour scale: equal colours mean equal scores in any two pictures.

The colours are Inferno's: lightness rises evenly with the value, so the map reads alike in grey print and for
colour-blind eyes (a rainbow such as Turbo does neither), and its warm upper half stands out from most materials.
Opacity rises with the value too: where nothing is suspicious the image itself stays visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from anomalyclip.errors import InputError
from anomalyclip.io.furniture import bar_height, caption, colour_bar_of, laid_out, unit_of

Box = Sequence[int]
_MIN_SIDE = 256  # smaller images are enlarged by a whole factor as soon as text stands beside them
_ROWS = 128  # drawn at once: their numbers stay in the processor's cache, and few megabytes are held


def draw_overlay(
    image: Image.Image,
    anomaly_map: npt.ArrayLike,
    *,
    alpha: float = 0.65,
    vmin: float = 0.0,
    vmax: float = 1.0,
    threshold: float | None = None,
    score: float | None = None,
    score_threshold: float | None = None,
    decision: str | None = None,
    regions: Sequence[Box] | None = None,
    valid: npt.NDArray[np.bool_] | None = None,
    colour_bar: bool = True,
    side_by_side: bool = False,
) -> Image.Image:
    """Draw an anomaly map over its image.

    Args:
        image: the image, any mode.
        anomaly_map: (H, W) numbers; scaled bilinearly where its size is not the image's. NaN stays without colour.
        alpha: opacity in [0, 1] at `vmax`; it falls linearly to 0 at `vmin`.
        vmin, vmax: the ends of the colour scale. Keep them fixed within a project, never per image.
        threshold: outline where the map reaches this value, and mark it on the colour bar and in the caption.
        score, score_threshold, decision: a caption below the picture; `score_threshold` is what the score was compared
            with, another number than `threshold`.
        regions: boxes (left, top, width, height) in pixels of the image, drawn as frames.
        valid: (H, W) False where pixels do not count; they are dimmed and hatched, without colour.
        colour_bar: add the scale with its labels on the right.
        side_by_side: put the untouched image on the left.

    Returns:
        An RGB picture. Without caption, colour bar and `side_by_side` it has exactly the image's size; otherwise
        images smaller than 256 pixels are enlarged by a whole factor so that the text is readable beside them.

    Raises:
        InputError: the map is not two-dimensional, `vmin` is not below `vmax`, or `alpha` is outside [0, 1].
    """
    if not vmin < vmax:
        raise InputError(f"the colour scale runs from {vmin} to {vmax}; expected vmin below vmax")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}, expected a value in [0, 1]")
    captioned = score is not None or decision is not None
    bare = not (colour_bar or side_by_side or captioned)
    plain = _enlarged(image if image.mode == "RGB" else image.convert("RGB"), 1 if bare else _factor(image))
    values = _fitted(anomaly_map, plain.size)
    unit = unit_of(plain.size)
    scale = float(vmin), float(vmax), None if threshold is None else float(threshold)
    canvas, picture = laid_out(
        np.asarray(plain),
        unit,
        bar=_bar(bar_height(plain.height, unit), float(alpha), *scale, unit) if colour_bar else None,
        words=caption(score, decision, score_threshold, threshold, unit) if captioned else None,
        side_by_side=side_by_side,
    )
    blend(picture, values if (vmin, vmax) == (0, 1) else (values - vmin) / (vmax - vmin), alpha)
    counted = valid if valid is None or valid.shape[::-1] == plain.size else _fitted(valid, plain.size) >= 0.5
    if counted is not None:
        _hatch(picture, counted, unit)
    if threshold is not None:
        _outline(picture, values >= threshold if counted is None else (values >= threshold) & counted, unit)
    _frames(picture, regions or (), plain.width / image.width, unit)
    return Image.fromarray(canvas)


def _factor(image: Image.Image) -> int:
    return max(1, -(-_MIN_SIDE // max(image.size)))


def _enlarged(image: Image.Image, factor: int) -> Image.Image:
    # Nearest: whoever looks at a 32-pixel image wants to see its pixels.
    return (
        image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST) if factor > 1 else image
    )


def _fitted(anomaly_map: npt.ArrayLike, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    import cv2

    values: npt.NDArray[Any] = np.asarray(anomaly_map, dtype=np.float32)
    if values.ndim != 2 or not values.size:
        raise InputError(f"an anomaly map has shape (height, width), got {values.shape}; pass one map at a time")
    if values.shape[::-1] != size:
        values = cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)
    return values


@lru_cache(maxsize=1)
def colours() -> npt.NDArray[np.uint8]:
    """The colour map: (256, 3) uint8 RGB, row 0 for `vmin`, row 255 for `vmax`; read-only."""
    import cv2

    ramp = np.arange(256, dtype=np.uint8)[:, None]
    table: npt.NDArray[Any] = np.ascontiguousarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1])
    table.flags.writeable = False
    return table


@lru_cache(maxsize=4)
def _tables(alpha: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For each of 256 levels the share of the image that is kept, (256,), and the tint, (3, 256), plus a half."""
    opacity = np.arange(256, dtype=np.float32) / np.float32(255) * np.float32(alpha)
    return 1 - opacity, np.ascontiguousarray((colours() * opacity[:, None] + np.float32(0.5)).T)


def blend(picture: npt.NDArray[np.uint8], unit: npt.NDArray[np.float32], alpha: float) -> None:
    """Lay the colours of `unit` (H, W), clipped to [0, 1], over `picture` (H, W, 3) uint8, in place.

    Works on 256 levels, channel by channel (a table of one channel is looked up twice as fast), and in strips, so
    that a 12-megapixel image needs a few megabytes beyond itself.
    """
    import cv2

    keep, tints = _tables(float(alpha))
    for row in range(0, len(picture), _ROWS):
        part, rows = np.fmax(unit[row : row + _ROWS], 0), picture[row : row + _ROWS]  # NaN is 0
        np.fmin(part, 1, out=part)
        part *= 255
        level = np.rint(part, out=part).astype(np.uint8)
        if not level.any():  # the image as it is
            continue
        kept, drawn = cv2.LUT(level, keep), []
        for channel, tint in zip(cv2.split(rows), tints, strict=True):
            mixed = channel.astype(np.float32)
            mixed *= kept
            mixed += cv2.LUT(level, tint)
            drawn.append(mixed.astype(np.uint8))  # cut off, which the half in `tint` makes rounding
        rows[...] = cv2.merge(drawn)


@lru_cache(maxsize=2)
def _bar(
    height: int, alpha: float, vmin: float, vmax: float, threshold: float | None, unit: int
) -> npt.NDArray[np.uint8]:
    """The colour bar, kept from picture to picture: most runs have one size and one scale. At most 9 MB."""
    return colour_bar_of(colour_column(alpha), height, vmin, vmax, threshold, unit)


def colour_column(alpha: float) -> npt.NDArray[np.uint8]:
    """What the colour bar shows, (256, 3) uint8 from `vmin` to `vmax`: the colours as they look on mid-grey."""
    column = np.full((256, 1, 3), 128, np.uint8)
    blend(column, np.linspace(0, 1, 256, dtype=np.float32)[:, None], alpha)
    return column[:, 0]


def _outline(picture: npt.NDArray[np.uint8], on: npt.NDArray[np.bool_], unit: int) -> None:
    import cv2

    found: Any = cv2.findContours(on.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
    width = max(1, unit // 12)
    # White with a dark seam is seen on any material.
    cv2.drawContours(picture, found, -1, (20, 20, 20), 3 * width)
    cv2.drawContours(picture, found, -1, (255, 255, 255), width)


def _hatch(picture: npt.NDArray[np.uint8], counted: npt.NDArray[np.bool_], unit: int) -> None:
    """Half the brightness with dark stripes: told apart from a dark image, too. In strips, as in `blend`."""
    columns = np.arange(picture.shape[1])
    for row in range(0, len(picture), _ROWS):
        part, outside = picture[row : row + _ROWS], ~counted[row : row + _ROWS]
        stripes = (np.arange(row, row + len(part))[:, None] + columns) % (2 * unit) < unit
        part[outside & stripes] //= 3
        part[outside & ~stripes] //= 2


def _frames(picture: npt.NDArray[np.uint8], regions: Sequence[Box], scale: float, unit: int) -> None:
    import cv2

    width = max(1, unit // 10)
    for left, top, wide, high in regions:
        corners = [round(v * scale) for v in (left, top, left + wide, top + high)]
        start, end = (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1)
        cv2.rectangle(picture, start, end, (20, 20, 20), 3 * width)
        cv2.rectangle(picture, start, end, (90, 200, 250), width)
