"""The truth about an image's pixels: where it lies, what it marks, and what is doubtful about it.

A published data set's masks are read as its authors do: every value above 0 is marked. A user's own are looked at as
well: values that JPEG or soft edges left between the ends are cut at half of the full scale, a mask is turned as EXIF
turns its picture, and what cannot be right is named (`Doubt`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.data.doubts import Doubt, Finding
from anomalyclip.data.drawing import Shape, draw
from anomalyclip.errors import ImageReadError, InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.io.mask_levels import MaskLevels

#: A mask may be stored smaller than its image, and rounding then shifts the ratio of its sides a little.
RATIO_TOLERANCE = 0.02
_HALF = 0.5  # more of a picture than this is seldom a defect
_FAINT = 3  # of 255: class numbers that look black
_SOFT = 0.5  # so much of what lies between the ends is on the way from one value to another
_SOFT_SHARE = 0.002  # of the marked pixels; fewer are specks


@dataclass(frozen=True)
class MaskFiles:
    """Several files that mark one image together."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class DrawnMask:
    """Shapes of an annotation export.

    source: the export's file. name: the image in it. size: (width, height) that the shapes are drawn in.
    """

    source: Path
    name: str
    size: tuple[int, int]
    shapes: tuple[Shape, ...]


Mask = Path | MaskFiles | DrawnMask


@dataclass(frozen=True)
class Reading:
    """What a mask marks, (H, W) bool, upright as its picture is shown; and what is doubtful about it."""

    marked: NDArray[np.bool_]
    findings: tuple[Finding, ...] = ()

    @property
    def usable(self) -> bool:
        return not any(finding.doubt.spoils for finding in self.findings)


def mask_name(mask: Mask) -> str:
    """A mask in a message, on one line."""
    if isinstance(mask, MaskFiles):
        return f"{printable(mask.files[0])} and {len(mask.files) - 1} more"
    return printable(mask) if isinstance(mask, Path) else f"{printable(mask.source)} of {printable(mask.name)}"


def mask_paths(mask: Mask) -> tuple[Path, ...]:
    """The files that a mask is made of."""
    if isinstance(mask, MaskFiles):
        return mask.files
    return (mask,) if isinstance(mask, Path) else (mask.source,)


def mask_digest(mask: Mask, *, published: bool) -> str:
    """SHA-256 (hex) of what decides the marked pixels: contents of files, shapes, and how they are read.

    Raises ImageReadError.
    """
    digest = hashlib.sha256()
    if isinstance(mask, DrawnMask):
        digest.update(repr((mask.size, mask.shapes)).encode())
    else:
        for path in mask_paths(mask):
            digest.update(_content(path))
    if published and isinstance(mask, Path):
        return digest.hexdigest()
    digest.update(b"read as a user's own")
    return digest.hexdigest()


