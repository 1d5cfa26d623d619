"""What the picture of one TIFF page is, decided from its tags alone: right, or refused with the true reason.

Nothing is decoded here. Whatever this module lets through, `chunks` and `colour` read exactly; whatever they cannot
read is refused here in words that name it, alike in 8 bits and deeper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from anomalyclip.io import ifd as tags
from anomalyclip.io import light
from anomalyclip.io.depth import Stated
from anomalyclip.io.ifd import Directory
from anomalyclip.io.limits import check_pixels
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal
from anomalyclip.io.tiff import described

GREY_INVERTED, GREY, RGB, PALETTE, CMYK, YCBCR, CIE_LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
LAB = (CIE_LAB, ICC_LAB)
_COLOURS = {GREY_INVERTED: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, CIE_LAB: 3, ICC_LAB: 3}
_REFUSED_COLOURS = {
    4: "a transparency mask",
    10: "ITU Lab colours",
    32803: "the raw mosaic of a colour sensor (Bayer)",
    32844: "logarithmic luminance",
    32845: "logarithmic LUV colours",
    34892: "a camera's linear raw values",
    51177: "a depth map",
    52527: "a semantic mask",
}

NONE, LZW, JPEG, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 5, 7, 8, 32773, 34925, 50000
CCITT = (2, 3, 4)
_COMPRESSIONS = {NONE, *CCITT, LZW, JPEG, DEFLATE, 32946, PACKBITS, LZMA, ZSTD}
_PREDICTED = {LZW, DEFLATE, 32946, LZMA, ZSTD}  # elsewhere the predictor means nothing, as in libtiff
_REFUSED_COMPRESSIONS = {
    6: "old-style JPEG",
    9: "JBIG",
    32766: "NeXT",
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of a raw photo",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # SampleFormat; 4 is "undefined", read as libtiff does
_MOST_SAMPLES = 64
_MOST_PROFILE = 1 << 20
_MOST_CHUNKS = 1 << 19  # each costs its microseconds, whatever the file's size
_SAVE = "save it as a grey or RGB TIFF"


@dataclass(frozen=True)
class Layout:
    """One page: sizes in pixels, `bits` per sample, and how samples lie in the chunks (strips or tiles)."""

    width: int
    height: int
    samples: int
    bits: int
    kind: str
    photometric: int
    compression: int
    predictor: int
    planar: bool
    fill_order: int
    orientation: int
    t4_options: int
    chunk_width: int
    chunk_height: int
    tiled: bool
    subsampling: tuple[int, int]
    alpha: int | None  # which sample
    premultiplied: bool
    stated: Stated | None
    notes: tuple[str, ...] = ()
    display: tuple[float, float] | None = None
    without_reading: float | None = None  # the value of such pixels

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the decoded samples, in this machine's byte order."""
        return np.dtype(f"{self.kind}{max(1, 1 << (self.bits - 1).bit_length() >> 3)}")

    @property
    def across(self) -> int:
        return -(-self.width // self.chunk_width)

    @property
    def down(self) -> int:
        return -(-self.height // self.chunk_height)

    @property
    def planes(self) -> int:
        return self.samples if self.planar else 1

    @property
    def together(self) -> int:
        """Samples that lie side by side in a chunk."""
        return 1 if self.planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Of one row of a chunk, padded to whole bytes."""
        return -(-self.chunk_width * self.together * self.bits // 8)

    @property
    def working_bytes(self) -> int:
        """Most bytes that decoding takes: the samples, once more where they are taken apart, and chunks in work."""
        samples = self.width * self.height * self.samples * self.dtype.itemsize
        apart = self.samples > 1 and (self.photometric != RGB or self.samples > 3)
        unpacked = self.bits + 1 if self.bits % 8 else 3
        return samples * (2 if apart else 1) + unpacked * self.row_bytes * self.chunk_height


def read_layout(file: BinaryIO, page: Directory, max_pixels: int) -> Layout:
    """Everything that decoding `page` needs, checked. Raises `Refusal`: too large, damaged, or not supported."""
    width, height = page.integer(file, tags.WIDTH, 0), page.integer(file, tags.HEIGHT, 0)
    check_pixels(width, height, max_pixels)
    compression = page.integer(file, tags.COMPRESSION, NONE)
    # A missing photometric tag breaks the standard; two colours of fax files are read as fax machines mean them.
    photometric = page.integer(file, tags.PHOTOMETRIC, GREY_INVERTED if compression in CCITT else GREY)
    if photometric not in _COLOURS:
        name = _REFUSED_COLOURS.get(photometric, f"of the unknown kind {photometric}")
        raise Refusal(f"its TIFF pixels are {name}", f"{'develop' if photometric == 32803 else 'save'} it as RGB")
    if compression not in _COMPRESSIONS:
        name = _REFUSED_COMPRESSIONS.get(compression, f"of the unknown kind {compression}")
        raise Refusal(f"its TIFF compression is {name}", "save it with LZW or deflate, or uncompressed")
    samples = page.integer(file, tags.SAMPLES, 1)
    if not 1 <= samples <= _MOST_SAMPLES:
        raise Refusal(f"it claims {samples:,} samples per pixel", f"{_SAVE} with one picture's colours")
    bits, kind = _depth(file, page, samples, compression)
    planar = samples > 1 and page.integer(file, tags.PLANAR, 1) == 2
    alpha, premultiplied, notes = _extras(file, page, photometric, samples)
    text = described.text_of(file, page)
    stated = _stated(file, page, bits, kind, photometric, samples)
    if stated is None and (bits, kind) in ((16, "u"), (32, "u")) and photometric != PALETTE:
        stated = described.stated_bits(text, bits)
    profile = page.values(file, tags.PROFILE, _MOST_PROFILE, extra=True).tobytes() if tags.PROFILE in page else b""
    tiled, chunk_width, chunk_height = _chunks(file, page, width, height, max_pixels)
    layout = Layout(
        width=width,
        height=height,
        samples=samples,
        bits=bits,
        kind=kind,
        photometric=photometric,
        compression=compression,
        predictor=page.integer(file, tags.PREDICTOR, 1) if compression in _PREDICTED else 1,
        planar=planar,
        fill_order=page.integer(file, tags.FILL_ORDER, 1),
        orientation=page.integer(file, tags.ORIENTATION, 1),
        t4_options=page.integer(file, tags.T4_OPTIONS, 0),
        chunk_width=chunk_width,
        chunk_height=chunk_height,
        tiled=tiled,
        subsampling=_subsampling(file, page, photometric),
        alpha=alpha,
        premultiplied=premultiplied,
        stated=stated,
        notes=notes + light.note_of_profile(profile),
        display=described.display_range(text),
        without_reading=described.without_reading(file, page),
    )
    _check_combination(layout)
    return layout


def _depth(file: BinaryIO, page: Directory, samples: int, compression: int) -> tuple[int, str]:
    depths = set(page.integers(file, tags.BITS, _MOST_SAMPLES, (1,)))
    formats = set(page.integers(file, tags.SAMPLE_FORMAT, _MOST_SAMPLES, (1,)))
    if len(depths) > 1 or len(formats) > 1:
        raise Refusal(f"its TIFF samples differ in depth ({', '.join(map(str, sorted(depths)))} bits)", _SAVE)
    bits, form = depths.pop(), formats.pop()
    kind = _KINDS.get(form, "complex")
    allowed = {"u": {*range(1, 17), 32, 64}, "i": {8, 16, 32, 64}, "f": {16, 32, 64}}.get(kind, set())
    if bits not in allowed:
        what = {"u": "integers", "i": "signed integers", "f": "floats"}.get(kind, "complex numbers")
        raise Refusal(f"its TIFF samples are {what} of {bits} bits", "save it with 8 or 16 bits, or as 32-bit float")
    if compression in CCITT and (bits, samples) != (1, 1):
        raise Refusal("its TIFF is fax-compressed but not of 1 bit", EXPORT_AGAIN)
    return bits, kind


def _extras(
    file: BinaryIO, page: Directory, photometric: int, samples: int
) -> tuple[int | None, bool, tuple[str, ...]]:
    """(which sample is alpha or None, whether colours were multiplied by it, notes) from ExtraSamples."""
    colours = _COLOURS[photometric]
    more = samples - colours
    if more < 0:
        raise Refusal(f"its TIFF has {samples} samples per pixel where its colours need {colours}", EXPORT_AGAIN)
    # RGBA without the tag is what OpenCV and others write.
    default = (2,) if photometric == RGB and more == 1 else (0,) * more
    meanings = page.integers(file, tags.EXTRA_SAMPLES, _MOST_SAMPLES, default)[:more]
    found = [index for index, meaning in enumerate(meanings) if meaning in (1, 2)]
    if more and not found and photometric in (GREY, GREY_INVERTED, PALETTE):
        raise Refusal(f"its TIFF has {samples} bands that are no colours", "save the band to look at as a grey TIFF")
    unknown = more - len(found[:1])
    notes = (f"{unknown} of its {samples} TIFF samples are no colours and were left out",) if unknown else ()
    return (colours + found[0], meanings[found[0]] == 1, notes) if found else (None, False, notes)


def _chunks(file: BinaryIO, page: Directory, width: int, height: int, max_pixels: int) -> tuple[bool, int, int]:
    """(tiled, width, height) of a strip or tile."""
    if tags.TILE_OFFSETS in page or tags.TILE_WIDTH in page:
        across, down = page.integer(file, tags.TILE_WIDTH, 0), page.integer(file, tags.TILE_HEIGHT, 0)
        check_pixels(across, down, max_pixels)
        return True, across, down
    rows = page.integer(file, tags.ROWS_PER_STRIP, height)
    return False, width, min(rows, height) or height


def _subsampling(file: BinaryIO, page: Directory, photometric: int) -> tuple[int, int]:
    if photometric != YCBCR:
        return 1, 1
    across, down = page.integers(file, tags.YCBCR_SUBSAMPLING, 2, (2, 2))
    return across, down


def _stated(file: BinaryIO, page: Directory, bits: int, kind: str, photometric: int, samples: int) -> Stated | None:
    """The scale that the tags state: SMin/SMaxSampleValue, else a depth that is no whole bytes."""
    if photometric == RGB and kind == "u" and tags.REFERENCE_BLACK_WHITE in page:
        return _reference(file, page, bits)
    if photometric in (PALETTE, YCBCR, *LAB) or (bits == 8 and kind == "u"):
        return None  # in 8 bits these tags hold what was measured, and everybody shows 0 to 255
    if tags.SAMPLE_MAX in page:
        lows = page.values(file, tags.SAMPLE_MIN, samples)[:samples].ravel()
        highs = page.values(file, tags.SAMPLE_MAX, samples)[:samples].ravel()
        low, high = (float(lows.min()) if lows.size else 0.0), float(highs.max())
        if np.isfinite(low) and np.isfinite(high) and low < high:
            return Stated(low, high, "SMaxSampleValue")
    if kind == "u" and bits not in (8, 16, 32, 64):
        return Stated(0.0, float(2**bits - 1), f"BitsPerSample {bits}")
    return None


def _reference(file: BinaryIO, page: Directory, bits: int) -> Stated | None:
    """The levels of black and white that RGB leaves room beyond (TIFF 6.0, section 20); None for the usual ones."""
    levels = page.values(file, tags.REFERENCE_BLACK_WHITE, 6).reshape(-1, 2).astype(float)
    ends = levels[:, 0] / np.where(levels[:, 1] == 0, 1, levels[:, 1])
    black, white = set(ends[0::2]), set(ends[1::2])
    if len(ends) != 6 or len(black) > 1 or len(white) > 1 or not min(black) < min(white):
        raise Refusal("its ReferenceBlackWhite differs between its colours", "save it without")
    return (
        None if (black, white) == ({0.0}, {2.0**bits - 1}) else Stated(black.pop(), white.pop(), "ReferenceBlackWhite")
    )


def _check_combination(layout: Layout) -> None:
    """Refuse what each tag allows alone and no reader here handles together."""
    if layout.across * layout.down * layout.planes > _MOST_CHUNKS:
        chunks = layout.across * layout.down * layout.planes
        raise Refusal(
            f"it is cut into {chunks:,} strips or tiles, at most {_MOST_CHUNKS:,}", "save it with larger ones"
        )
    if layout.predictor not in (1, 2, 3):
        raise Refusal(f"its TIFF predictor {layout.predictor} is unknown", "save it without a predictor")
    if (layout.predictor == 2 and layout.bits % 8) or (layout.predictor == 3 and layout.kind != "f"):
        raise Refusal(f"its TIFF predictor {layout.predictor} does not fit its samples", "save it without a predictor")
    if layout.compression == JPEG and (layout.bits, layout.kind) != (8, "u"):
        raise Refusal(f"it is a JPEG-compressed TIFF of {layout.bits} bits", "save it with LZW or deflate")
    if layout.photometric == PALETTE and (layout.kind != "u" or layout.samples > 1):
        raise Refusal("it is a TIFF with a palette and other samples beside it", "save it as RGB")
    if layout.photometric in (CMYK, YCBCR) and (layout.kind != "u" or layout.bits not in (8, 16)):
        raise Refusal(f"it is a CMYK or YCbCr TIFF of {layout.bits} bits", "save it as RGB with 8 or 16 bits")
    if layout.photometric in LAB and (layout.bits != 8 or layout.samples != 3 or layout.compression == JPEG):
        raise Refusal("it is a Lab TIFF of more than 8 bits, with alpha or JPEG-compressed", "save it as RGB")
    if layout.photometric == YCBCR and layout.compression != JPEG:
        if layout.bits != 8 or layout.planar or layout.samples != 3:
            raise Refusal("it is a YCbCr TIFF of more than 8 bits, with planes or with more samples", "save it as RGB")
        if layout.subsampling[0] not in (1, 2, 4) or layout.subsampling[1] not in (1, 2, 4):
            raise Refusal("its YCbCr subsampling is none that TIFF knows", EXPORT_AGAIN)
