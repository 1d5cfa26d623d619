"""One way in for every door: a path, bytes, an open file, a PIL image or a NumPy array as the reader would show it.

The same picture gives the same pixels through each of them, or is refused: a PIL image that was opened and not loaded
yet is read from its file by our own reader; one that was loaded, and every array, follows the rules for orientation,
transparency, colour and depth that files follow (`decoding`, `depth`).

| array | read as |
|---|---|
| bool | False black, True white |
| uint8 | as it is |
| uint16 | 65535 is white, as in 16-bit files that state no depth; or `full_scale` |
| float16, float32, float64 | as float TIFFs: up to 1, 255 or 65535 taken as white, or `full_scale` |
| shape (H, W), (H, W, 1) | grey; (H, W, 2) grey and alpha, (H, W, 3) RGB, (H, W, 4) RGB and alpha |
| OpenCV's order, BGR | no array says it: give array[..., ::-1] |
| any other dtype or shape, masked pixels, NaN, infinities, floats below 0 | refused |
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

from anomalyclip.errors import ImageReadError, InputError
from anomalyclip.io import decoding, exif, frames, light
from anomalyclip.io.depth import Array, Raster, finite_range
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.images import read_image, read_image_bytes
from anomalyclip.io.inspection import inspect
from anomalyclip.io.limits import DEFAULT_MAX_PIXELS, check_in_hand
from anomalyclip.io.opened import reported

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = {1: "grey", 2: "grey and alpha", 3: "RGB", 4: "RGB and alpha"}
_WHOLE = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"))  # modes that Pillow keeps as files have them
_TEXTS = ("O", "U", "T")  # NumPy's letters of arrays that hold text or objects
_UNDERSHOOT = 0.05  # of the largest value: what resampling makes of black


def as_image(
    source: Any,
    *,
    frame: int | None = None,
    axis: str = "z",
    max_pixels: int = DEFAULT_MAX_PIXELS,
    full_scale: FullScale | None = None,
    name: str = "image",
) -> Image.Image:
    """Any picture as 8-bit RGB, upright, over white.

    Args:
        source: a path (also `FILE#frame=n`), a file's bytes, an open binary file, a PIL image, or an array (H, W) or
            (H, W, C) of the table above.
        frame: which picture of a file of several, from 0; None refuses such a file.
        axis: x, y or z, along which slices of a NIfTI volume are counted.
        max_pixels: largest accepted width x height.
        full_scale: the stored value that is white, or those of black and white, where nothing states them.
        name: stands in messages about what has no path.

    Raises:
        ImageReadError: it cannot be read.
        InputError: it is no picture.
    """
    options: dict[str, Any] = {"frame": frame, "axis": axis, "max_pixels": max_pixels, "full_scale": full_scale}
    if isinstance(source, str | os.PathLike):
        return read_image(source, **options)
    if isinstance(source, bytes | bytearray | memoryview):
        return read_image_bytes(bytes(source), name, **options)
    if isinstance(source, Image.Image):
        return _of_pil(source, name, options)
    if isinstance(source, np.ndarray):
        pixels = _checked(source, scaled=full_scale is not None)
        return reported(name, lambda: _of_array(pixels, max_pixels, full_scale))
    if isinstance(data := held(source), bytes):
        return read_image_bytes(data, name, **options)
    raise InputError(f"cannot read an image from {type(source).__name__}; {_remedy(source)}")


def listed(inputs: Any) -> list[Any] | None:
    """Several pictures as a list; None where one was given.

    Several are a list, a tuple, an iterator, or a column of paths (a NumPy array or pandas Series of text). An open
    file, which Python takes for an iterator of its lines, is one.
    """
    if isinstance(inputs, list | tuple) or (isinstance(inputs, Iterator) and not hasattr(inputs, "read")):
        return list(inputs)
    kind = getattr(getattr(inputs, "dtype", None), "kind", "")
    return list(inputs.tolist()) if getattr(inputs, "ndim", 0) == 1 and kind in _TEXTS else None


def held(source: Any) -> Any:
    """What can be read more than once: the bytes of an open binary file, from where it stands; all else as it is."""
    if isinstance(source, Image.Image) or not hasattr(source, "read"):
        return source
    data = source.read()
    return data if isinstance(data, bytes) else source


def _remedy(source: Any) -> str:
    if hasattr(source, "permute"):  # a tensor says neither its order nor whether it was normalised
        return "give an array (H, W, C), not normalised: of a tensor (C, H, W), tensor.permute(1, 2, 0).cpu().numpy()"
    if hasattr(source, "read"):
        return "open the file in binary: open(path, 'rb')"
    if hasattr(source, "__array__"):
        return "give numpy.asarray(...) of it, (H, W) or (H, W, C)"
    several = isinstance(source, Iterable) and not isinstance(source, list | tuple | Mapping)
    given = "give a path, a file's bytes, a PIL image or a NumPy array"
    return f"{given}; for several pictures a list: list(...)" if several else given


def count_pictures(source: Any, *, axis: str = "z", max_pixels: int = DEFAULT_MAX_PIXELS, name: str = "image") -> int:
    """How many pictures there are to read; 1 for everything but files and their bytes. Raises `ImageReadError`."""
    if isinstance(source, str | os.PathLike):
        path, frame = frames.split_frame(source)
        return 1 if frame is not None else frames.count_frames(path, axis=axis, max_pixels=max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return frames.count_frames_of(bytes(source), name, axis=axis, max_pixels=max_pixels)
    return 1


def _of_pil(image: Image.Image, name: str, options: dict[str, Any]) -> Image.Image:
    """The file behind an image that nobody has loaded, hence nobody has changed; else its pixels."""
    if isinstance(image, ImageFile.ImageFile) and image.tile:
        frame = options["frame"]
        if frame is None and image.tell():  # sought on purpose
            frame = image.tell()
        path = getattr(image, "filename", "")
        if path and os.path.isfile(path):  # noqa: PTH113 - as it was given to Pillow
            return read_image(os.fsdecode(path), **(options | {"frame": frame}))
        data = _bytes_behind(image)
        if data is not None:
            return read_image_bytes(data, name, **(options | {"frame": frame}))
    unchanged = _unchanged_file(image)
    if unchanged is not None:
        return read_image(unchanged, **options)
    if getattr(image, "n_frames", 1) > 1 and not image.tell() and options["frame"] is None:
        raise InputError(
            f"the image holds {getattr(image, 'n_frames', 1):,} pictures; seek to one and give image.copy(), or give "
            "the path with #frame=n"
        )
    return reported(name, lambda: _of_pixels(image, options))


def _unchanged_file(image: Image.Image) -> str | None:
    """The path of the file that a loaded image still shows as Pillow makes it, of a form of which Pillow loses what the
    file says: depth, range, inversion, Lab, HDR. Such a picture is read from its file, so that both give the same."""
    path = getattr(image, "filename", "")
    if not path or not isinstance(image, ImageFile.ImageFile) or getattr(image, "n_frames", 1) > 1:
        return None
    try:
        if image.mode in _WHOLE and image.format != "PPM" and _is_plain(os.fsdecode(path)):
            return None
        with Image.open(path) as again:
            same = again.size == image.size and again.mode == image.mode and again.tobytes() == image.tobytes()
    except Exception:  # gone, replaced, or unreadable by now: the pixels that are here count
        return None
    return os.fsdecode(path) if same else None


def _is_plain(path: str) -> bool:
    """Whether a file's 8 bits are what a display shows, so that Pillow loses nothing."""
    try:
        header = inspect(path)
    except ImageReadError:  # which the reader then says, if it still is this picture
        return False
    return header.bits <= 8 and not header.notes and not header.scaled