def same_area(mask: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether a mask of (width, height) pixels can be an image's: the ratio of its sides is the same, but for rounding.

    >>> same_area((50, 33), (1000, 667)), same_area((667, 1000), (1000, 667))
    (True, False)
    """
    (mask_width, mask_height), (width, height) = mask, image
    return abs(mask_width * height - mask_height * width) <= RATIO_TOLERANCE * mask_width * height


def read_marked(
    mask: Mask, image: Path, label: int, *, published: bool = False, max_pixels: int | None = None
) -> Reading:
    """Read an image's mask.

    label: the image's, 0 or 1. published: read it as its authors do. max_pixels: larger ones are refused (None: the
    default of `anomalyclip.io`).

    Raises ImageReadError where the mask, or the image's header, cannot be read.
    """
    from anomalyclip.io.limits import DEFAULT_MAX_PIXELS
    from anomalyclip.io.masks import stored_orientation

    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    name = mask_name(mask)
    reading = _published(mask, limit) if published else _own(mask, name, limit)
    orientation, stored = stored_orientation(image, max_pixels=limit)
    findings = list(reading.findings)
    marked, doubt = _upright(mask, reading.marked, orientation, stored, limit)
    upright = stored[::-1] if orientation in (5, 6, 7, 8) else stored
    if doubt is not None:
        findings.append(Finding(doubt, name))
    if marked.shape != upright[::-1]:
        sizes = f"{marked.shape[1]} x {marked.shape[0]} pixels, its image {upright[0]} x {upright[1]}"
        fits = same_area((marked.shape[1], marked.shape[0]), upright)
        findings.append(Finding(Doubt.SCALED if fits else Doubt.AREA, name, sizes))
    share = float(marked.mean())
    if share == 0 and label:
        findings.append(Finding(Doubt.BLACK, name))
    elif share > 0 and not label:
        findings.append(Finding(Doubt.LABEL, name, f"marked are {share:.1%}"))
    elif share > _HALF and not published:
        findings.append(Finding(Doubt.HALF, name, f"marked are {share:.1%}"))
    return Reading(marked, tuple(findings))


def marks_anything(mask: Mask, *, published: bool = False) -> bool:
    """Whether a mask marks a pixel, read as `read_marked` does. Raises ImageReadError."""
    from anomalyclip.io.limits import DEFAULT_MAX_PIXELS

    if isinstance(mask, MaskFiles):
        return any(marks_anything(path, published=published) for path in mask.files)
    reading = _published(mask, DEFAULT_MAX_PIXELS) if published else _own(mask, mask_name(mask), DEFAULT_MAX_PIXELS)
    return bool(reading.marked.any())


def _published(mask: Mask, max_pixels: int) -> Reading:
    from anomalyclip.io.images import read_mask

    if isinstance(mask, Path):
        return Reading(read_mask(mask, max_pixels=max_pixels))
    if isinstance(mask, MaskFiles):
        return Reading(_union([read_mask(path, max_pixels=max_pixels) for path in mask.files], mask))
    return Reading(_drawn(mask, max_pixels))


def _own(mask: Mask, name: str, max_pixels: int) -> Reading:
    from anomalyclip.io.masks import read_mask_levels

    if isinstance(mask, DrawnMask):
        return Reading(_drawn(mask, max_pixels))
    if isinstance(mask, Path):
        return _cut(read_mask_levels(mask, max_pixels=max_pixels), name)
    parts = [_own(path, mask_name(path), max_pixels) for path in mask.files]
    told = {finding.doubt: finding for part in parts for finding in part.findings}
    return Reading(_union([part.marked for part in parts], mask), tuple(replace(f, mask=name) for f in told.values()))


def _union(parts: list[NDArray[np.bool_]], mask: MaskFiles) -> NDArray[np.bool_]:
    if len({part.shape for part in parts}) > 1:
        sizes = ", ".join(sorted({f"{part.shape[1]} x {part.shape[0]}" for part in parts}))
        raise ImageReadError(f"{mask_name(mask)}: the masks of one image differ in size ({sizes}); save them alike")
    return np.asarray(np.logical_or.reduce(parts))


def _drawn(mask: DrawnMask, max_pixels: int) -> NDArray[np.bool_]:
    from anomalyclip.io.limits import check_pixels
    from anomalyclip.io.refusal import Refusal

    try:
        check_pixels(*mask.size, max_pixels)
        return draw(mask.shapes, *mask.size)
    except (Refusal, InputError) as error:
        raise ImageReadError(f"{mask_name(mask)}: {error}") from error


def _cut(file: MaskLevels, name: str) -> Reading:
    """What a user's own mask file marks."""
    levels, findings = file.levels, []
    if file.place:
        findings.append(Finding(Doubt.ALPHA if file.place == "alpha" else Doubt.PALETTE, name))
    if file.unmarked:
        findings.append(Finding(Doubt(file.unmarked), name))
    if file.white_is_zero:
        findings.append(Finding(Doubt.WHITE_IS_ZERO, name))
    top = levels.max() if levels.size else 0
    if file.full == 255 and 0 < top <= _FAINT and not file.place:
        findings.append(Finding(Doubt.FAINT, name, f"at most {int(top)}"))
    between = (levels > 0) & (levels < top)
    if not between.any() or not (file.lossy or _is_soft(levels, between)):
        return Reading(levels > 0, tuple(findings))
    # A picture that never comes near the full scale of its depth (12 bits in 16, dark red) is cut at half of its own.
    half = file.full / 2 if top >= file.full / 2 else float(top) / 2
    marked = levels >= half
    below = int(np.count_nonzero((levels > 0) & ~marked))
    if (share := float((levels > 0).mean())) > _HALF >= float(marked.mean()):
        findings.append(Finding(Doubt.HALF, name, f"above 0 are {share:.1%}"))
    findings.append(Finding(Doubt.SOFT, name, f"{below:,} of {int(np.count_nonzero(levels)):,} pixels lie below half"))
    return Reading(marked, tuple(findings))


