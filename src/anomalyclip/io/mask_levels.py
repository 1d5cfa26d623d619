"""A mask file as levels: how strongly each pixel is marked, before anyone decides what counts as marked.

The level of a pixel is its largest colour channel, at the file's own depth, and 0 where the pixel is transparent; a
palette counts by its colours. Two kinds of files keep the truth elsewhere: RGBA whose colours are all black holds it in
its alpha channel, a palette of blacks in its indices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from anomalyclip.io import content, decoding, headers, inspection, jpeg2000
from anomalyclip.io.depth import Raster, scale_of
from anomalyclip.io.notes import notes_of
from anomalyclip.io.tiff import layout

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

_VOID, _VOID_COLOUR = 255, (224, 224, 192)  # no class: the border between them, or what nobody decided
_LOSSY = frozenset({"JPEG", "AVIF", "HEIC"})


@dataclass(frozen=True)
class MaskLevels:
    """levels: (H, W) uint8, uint16 or float32, upright by the file's own EXIF orientation; 0 is unmarked.

    full: the level of a fully marked pixel in this depth. lossy: the format changes values. place: where the truth lies
    if not in the colours: "alpha" or "palette". white_is_zero: a 1-bit TIFF whose stored ones are black.
    unmarked: what looks marked and is 0 here: "void", the border that VOC calls 255, also where its palette was made
    RGB; "beyond", colour numbers that the palette lacks.
    """

    levels: NDArray[Any]
    full: float
    lossy: bool = False
    place: str = ""
    unmarked: str = ""
    white_is_zero: bool = False


def levels_in(file: BinaryIO, max_pixels: int, frame: int | None) -> MaskLevels:
    """Of an open file. Raises what decoders raise."""
    kind = headers.sniff(file)
    header = inspection.read_header(file, max_pixels, frame or 0) if kind in ("TIFF", "WEBP") else None
    one_bit = header is not None and header.bits == 1
    pixels, orientation = content.decode(file, max_pixels, windowed=False, frame=frame)
    if isinstance(pixels, Raster):
        found = replace(_of_raster(pixels), white_is_zero=one_bit and pixels.white_is_zero)
    else:
        found = _of_image(pixels)
    lossy = kind in _LOSSY or (header is not None and _is_lossy(header))
    lossy = lossy or (kind == "JPEG2000" and jpeg2000.is_irreversible(file))
    found = replace(found, lossy=lossy and not found.place)
    if orientation == 1:
        return found
    return replace(found, levels=turned(found.levels, orientation))


def _is_lossy(header: inspection.Header) -> bool:
    return bool(header.facts.lossy if header.format == "WEBP" else header.facts[1].compression == layout.JPEG)


def turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels (H, W, ...) as EXIF says they are to be shown; 1, and what EXIF does not know, leave them."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _of_raster(raster: Raster) -> MaskLevels:
    values = raster.values
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float32), nan=0.0)
    full = (raster.stated or scale_of(values)).white
    if values.dtype.kind not in "uf":
        values = np.maximum(values, 0)
    if raster.white_is_zero:
        values = (full - np.minimum(values, full)).astype(values.dtype)
    levels = values.max(axis=2) if values.ndim == 3 else values
    found = _visible(np.maximum(levels, 0), raster.alpha, full)
    return _by_colour(values, found) if values.dtype == np.uint8 and values.shape[2:] == (3,) else found


def _of_image(image: Image.Image) -> MaskLevels:
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return MaskLevels(np.asarray(image.convert("L")), 255.0)
    if decoding._has_alpha(image):
        rgba = np.asarray(decoding._rgba(image))
        colours, found = rgba[..., :3], _visible(rgba[..., :3].max(axis=2), rgba[..., 3], 255.0)
    else:
        colours = np.asarray(image.convert("RGB"))
        found = MaskLevels(colours.max(axis=2), 255.0)
    return _by_number(image, found) if image.mode == "P" else _by_colour(colours, found)


def _by_colour(colours: NDArray[np.uint8], found: MaskLevels) -> MaskLevels:
    """A mask whose palette was made RGB, (H, W, 3): VOC's void tells itself where every colour is one of VOC's."""
    void = (colours == _VOID_COLOUR).all(axis=2) & (found.levels > 0)
    if not void.any() or not (~void & (found.levels > 0)).any():
        return found
    weights = np.array([1 << 16, 1 << 8, 1], np.int64)
    known = np.array([_voc(number) for number in range(_VOID + 1)]) @ weights
    seen = np.unique(colours[found.levels > 0] @ weights)
    return replace(found, levels=_without(found.levels, void), unmarked="void") if np.isin(seen, known).all() else found


def _without(levels: NDArray[Any], void: NDArray[np.bool_]) -> NDArray[Any]:
    return np.where(void, np.zeros((), levels.dtype), levels)


def _by_number(image: Image.Image, found: MaskLevels) -> MaskLevels:
    """What a palette's numbers say beyond their colours."""
    numbers, colours = np.asarray(image), np.reshape(image.getpalette() or [], (-1, 3))
    if not found.levels.any():
        return MaskLevels(numbers, 255.0, place="palette") if numbers.any() else found
    void = numbers == _VOID
    if void.any() and _is_voc(colours) and (~void & (numbers > 0)).any():
        return replace(found, levels=_without(found.levels, void), unmarked="void")
    return replace(found, unmarked="beyond") if notes_of(image) else found


def _is_voc(colours: NDArray[Any]) -> bool:
    """Whether they are Pascal VOC's, which labelme, CVAT and others write as well: a number's bits 0 to 2 are the top
    bits of red, green and blue, the next three those below."""
    return len(colours) > _VOID and all(
        tuple(colours[number]) == tuple(_voc(number)) for number in (0, 1, 2, 3, 4, _VOID)
    )


def _voc(number: int) -> list[int]:
    return [sum((number >> 3 * level + channel & 1) << 7 - level for level in range(3)) for channel in range(3)]


def _visible(levels: NDArray[Any], alpha: NDArray[Any] | None, full: float) -> MaskLevels:
    if alpha is None:
        return MaskLevels(levels, full)
    seen = np.where(alpha > 0, levels, np.zeros((), levels.dtype))
    if not levels.any() and (alpha == 0).any() and (alpha > 0).any():
        return MaskLevels(alpha, full, place="alpha")
    return MaskLevels(seen, full)
