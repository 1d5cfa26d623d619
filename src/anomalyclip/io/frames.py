"""Files that hold several pictures: how many, what each is called (`FILE#frame=n`, from 0), and how many are wanted.

Pictures are the frames of an animation or of a DICOM object, the pages of a TIFF at full resolution (`pages`), the
slices of a NIfTI volume. A reader that was not told which one refuses a file of several: taking the first would be an
answer about another picture.
"""

# os.path works on names as they are, undecodable bytes included.
# ruff: noqa: PTH113

from __future__ import annotations

import io
import os
import re
from typing import BinaryIO

from anomalyclip.errors import ConfigError
from anomalyclip.io import animation, headers, pages, pnm
from anomalyclip.io.limits import DEFAULT_MAX_BYTES, DEFAULT_MAX_FRAMES, DEFAULT_MAX_PIXELS, check_together
from anomalyclip.io.memo import Memo
from anomalyclip.io.names import StrPath
from anomalyclip.io.opened import reported, use_file
from anomalyclip.io.refusal import Refusal

_NAMED = re.compile(r"(?s)(.+)#frame=(\d{1,9})")


def frame_path(path: str, frame: int) -> str:
    """What a row, a message or an argument calls one picture of a file.

    >>> frame_path("scan.tif", 3)
    'scan.tif#frame=3'
    """
    return f"{path}#frame={frame}"


def split_frame(path: StrPath) -> tuple[str, int | None]:
    """The file and the frame that a path names; a file whose own name ends in `#frame=3` is that file.

    >>> split_frame("no such file#frame=3")
    ('no such file#frame=3', None)
    """
    text = os.fsdecode(path)
    named = _NAMED.fullmatch(text)
    if named is None or os.path.lexists(text) or not os.path.isfile(named[1]):
        return text, None
    return named[1], int(named[2])


def parse_frames(text: str | int | None) -> int | None:
    """`first`, `all` or a number -> how many pictures of a file are taken at most; None is all (and what None gives).

    Raises ConfigError.

    >>> parse_frames("first"), parse_frames("12"), parse_frames("all")
    (1, 12, None)
    """
    if text is None or text == "all":
        return None
    if text == "first":
        return 1
    if isinstance(text, bool) or not str(text).isascii() or not str(text).isdecimal() or not 1 <= int(text) <= 10**9:
        raise ConfigError(
            f"frames is {text!r}, expected first, all, or how many pictures of a file to take (1 or more)"
        )
    return int(text)


def count_frames(
    path: StrPath, *, axis: str = "z", max_pixels: int = DEFAULT_MAX_PIXELS, max_bytes: int = DEFAULT_MAX_BYTES
) -> int:
    """How many pictures a file holds, from its headers; a volume along an axis. Raises `ImageReadError`."""
    return use_file(path, lambda file: count_in(file, headers.sniff(file), max_pixels, axis), max_bytes)


def count_frames_of(data: bytes, name: str = "image", *, axis: str = "z", max_pixels: int = DEFAULT_MAX_PIXELS) -> int:
    """How many pictures a file held in memory holds. Raises `ImageReadError`; `name` stands in the message."""
    file = io.BytesIO(data)
    return reported(name, lambda: count_in(file, headers.sniff(file), max_pixels, axis))


_counted: Memo[int] = Memo(16)  # what every picture of a file would be counted for again


def count_in(file: BinaryIO, kind: str, max_pixels: int, axis: str = "z") -> int:
    """How many pictures an open file of this kind holds; rewinds it. Raises `Refusal`."""
    return _counted.of(file, lambda: _count_in(file, kind, max_pixels, axis), (kind, max_pixels, axis))


def _count_in(file: BinaryIO, kind: str, max_pixels: int, axis: str) -> int:
    if kind == "TIFF":
        return len(pages.pictures(file).places)
    if kind == "PNM":
        return pnm.count(file)
    if kind in animation.KINDS:
        return animation.count(file, kind, max_pixels)
    if kind == "DICOM":
        from anomalyclip.io import dicom

        form = dicom.inspected(file, max_pixels)
        taken = min(form.frames, DEFAULT_MAX_FRAMES)
        check_together(form.frames, taken * form.columns * form.rows, file.seek(0, 2))
        file.seek(0)
        return form.frames
    if kind == "NIFTI":
        from anomalyclip.io import nifti

        return nifti.count(file, max_pixels, axis)
    return 1


def chosen(frame: int | None, number: int) -> int:
    """The index of the picture to read of `number`. Raises `Refusal` where it is not there, or was not told."""
    if frame is None:
        if number > 1:
            raise Refusal(
                f"it holds {number:,} pictures",
                f"name one (FILE#frame=0 to FILE#frame={number - 1}), or ask for all (--frames all, frames='all')",
            )
        return 0
    if not 0 <= frame < number:
        raise Refusal(f"it has no picture {frame}", f"it holds {number:,}, counted from 0")
    return frame


def wanted(number: int, frames: int | None) -> tuple[int, str | None]:
    """How many pictures of a file with `number` are taken, and what to tell of those that are not."""
    if frames is not None:
        return min(number, frames), None
    if number <= DEFAULT_MAX_FRAMES:
        return number, None
    told = f"it holds {number:,} pictures; the first {DEFAULT_MAX_FRAMES:,} were taken: --frames {number} takes all"
    return DEFAULT_MAX_FRAMES, told
