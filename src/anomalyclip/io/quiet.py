"""Libraries that complain by themselves, kept quiet: our own one-line error says it, our own limit was asked."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ONE_AT_A_TIME = threading.Lock()


@functools.cache
def _libtiff_silenced() -> bool:
    """Switch the message handlers of Pillow's own libtiff off, where it is a library of its own (Linux, macOS)."""
    import PIL

    home = Path(PIL.__file__).parent
    folders = (home.parent / "pillow.libs", home / ".dylibs")
    path = next((path for folder in folders for path in sorted(folder.glob("libtiff*"))), None)
    try:
        library = ctypes.CDLL(str(path)) if path else None  # the one that Pillow has loaded: same file, same handle
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            function = getattr(library, name)
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
            function(None)
    except (OSError, AttributeError):
        return False
    return True


@contextmanager
def quiet_libtiff() -> Iterator[None]:
    """Whatever libtiff inside Pillow has to say is not printed."""
    from PIL import Image

    Image.preinit()  # Pillow's C part, and libtiff with it, is in the process
    if _libtiff_silenced():
        yield
    else:
        with quiet_stderr():
            yield


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Nothing written to descriptor 2 is seen, by one thread at a time. Everything else said meanwhile is lost too:
    for short calls of libraries without a switch only."""
    with _ONE_AT_A_TIME:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError, AttributeError):  # no such stream: nothing can be printed
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(null)


class _PillowsLimit:
    """How many readers need Pillow's limit off, and what it was before the first of them."""

    readers = 0
    before: int | None = None


@contextmanager
def own_pixel_limit(pixels: int) -> Iterator[None]:
    """Pillow's limits are off where a picture of `pixels`, which our own limit let through, would meet them.

    They are one number for the whole process: it is put back as soon as the last picture that needs it is read.
    """
    from PIL import Image

    with _ONE_AT_A_TIME:
        limit = _PillowsLimit.before if _PillowsLimit.readers else Image.MAX_IMAGE_PIXELS  # the program's around us
        meets_it = limit is not None and pixels > limit
    if not meets_it:
        yield
        return
    with _ONE_AT_A_TIME:
        if not _PillowsLimit.readers:
            _PillowsLimit.before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _PillowsLimit.readers += 1
    try:
        yield
    finally:
        with _ONE_AT_A_TIME:
            _PillowsLimit.readers -= 1
            if not _PillowsLimit.readers:
                Image.MAX_IMAGE_PIXELS = _PillowsLimit.before
