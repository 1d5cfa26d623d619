"""What all panels of a profile's picture share."""

from __future__ import annotations

from PIL import ImageFont

Colour = tuple[int, int, int]

WIDTH = 1000
PAPER, INK, FAINT = (255, 255, 255), (32, 34, 38), (150, 152, 156)
BLUE, RED, GREEN = (0, 114, 178), (213, 94, 0), (0, 128, 96)  # apart for colour-blind eyes, too


def font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own, at a size in pixels."""
    return ImageFont.load_default(size)
