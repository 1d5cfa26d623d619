"""What has to be told about how a picture was read: it travels in the picture's `info`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

NOTES = "anomalyclip_notes"
"""Key of a read picture's `info` under which its notes stand."""


def notes_of(image: Image.Image) -> tuple[str, ...]:
    """What has to be told about how a picture was read (a guessed depth, bands left out), one line each."""
    return tuple(image.info.get(NOTES, ()))


def beyond_palette(pixels: int, colours: int) -> str:
    """Of a picture with numbers that its palette lacks."""
    return f"{pixels:,} of its pixels have a colour number beyond its palette of {colours}: read as black"