def _bytes_behind(image: ImageFile.ImageFile) -> bytes | None:
    file = image.fp
    if file is None:
        return None
    with suppress(OSError, ValueError):
        position = file.tell()
        file.seek(0)
        try:
            return bytes(file.read())
        finally:
            file.seek(position, io.SEEK_SET)
    return None


def _of_pixels(image: Image.Image, options: dict[str, Any]) -> Image.Image:
    check_in_hand(image.width, image.height, options["max_pixels"])
    if isinstance(profile := image.info.get("icc_profile"), bytes):
        light.note_of_profile(profile)  # HDR is refused; what is only told of a file says nothing new of its copy
    turned = _turned(image)
    if image.mode.startswith(("I", "F")):
        return decoding.to_rgb(_deep(image), turned, options["full_scale"])
    return decoding.to_rgb(image, turned, options["full_scale"])


def _deep(image: Image.Image) -> Raster:
    """Pixels deeper than 8 bits; the one value that a PNG calls transparent stays so."""
    values = np.asarray(image)
    clear = image.info.get("transparency")
    alpha = np.where(values == clear, 0, 255).astype(np.uint8) if isinstance(clear, int) else None
    return Raster(values, alpha, alpha_top=255.0)


def _turned(image: Image.Image) -> int:
    """Orientation by the notes that came along; XMP by our own reading, which knows both kinds of quotes."""
    try:
        found = int(image.getexif().get(0x0112, 1))
    except Exception:  # a broken note about the camera is no reason to lose the picture
        found = 1
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    return found if found != 1 else exif.orientation(b"", xmp.encode() if isinstance(xmp, str) else bytes(xmp))


