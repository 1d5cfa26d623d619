"""C libraries that complain on the process's standard error stream, kept quiet: our own one-line error says it."""

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
