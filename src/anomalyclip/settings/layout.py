"""Settings that lay an image out before the model."""

from __future__ import annotations

from anomalyclip.settings import panels
from anomalyclip.settings.faces import CALIBRATE, DETECT, EVALUATE, PYTHON, REST, WATCH
from anomalyclip.settings.reading import BOX, SCALES, scales_of
from anomalyclip.settings.setting import Range, Setting

_WHERE = (DETECT, CALIBRATE, WATCH, EVALUATE, PYTHON, REST)
_LAYOUT = "layout"

SMALLEST_TILE = 16

LAYOUT: tuple[Setting, ...] = (
    Setting(
        "tile",
        int,
        "Cut images into tiles of so many pixels and blend their maps; the score is the highest tile's.",
        _WHERE,
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
        "scales",
        float,
        "Magnifications to average, such as 0.5,1,2: of the tiles, else of the model's input.",
        _WHERE,
        many=True,
        range=Range(1 / 16, 16, "magnifications"),
        panel=panels.LAYOUT,
        pattern=SCALES,
        read=scales_of,
        part=_LAYOUT,
    ),
    Setting(
        "keep_aspect",
        bool,
        "Do not squeeze long images into a square (up to 4:1).",
        _WHERE,
        default=False,
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
    Setting(
        "roi",
        object,
        "Region of interest: a mask (white inside) or a box in pixels. The model sees its box only.",
        _WHERE,
        metavar="FILE|X,Y,W,H",
        panel=panels.LAYOUT,
        part=_LAYOUT,
        differs={
            REST: {
                "type": str,
                "pattern": BOX,
                "help": "Region of interest X,Y,W,H in pixels: the model sees it only.",
            }
        },
    ),
    Setting(
        "ignore_mask",
        object,
        "White where to ignore: one mask for all images, or a folder of masks by the images' names.",
        _WHERE[:-1],
        metavar="FILE|DIR",
        panel=panels.LAYOUT,
        part=_LAYOUT,
    ),
)