def _is_soft(levels: NDArray[Any], between: NDArray[np.bool_]) -> bool:
    """Whether what lies between the ends is on the way from one value to another, as blur and noise are.

    The numbers of class masks lie between the ends as well, but in flat areas: few of their pixels have both a lower
    and a higher neighbour.
    """
    import cv2

    count = int(np.count_nonzero(between))
    if count < _SOFT_SHARE * np.count_nonzero(levels):
        return False
    kernel = np.ones((3, 3), np.uint8)
    values = np.ascontiguousarray(levels if levels.dtype in (np.uint8, np.uint16) else levels.astype(np.float32))
    low, high = cv2.erode(values, kernel), cv2.dilate(values, kernel)
    passing = between & (low < values) & (values < high)
    return bool(np.count_nonzero(passing) > _SOFT * count)


def _upright(
    mask: Mask, marked: NDArray[np.bool_], orientation: int, stored: tuple[int, int], max_pixels: int
) -> tuple[NDArray[np.bool_], Doubt | None]:
    """The mask as its picture is shown, and what is doubtful about that.

    Annotation tools draw on the picture as stored or as shown; where EXIF turns it, the size tells which, or nothing
    does.
    """
    from anomalyclip.io.mask_levels import turned
    from anomalyclip.io.masks import stored_orientation

    if orientation not in range(2, 9):
        return marked, None
    if not isinstance(mask, DrawnMask) and any(
        stored_orientation(path, max_pixels=max_pixels)[0] == orientation for path in mask_paths(mask)
    ):
        return marked, None  # turned by its own note
    size = (marked.shape[1], marked.shape[0])
    upright = stored[::-1] if orientation in (5, 6, 7, 8) else stored
    as_stored, as_shown = same_area(size, stored), same_area(size, upright)
    if as_stored and as_shown:
        return marked, Doubt.SIDEWAYS if marked.any() and not _same_when_turned(marked, orientation) else None
    return (turned(marked, orientation), Doubt.TURNED) if as_stored else (marked, None)


def _same_when_turned(marked: NDArray[np.bool_], orientation: int) -> bool:
    from anomalyclip.io.mask_levels import turned

    return np.array_equal(marked, turned(marked, orientation))


def _content(path: Path) -> bytes:
    from anomalyclip.io.frames import split_frame
    from anomalyclip.io.limits import DEFAULT_MAX_BYTES
    from anomalyclip.io.regular import open_regular

    name, frame = split_frame(path)
    if frame is not None:
        return _content(Path(name)) + f"picture {frame}".encode()
    try:
        with open_regular(path) as file:  # a pipe would block
            return file.read(DEFAULT_MAX_BYTES + 1)  # larger ones are refused where they are decoded
    except OSError as error:
        raise ImageReadError(f"{printable(path)}: cannot be read ({error.strerror or error})") from error
