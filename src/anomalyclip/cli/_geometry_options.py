"""Options that lay an image out before the model, shared by the verbs that score images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.geometry import Areas, Geometry

GEOMETRY = "Large and odd images"

Tile = Annotated[
    int | None,
    typer.Option(
        help="Cut images into tiles of so many pixels and blend their maps; the score is the highest tile's.",
        rich_help_panel=GEOMETRY,
        show_default=False,
    ),
]
Overlap = Annotated[
    float | None,
    typer.Option(
        help="Share of a tile in common with the next, 0 to 0.75 (default: 0.25).",
        rich_help_panel=GEOMETRY,
        show_default=False,
    ),
]
Scales = Annotated[
    str | None,
    typer.Option(
        help="Magnifications to average, such as 0.5,1,2: of the tiles, else of the model's input.",
        rich_help_panel=GEOMETRY,
        show_default=False,
    ),
]
KeepAspect = Annotated[
    bool,
    typer.Option(
        "--keep-aspect",
        help="Do not squeeze long images into a square (up to 4:1).",
        rich_help_panel=GEOMETRY,
    ),
]
Roi = Annotated[
    str | None,
    typer.Option(
        "--roi",
        metavar="FILE|X,Y,W,H",
        help="Region of interest: a mask (white inside) or a box in pixels. The model sees its box only.",
        rich_help_panel=GEOMETRY,
        show_default=False,
    ),
]
IgnoreMask = Annotated[
    str | None,
    typer.Option(
        "--ignore-mask",
        metavar="FILE|DIR",
        help="White where to ignore: one mask for all images, or a folder of masks by the images' names.",
        rich_help_panel=GEOMETRY,
        show_default=False,
    ),
]


def parse_geometry(tile: int | None, overlap: float | None, scales: str | None, keep_aspect: bool) -> Geometry:
    """Raises ConfigError."""
    from anomalyclip.geometry import Geometry
    from anomalyclip.geometry.settings import DEFAULT_OVERLAP

    if overlap is not None and tile is None:
        raise ConfigError("--overlap is of tiles: add --tile SIZE")
    return Geometry(tile, DEFAULT_OVERLAP if overlap is None else overlap, _scales(scales), keep_aspect)


def open_areas(roi: str | None, ignore_mask: str | None) -> Areas:
    """Reads the masks that are files. Raises InputError, ConfigError."""
    from anomalyclip.geometry import Areas

    return Areas.open(roi, ignore_mask)


def _scales(text: str | None) -> tuple[float, ...]:
    if text is None:
        return (1.0,)
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--scales {text!r}: expected numbers separated by commas, such as 0.5,1,2 (1 is as without the option)"
        ) from None