def _checked(values: NDArray[Any], *, scaled: bool) -> Array:
    """uint8, uint16 or floats of a shape that is an image's. scaled: the caller says which values are white."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError("an image array has masked pixels, whose values say nothing: give array.filled(0)")
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in _CHANNELS):
        raise InputError(
            f"an image array must be (H, W) or (H, W, C) with 1 to 4 channels last, got {values.dtype} {values.shape}"
            + _order(values.shape)
        )
    pixels: Array = values.astype(np.uint8) * 255 if values.dtype == np.bool_ else values
    if pixels.dtype not in (np.uint8, np.uint16) and pixels.dtype.kind != "f":
        raise InputError(
            f"an image array must be uint8, uint16, bool or float, got {values.dtype} {values.shape}; " + _cast(values)
        )
    if pixels.dtype.kind == "f":
        _check_floats(pixels, scaled=scaled)
    return pixels


def _cast(values: NDArray[Any]) -> str:
    """The remedy for other kinds of numbers: the cast that keeps them."""
    if values.dtype.kind not in "iu" or not values.size:
        return "convert it to the depth that its values have"
    low, high = int(values.min()), int(values.max())
    for top, kind in ((1, "bool"), (255, "numpy.uint8"), (65535, "numpy.uint16")):
        if low >= 0 and high <= top:
            return f"its values lie in {low} to {high}: give array.astype({kind})"
    return f"of its values, {low} to {high}, give array.astype(float) with full_scale=(black, white)"


def _order(shape: tuple[int, ...]) -> str:
    """The remedy for the orders that other libraries have."""
    if len(shape) == 3 and shape[0] in _CHANNELS:
        return "; with channels first give array.transpose(1, 2, 0)"
    return "; of a batch of pictures give list(array)" if len(shape) == 4 else ""


def _of_array(pixels: Array, max_pixels: int, full_scale: FullScale | None) -> Image.Image:
    check_in_hand(pixels.shape[1], pixels.shape[0], max_pixels)
    if pixels.ndim == 2:
        return decoding.to_rgb(Raster(pixels, notes=_cut(pixels)), 1, full_scale)
    channels = pixels.shape[2]
    colours = pixels[..., 0] if channels < 3 else pixels[..., :3]
    if channels in (1, 3):
        return decoding.to_rgb(Raster(np.ascontiguousarray(colours), notes=_cut(pixels)), 1, full_scale)
    alpha = np.ascontiguousarray(pixels[..., -1])
    top = full_scale[1] if isinstance(full_scale, tuple) else full_scale
    if top is None and pixels.dtype.kind == "f":
        top = next((one for one in (1.0, 255.0, 65535.0) if float(pixels.max()) < 2 * one), None)
    return decoding.to_rgb(Raster(np.ascontiguousarray(colours), alpha, alpha_top=top), 1, full_scale)


def _cut(pixels: Array) -> tuple[str, ...]:
    """A note where 8 bits hold 0 and 1 alone, as floats up to 1 leave them that were cast."""
    if pixels.dtype != np.uint8 or pixels.max() != 1:
        return ()
    return ("its values are 0 and 1 of 255: nearly all black; of floats up to 1 give the floats, of a mask bool",)


def _check_floats(values: Array, *, scaled: bool) -> None:
    if not np.isfinite(values).all():
        raise InputError("an image array holds NaN or infinity; replace them first")
    low, high = finite_range(values)
    if (
        not scaled
        and low is not None
        and high is not None
        and (low < -_UNDERSHOOT * max(high, 0.0) or high >= 2 * 65535)
    ):
        raise InputError(
            f"an image array's floats must lie in 0 to 1, 0 to 255 or 0 to 65535, got {low:g} to {high:g}; scale them, "
            f"or give full_scale=({low:g}, {high:g})"
        )
