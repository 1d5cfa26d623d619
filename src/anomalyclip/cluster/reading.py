"""An image from a path or URL; what the network does wrong is tried again, what the server refuses is not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.cluster.places import is_url, open_place
from anomalyclip.errors import AnomalyClipError, ImageReadError
from anomalyclip.io import DEFAULT_MAX_BYTES, notes_of, printable
from anomalyclip.io.depth import guessed_white
from anomalyclip.io.frames import count_frames_of
from anomalyclip.io.reading import Reading

if TYPE_CHECKING:
    from PIL.Image import Image

_PAUSES = (0.2, 1.0, 5.0)  # seconds before another try
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


_SEVERAL = frozenset({".tif", ".tiff", ".btf", ".gif", ".webp", ".dcm", ".dicom", ".nii", ".gz", ""})


def count_source(place: str, reading: Reading) -> int:
    """How many pictures there are; 1 where that cannot be told.

    Also 1 for URLs whose suffix is of a kind that rarely holds several: each question would fetch the file.
    """
    try:
        if not is_url(place):
            return reading.count(place)
        if Path(place).suffix.lower() not in _SEVERAL:
            return 1
        return count_frames_of(_fetch(place), place, axis=reading.axis, max_pixels=reading.limit)
    except AnomalyClipError:  # reading it will say why, in its row
        return 1


def read_source(place: str, reading: Reading, frame: int | None = None) -> Image:
    """One image as 8-bit RGB, upright.

    Raises ImageReadError, also for floats of no stated scale where no profile brought one: workers that each guessed
    their own would give the same pictures other answers from run to run. ConfigError for a scheme that is not read.
    """
    known = reading.white_is_found
    reading = reading if known else reading.anew()
    image = reading.content(_fetch(place), place, frame) if is_url(place) else reading.image(place, frame)
    white = None if known else guessed_white(notes_of(image))
    if white is not None:
        raise ImageReadError(
            f"{printable(place)}: its floats state no scale, and the workers of a Ray job do not know of each other's: "
            f"say which value is white (--full-scale {white:g}), or use a profile that was calibrated on such pictures"
        )
    return image


def _fetch(place: str) -> bytes:
    system, path = open_place(place)
    pauses = iter(_PAUSES)
    while True:
        try:
            # One byte more than is accepted, so that a larger file is refused and not cut.
            data: bytes = system.cat_file(path, start=0, end=DEFAULT_MAX_BYTES + 1)
            return data
        except _FINAL as error:  # noqa: PERF203 - one try is the rule
            raise ImageReadError(f"{printable(place)}: it is not there or may not be read; check the URL") from error
        except Exception as error:
            pause = next(pauses, None)
            if pause is None or getattr(error, "status", 500) < 500:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise ImageReadError(f"{printable(place)}: cannot fetch it ({reason}); try again later") from error
            time.sleep(pause)
