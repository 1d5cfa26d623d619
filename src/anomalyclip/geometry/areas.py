"""The areas of a whole run: one region of interest, and one ignore mask for all images or one per image by its name."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.data.listings import pictures
from anomalyclip.data.pairing import CONVENTIONS
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry.area import Area, Mask, bounding_box
from anomalyclip.geometry.settings import Box, Geometry, Layout
from anomalyclip.io.names import printable

_NUMBERS = re.compile(r"[-+.,\s0-9]*,[-+.,\s0-9]*", re.ASCII)  # meant as a box
_WHOLE = re.compile(r"\s*-?\d+\s*", re.ASCII)


@dataclass(frozen=True)
class Areas:
    """Which pixels count, for every image of a run.

    roi: a box or a mask (True inside) for all images. ignore: a mask (True where to ignore) for all images. folder:
    of ignore masks paired by name: `part.png` takes `part.png`, `part_mask.png` or another ending of
    `anomalyclip.data.pairing.CONVENTIONS`, any image format, from the folder or the same subfolder of it; an image
    without one is judged whole.
    """

    roi: Box | Mask | None = None
    ignore: Mask | None = None
    folder: MaskFolder | None = None

    @classmethod
    def open(cls, roi: Any = None, ignore: Any = None) -> Areas:
        """roi: a box (four integers, or the text "x,y,width,height"), a mask or its file. ignore: a mask, its file or a
        folder of masks. A mask is boolean or uint8 (> 0 is True), (height, width).

        Raises:
            InputError, ImageReadError: a box or mask cannot be read. ConfigError: a folder without any picture.
        """
        path = Path(ignore) if isinstance(ignore, str | Path) else None
        if path is not None and path.is_dir():
            return cls(_roi(roi), folder=MaskFolder(path))
        return cls(_roi(roi), None if ignore is None else _mask(ignore, "ignore mask"))

    @property
    def everything(self) -> bool:
        """Whether all pixels of all images count."""
        return self.roi is None and self.ignore is None and self.folder is None

    def of(self, size: tuple[int, int], name: str = "") -> tuple[Area | None, Path | None]:
        """The area of one image (None: all of it), and the mask of its own that was found.

        size: (width, height). name: of the image, relative to the input folder. Raises InputError, ImageReadError.
        """
        own = None if self.folder is None else self.folder.find(name)
        if own is None:
            return Area.of(size, self.roi, self.ignore), None
        try:
            return Area.of(size, self.roi, _mask(own, "ignore mask")), own
        except InputError as error:
            raise InputError(f"{printable(own)}: {error}") from error

    def settings(self) -> dict[str, Any]:
        """What a run records, JSON-ready: {} for none; masks by a hash of their pixels."""
        told: dict[str, Any] = {}
        if self.roi is not None:
            told["roi"] = list(self.roi) if isinstance(self.roi, tuple) else _digest(self.roi)
        if self.ignore is not None:
            told["ignore_mask"] = _digest(self.ignore)
        return told | ({"ignore_mask": "by name"} if self.folder is not None else {})


def parse_layout(layout: Layout) -> tuple[Geometry, Areas]:
    """The geometry and the areas of keywords. Raises ConfigError, InputError; TypeError for unknown keywords."""
    rest: dict[str, Any] = {key: value for key, value in layout.items() if value is not None}
    areas = Areas.open(rest.pop("roi", None), rest.pop("ignore_mask", None))
    if "scales" in rest:
        rest["scales"] = tuple(rest["scales"])
    return Geometry(**rest), areas


class MaskFolder:
    """Masks by the names of their images; listings are read once. Raises ConfigError for a folder without a picture."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stems: dict[Path, dict[str, Path]] = {}
        if not any(self._listing(folder) for folder in (path, *sorted(p for p in path.rglob("*") if p.is_dir()))):
            raise ConfigError(f"--ignore-mask {printable(path)}: the folder holds no image; name one with masks")

    def find(self, name: str) -> Path | None:
        """The mask for an image called `name` (with or without suffix, `/` between folders); None without one."""
        relative = Path(name)
        # A dot in a name need not start a suffix: "lot.7" is looked up as it is, then as "lot".
        stems = dict.fromkeys([relative.name.casefold(), relative.stem.casefold()])
        for folder in dict.fromkeys([self.path / relative.parent, self.path]):
            listing = self._listing(folder)
            for stem in stems:
                for ending in CONVENTIONS:
                    if stem + ending in listing:
                        return listing[stem + ending]
        return None

    def _listing(self, folder: Path) -> dict[str, Path]:
        if folder not in self._stems:
            # The first by name wins where two differ in suffix or letter case only.
            self._stems[folder] = {path.stem.casefold(): path for path in reversed(pictures(folder))}
        return self._stems[folder]


def _roi(given: Any) -> Box | Mask | None:
    if given is None:
        return None
    if isinstance(given, str) and _NUMBERS.fullmatch(given) and not Path(given).exists():
        given = tuple(int(part) if _WHOLE.fullmatch(part) else part for part in given.split(","))
    if isinstance(given, tuple | list):
        if len(given) != 4 or not all(isinstance(v, int | np.integer) for v in given):
            text = ",".join(map(str, given))
            raise InputError(f"region of interest {text}: expected four whole numbers x,y,width,height, or a mask file")
        box = Box(*(int(v) for v in given))
        if min(box.width, box.height) < 1 or min(box.x, box.y) < 0:
            raise InputError(f"region of interest {','.join(map(str, box))}: expected x,y from 0, width,height from 1")
        return box
    mask = _mask(given, "region of interest")
    bounding_box(mask)  # refuses an empty one before any image is read
    return mask


def _mask(given: Any, what: str) -> Mask:
    from anomalyclip.io import read_mask

    if isinstance(given, str | Path):
        return read_mask(given)
    array: NDArray[Any] = np.asarray(given)
    if array.ndim != 2 or array.dtype not in (np.bool_, np.uint8):
        raise InputError(f"{what}: expected a bool or uint8 array (height, width), got {array.dtype} {array.shape}")
    return array > 0


def _digest(mask: Mask) -> str:
    content = f"{mask.shape}".encode() + np.packbits(mask).tobytes()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
