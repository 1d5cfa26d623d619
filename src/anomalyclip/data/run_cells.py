"""Cells of runs, as Kaggle's lists write masks: "start length start length ...", from pixel 1 down the columns."""

from __future__ import annotations

import re
from pathlib import Path

from anomalyclip.data.columns import is_empty
from anomalyclip.data.drawing import Runs
from anomalyclip.data.masks import DrawnMask
from anomalyclip.errors import ImageReadError, InputError

FORM = "runs are taken as Kaggle writes them: from pixel 1, down the columns"
_NUMBERS = re.compile(r"\d+( \d+)*")
_WITH_CLASS = re.compile(r"(.+\.\w{3,4})_(\w+)")  # Severstal's first form: ImageId_ClassId in one cell


def marks_nothing(text: str) -> bool:
    """Whether a cell says that there is no mark: empty, or -1.

    >>> marks_nothing(" -1"), marks_nothing("1 3")
    (True, False)
    """
    return is_empty(text) or text.strip() == "-1"


def without_class(name: str) -> tuple[str, str]:
    """(image, class) of a cell that holds both; the class is empty where it holds the image alone.

    >>> without_class("0002cc93b.jpg_1"), without_class("a_1.jpg")
    (('0002cc93b.jpg', '1'), ('a_1.jpg', ''))
    """
    found = _WITH_CLASS.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def mask_of(text: str, image: Path, source: Path, where: str) -> DrawnMask:
    """The mask of a cell that marks something, in the size of its image as stored.

    source: the list. where: starts the messages. Raises InputError: no such runs, or not within the image.
    """
    from anomalyclip.io.masks import stored_orientation

    try:
        _, size = stored_orientation(image)
    except ImageReadError:  # told where the image is used, and left out there with its mask
        return DrawnMask(source, image.name, (1, 1), ())
    return DrawnMask(source, image.name, size, (_runs(text, size, where),))


def _runs(text: str, size: tuple[int, int], where: str) -> Runs:
    words = " ".join(text.split())
    numbers = [int(word) for word in words.split()] if _NUMBERS.fullmatch(words) else []
    if not numbers or len(numbers) % 2:
        raise InputError(f"{where}: {text[:40]!r} are no runs; expected pairs of a first pixel, from 1, and a length")
    width, height = size
    counts, end = [], 0
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        if not start or not length:
            raise InputError(
                f"{where}: a run of {length} pixels at {start}; Kaggle's lists count pixels from 1; correct it"
            )
        if start - 1 < end:
            raise InputError(
                f"{where}: the run at {start} begins within the one before it (relative starts, as SIIM-ACR's list has "
                "them, are not read); write absolute ones, in order"
            )
        counts += [start - 1 - end, length]
        end = start - 1 + length
    if end > width * height:
        raise InputError(f"{where}: its runs end at pixel {end:,}, its image has {width} x {height}; check the list")
    return Runs((*counts, width * height - end), (0, 0, width, height), by_column=True)
