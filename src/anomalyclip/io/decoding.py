"""One still picture of a file whose header was read: decoded, and turned into 8-bit RGB or a mask.

Every format's decoder gets what its own header reader let through and nothing else of the file.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.WebPImagePlugin import WebPImageFile

from anomalyclip.io import bmp, exif, isobmff, jpeg, png, pnm, tiff
from anomalyclip.io.depth import Raster, Stated, opacity, over_white, positive, scale_of, to_uint8
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.inspection import Header
from anomalyclip.io.notes import NOTES, notes_of
from anomalyclip.io.opencv import decode_unchanged
from anomalyclip.io.quiet import own_pixel_limit, quiet_stderr
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal

BACKGROUND = (255, 255, 255)
_UNSEEN = "it is transparent all over: shown as white; if its alpha means something else, leave it out"
_FAINT = 1 / 32  # of opaque: alpha up to 1 beside colours up to 255 is no more

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(file: BinaryIO, header: Header) -> tuple[Image.Image | Raster, int]:
    """The picture's pixels at the file's own depth, and the EXIF orientation that is still to be applied.

    Raises `Refusal`, or whatever a decoder raises.
    """
    file.seek(0)
    content = _DECODERS[header.format](file, header)
    if header.format == "AVIF" and isinstance(content, Image.Image):  # its turns and mirrors, as Pillow tells them
        return content, exif.orientation(content.info.get("exif", b""))
    return content, header.orientation


def _decode_tiff(file: BinaryIO, header: Header) -> Raster:
    return tiff.decode(file, *header.facts)


def _with_pillow(plugin: type[ImageFile.ImageFile]) -> Callable[[BinaryIO, Header], Image.Image]:
    """A plugin class, not Image.open: no other format can be reached, and Pillow's own limits do not come first."""

    def decode(file: BinaryIO, header: Header) -> Image.Image:
        with own_pixel_limit(header.width * header.height):
            image = plugin(file)
            if image.size != (header.width, header.height):
                told, found = f"{header.width} x {header.height}", f"{image.width} x {image.height}"
                raise Refusal(f"its header says {told} pixels, its picture {found}", EXPORT_AGAIN)
            image.load()
        return image

    return decode


def _decode_bmp(file: BinaryIO, header: Header) -> Image.Image | Raster:
    facts, pillow = header.facts, _with_pillow(BmpImageFile)
    if facts.compression in bmp.RUNS:
        return bmp.coloured(np.asarray(pillow(io.BytesIO(bmp.for_numbers(file, facts)), header)), facts)
    return pillow(file, header) if header.bits == 24 else bmp.decode(file, facts)


def _decode_avif(file: BinaryIO, header: Header) -> Image.Image:
    try:
        from PIL.AvifImagePlugin import SUPPORTED, AvifImageFile
    except ImportError:
        SUPPORTED = False
    if not SUPPORTED:
        raise Refusal(
            "it is an AVIF image, and this Pillow has no decoder for it", "install pillow of version 11.3 or later"
        )
    return _with_pillow(AvifImageFile)(io.BytesIO(isobmff.without_exif(file)), header)


def _decode_jpeg2000(file: BinaryIO, header: Header) -> Image.Image | Raster:
    from PIL import features

    if not features.check("jpg_2000"):
        raise Refusal("it is a JPEG 2000 image, and this Pillow has no decoder for it", "install pillow from a wheel")
    from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

    depths = header.facts.depths
    if header.bits <= 8:
        image = _with_pillow(Jpeg2KImageFile)(file, header)
        return image if set(depths) == {8} else image.point(_stretched(depths))
    top = 2.0**header.bits - 1
    stated = Stated(0.0, top, f"JPEG 2000 of {header.bits} bits")
    if header.channels == 1:
        # Without its boxes, by which Pillow takes 9 bits for 8. It scales samples up to 16 bits.
        image = _with_pillow(Jpeg2KImageFile)(io.BytesIO(file.read()[header.facts.start :]), header)
        return Raster(np.asarray(image) >> np.uint16(16 - header.bits), stated=stated)
    with quiet_stderr():  # OpenCV: Pillow rounds colours to 8 bits, and white beyond them to black
        return replace(decode_unchanged(file.read(), "JPEG 2000"), stated=stated, alpha_top=top)


def _stretched(depths: tuple[int, ...]) -> list[int]:
    """Pillow's tables from samples that it shifted up to 8 bits to such that end at 255, band by band."""
    return [int((level >> 8 - bits) * 255 / (2**bits - 1) + 0.5) for bits in depths for level in range(256)]


def _decode_heic(file: BinaryIO, header: Header) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise Refusal(
            "it is a HEIC image and the package pillow-heif is missing",
            'install it with: pip install "anomalyclip[heif]"',
        ) from None
    # Upright: HEIC turns its pictures by itself.
    heif = pillow_heif.open_heif(io.BytesIO(isobmff.without_exif(file)), convert_hdr_to_8bit=True)
    if heif.size[0] * heif.size[1] > header.width * header.height:
        raise Refusal("its picture is larger than its properties say", EXPORT_AGAIN)
    image: Image.Image = heif.to_pillow()
    return image


