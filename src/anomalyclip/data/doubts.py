"""What can be wrong with a mask, and how people are told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Doubt(Enum):
    """What can be wrong with a mask; `WORDS` says it to people."""

    HALF = "half"
    SOFT = "soft"
    WHITE_IS_ZERO = "white is zero"
    FAINT = "faint"
    ALPHA = "alpha"
    PALETTE = "palette"
    VOID = "void"
    BEYOND = "beyond"
    TURNED = "turned"
    SCALED = "scaled"
    LABEL = "label"
    BLACK = "black"
    AREA = "area"
    SIDEWAYS = "sideways"

    @property
    def spoils(self) -> bool:
        """Whether the mask is not used: it cannot be its image's truth."""
        return self in (Doubt.LABEL, Doubt.BLACK, Doubt.AREA, Doubt.SIDEWAYS)

    @property
    def harmless(self) -> bool:
        """Whether it is only told how the mask is read, which is as it was meant."""
        return self in (Doubt.FAINT, Doubt.ALPHA, Doubt.PALETTE, Doubt.VOID, Doubt.TURNED)


#: What training and evaluation say of a mask that they use. That one is scaled is no doubt: published sets hold such.
DOUBTFUL = (Doubt.HALF, Doubt.SOFT, Doubt.WHITE_IS_ZERO, Doubt.BEYOND)

#: What is said of one mask, and of several.
WORDS = {
    Doubt.HALF: (
        "it marks more than half of its picture (inverted? a white background? the photo itself?)",
        "mark more than half of their picture (inverted? white backgrounds? the photos themselves?)",
    ),
    Doubt.SOFT: (
        "it holds values between the ends (JPEG or soft edges) and is cut at half of full scale",
        "hold values between the ends (JPEG or soft edges) and are cut at half of full scale",
    ),
    Doubt.WHITE_IS_ZERO: (
        "it is a 1-bit TIFF whose white is zero (tifffile writes bool arrays so): other readers show it turned round",
        "are 1-bit TIFFs whose white is zero (tifffile writes bool arrays so): other readers show them turned round",
    ),
    Doubt.FAINT: (
        "its values are 1 to 3 of 255, so it looks black; every value above 0 counts",
        "hold values of 1 to 3 of 255, so they look black; every value above 0 counts",
    ),
    Doubt.ALPHA: (
        "its truth is read from the alpha channel, as its colours are black",
        "are read from the alpha channel, as their colours are black",
    ),
    Doubt.PALETTE: (
        "its truth is read from palette indices, as its palette is black",
        "are read from palette indices, as their palette is black",
    ),
    Doubt.VOID: (
        "colour number 255 of Pascal VOC's palette, its void (224, 224, 192), marks nothing",
        "hold colour number 255 of Pascal VOC's palette, its void (224, 224, 192), which marks nothing",
    ),
    Doubt.BEYOND: (
        "some of its colour numbers lie beyond its palette, are black and mark nothing",
        "hold colour numbers beyond their palette, which are black and mark nothing",
    ),
    Doubt.TURNED: (
        "it was turned as EXIF turns its picture, since it has the size of the picture as stored",
        "were turned as EXIF turns their pictures, since they have the size of the pictures as stored",
    ),
    Doubt.SCALED: ("it is scaled to fit", "have another size than their picture and are scaled to fit"),
    Doubt.LABEL: (
        "it marks pixels of an image that is labelled normal; one of the two is wrong",
        "mark pixels of images that are labelled normal; one of the two is wrong",
    ),
    Doubt.BLACK: (
        "the mask of an anomalous image is all black",
        "of anomalous images are all black",
    ),
    Doubt.AREA: (
        "they do not cover the same area, and its pixels are not used",
        "do not cover the area of their picture, and their pixels are not used",
    ),
    Doubt.SIDEWAYS: (
        "EXIF turns its picture, and nothing tells whether the mask is turned, so its pixels are not used; save both "
        "upright, or give both the same EXIF note",
        "belong to pictures that EXIF turns, and nothing tells whether the masks are turned, so their pixels are not "
        "used; save both upright, or give both the same EXIF note",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One doubt about one mask. detail: a figure that belongs to it."""

    doubt: Doubt
    mask: str
    detail: str = ""

    def __str__(self) -> str:
        """One line about the one mask."""
        detail = f"the mask has {self.detail}; " if self.doubt in _SIZES else f"{self.detail}; " if self.detail else ""
        return f"{self.mask}: {detail}{WORDS[self.doubt][0]}"


_SIZES = (Doubt.SCALED, Doubt.AREA)


def grouped(findings: Iterable[Finding], shown: int = 5) -> list[str]:
    """A line per doubt, with how many masks it is about and the first of them."""
    by_doubt: dict[Doubt, list[Finding]] = {}
    for finding in findings:
        by_doubt.setdefault(finding.doubt, []).append(finding)
    lines = []
    for doubt, found in by_doubt.items():
        if len(found) == 1:
            lines.append(str(found[0]))
            continue
        names = ", ".join(f"{one.mask}{f' ({one.detail})' if one.detail else ''}" for one in found[:shown])
        more = f" and {len(found) - shown} more" if len(found) > shown else ""
        lines.append(f"{len(found)} masks {WORDS[doubt][1]}: {names}{more}")
    return lines
