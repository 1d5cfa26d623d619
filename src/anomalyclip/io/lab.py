"""CIE Lab to sRGB by the formulas of CIE 15 and IEC 61966-2-1, from whichever white the Lab values count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Chromaticity (x, y) of the white that Lab values count from where nothing else is said: Photoshop's, and ICC's.
D50 = (0.34567, 0.35850)
_D65 = (0.3127, 0.3290)
_FROM_XYZ = np.array(
    [[3.2404542, -1.5371385, -0.4985314], [-0.9692660, 1.8760108, 0.0415560], [0.0556434, -0.2040259, 1.0572252]]
)
#: Bradford's: what the cones of the eye answer, by which colours under one white are those under another.
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_BAND = 256
_KNEE = 6 / 29


def to_srgb(samples: npt.NDArray[np.uint8], white: tuple[float, float] = D50) -> npt.NDArray[np.uint8]:
    """Lab (H, W, 3) uint8 as ICC writes it (a, b: 128 is no colour) to sRGB (H, W, 3).

    white: chromaticity (x, y) of the Lab values' own white, which becomes white on the display; y above 0.
    """
    own = _xyz(white)
    adapt = np.linalg.inv(_CONES) @ np.diag((_CONES @ _xyz(_D65)) / (_CONES @ own)) @ _CONES
    matrix = (_FROM_XYZ @ adapt @ np.diag(own)).T.astype(np.float32)
    out = np.empty_like(samples)
    for start in range(0, len(samples), _BAND):
        lightness, a, b = np.moveaxis(samples[start : start + _BAND].astype(np.float32), -1, 0)
        y = (lightness * np.float32(100 / 255) + 16) / 116
        roots = np.stack([y + (a - 128) / 500, y, y - (b - 128) / 200], -1)
        linear = np.clip(np.where(roots > _KNEE, roots**3, 3 * _KNEE**2 * (roots - 4 / 29)) @ matrix, 0, 1)
        shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        out[start : start + _BAND] = np.floor(shown * 255 + 0.5)
    return out


def _xyz(white: tuple[float, float]) -> npt.NDArray[np.float64]:
    x, y = white
    return np.array([x / y, 1, (1 - x - y) / y])