_DECODERS: dict[str, Callable[[BinaryIO, Header], Image.Image | Raster]] = {
    "JPEG": lambda file, header: jpeg.decode_whole(header.facts),
    "PNG": lambda file, header: png.decode(header.facts),
    "TIFF": _decode_tiff,
    "GIF": lambda file, header: _with_pillow(GifImageFile)(io.BytesIO(header.facts.stream), header),
    "WEBP": _with_pillow(WebPImageFile),
    "BMP": _decode_bmp,
    "PNM": lambda file, header: pnm.decode(file, header.facts),
    "AVIF": _decode_avif,
    "JPEG2000": _decode_jpeg2000,
    "HEIC": _decode_heic,
}


def to_rgb(content: Image.Image | Raster, orientation: int, full_scale: FullScale | None = None) -> Image.Image:
    """8-bit RGB, upright, over white; its notes stand in its `info` (`notes_of`)."""
    notes = () if isinstance(content, Raster) else notes_of(content)
    content = _deep(content)
    if isinstance(content, Raster):
        rgb, notes = _rgb_of_raster(content, full_scale)
    else:
        rgb, unseen = _rgb_of_image(content)
        notes += unseen
    rgb = turned(rgb, orientation)
    rgb.info = {NOTES: notes} if notes else {}  # a second look at the EXIF note would turn the image again
    return rgb


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as its EXIF orientation means it; the same object where there is nothing to turn."""
    return image.transpose(_TURN[orientation]) if orientation in _TURN else image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _rgba(image: Image.Image) -> Image.Image:
    # Premultiplied modes convert to their plain twins only.
    plain = {"La": "LA", "RGBa": "RGBA"}.get(image.mode)
    image = image.convert(plain) if plain else image
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _rgb_of_image(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    if image.mode == "LAB":
        return tiff.lab_to_rgb(image), ()
    if not _has_alpha(image):
        # `copy` of a loaded file leaves its open file and decoder behind, without which it could be kept as it is.
        return image.copy() if image.mode == "RGB" else image.convert("RGB"), ()
    rgba = _rgba(image)
    flat = Image.new("RGB", image.size, BACKGROUND)
    flat.paste(rgba, mask=(alpha := rgba.getchannel("A")))
    return flat, _unseen(np.asarray(alpha), None)


def _unseen(alpha: npt.NDArray[Any], top: float | None) -> tuple[str, ...]:
    """A note of a picture of which nothing can be seen; its pixels as they are stored, `top` is opaque."""
    return (_UNSEEN,) if alpha.size and opacity(alpha.max(keepdims=True), top).item() <= _FAINT else ()


def _deep(content: Image.Image | Raster) -> Image.Image | Raster:
    """Images of modes deeper than 8 bits, which converting would cut, as rasters."""
    deep = not isinstance(content, Raster) and content.mode.startswith(("I", "F"))
    return Raster(np.asarray(content)) if deep else content


def _rgb_of_raster(raster: Raster, full_scale: FullScale | None) -> tuple[Image.Image, tuple[str, ...]]:
    scale = scale_of(raster.values, raster.stated, full_scale)
    if scale.own:
        black, white = raster.display or (scale.black, scale.white)
        raise Refusal(
            f"{scale.note}, and its own range would make pictures of other ranges look alike",
            f"say which values are black and white, as --full-scale {black:g}:{white:g} (full_scale in "
            "Python), the same for all pictures that are to be compared",
        )
    if raster.display is not None and full_scale is None and raster.display != (scale.black, scale.white):
        black, white = raster.display
        raster.notes += (
            f"ImageJ showed it from {black:g} to {white:g}, which is no scale of the file and not used; for all alike "
            f"say --full-scale {black:g}:{white:g} (full_scale in Python)",
        )
    levels = to_uint8(raster.values, scale)
    if raster.white_is_zero:
        levels = 255 - levels
    if raster.alpha is not None:
        raster.notes += _unseen(raster.alpha, raster.alpha_top)
    levels = over_white(levels, raster)
    raster.values = raster.alpha = np.empty(0, np.uint8)  # the deep pixels are not needed any more: a gigabyte at times
    image = Image.fromarray(levels)
    return image if image.mode == "RGB" else image.convert("RGB"), raster.notes + ((scale.note,) if scale.note else ())


def foreground(content: Image.Image | Raster, orientation: int) -> npt.NDArray[np.bool_]:
    """(H, W) bool, upright: any colour channel above 0 where the pixel is not transparent."""
    content = _deep(content)
    if not isinstance(content, Raster) and content.mode in ("1", "L") and not _has_alpha(content):
        content = Raster(np.asarray(content))  # what most masks are, without a detour through colour
    elif not isinstance(content, Raster):
        rgba = np.asarray(_rgba(content)) if _has_alpha(content) else np.asarray(_rgb_of_image(content)[0])
        content = Raster(rgba[..., :3], rgba[..., 3] if rgba.shape[2] == 4 else None)
    on = positive(content)
    if orientation not in _TURN:
        return on
    return np.asarray(turned(Image.fromarray(on.view(np.uint8)), orientation)) > 0
