"""Settings that lay an image out before the model."""

from __future__ import annotations

from anomalyclip.settings import panels
from anomalyclip.settings.faces import CALIBRATE, DETECT, PYTHON, WATCH
from anomalyclip.settings.reading import scales_of
from anomalyclip.settings.setting import Range, Setting

_WHERE = (DETECT, CALIBRATE, WATCH, PYTHON)
_LAYOUT = "layout"

SMALLEST_TILE = 16

LAYOUT: tuple[Setting, ...] = (
    Setting(
        name="tile",
        type=int,
        help="Cut images into tiles of so many pixels and blend their maps; the score is the highest tile's.",
        where=_WHERE,
        range=Range(SMALLEST_TILE, 10**6, "pixels of the image"),
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
    Setting(
        name="overlap",
        type=float,
        help="Share of a tile in common with the next (default: 0.25).",
        where=_WHERE,
        method=0.25,
        range=Range(0, 0.75, "a share"),  # beyond, the tiles' number grows and nothing is gained
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
    Setting(
        name="scales",
        type=float,
        many=True,
        help="Magnifications to average, such as 0.5,1,2: of the tiles, else of the model's input.",
        where=_WHERE,
        range=Range(1 / 16, 16, "magnifications"),
        panel=panels.LAYOUT,
        read=scales_of,
        part=_LAYOUT,
    ),
    Setting(
        name="keep_aspect",
        type=bool,
        default=False,
        help="Do not squeeze long images into a square (up to 4:1).",
        where=_WHERE,
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
    Setting(
        name="roi",
        type=object,
        metavar="FILE|X,Y,W,H",
        help="Region of interest: a mask (white inside) or a box in pixels. The model sees its box only.",
        where=_WHERE,
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
    Setting(
        name="ignore_mask",
        type=object,
        metavar="FILE|DIR",
        help="White where to ignore: one mask for all images, or a folder of masks by the images' names.",
        where=_WHERE,
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
)
