"""Progress in a notebook: one bar below the cell, updated in place; elsewhere nothing.

IPython's own display is all it needs, so that it is there wherever a notebook is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_AFTER, _EVERY = 0.5, 0.1  # seconds until there is a bar, and between two looks of it


def in_notebook() -> bool:
    """Whether a kernel runs this: in a terminal's IPython a program of its own shows progress."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """Around work on `total` pictures: gives what has to be called after each, or with how many were done.

    >>> with progress("detect", 2) as advance:
    ...     advance()
    """
    bar = _Bar(what, total) if total > 1 and in_notebook() else None
    try:
        yield _nothing if bar is None else bar.advance
    finally:
        if bar is not None:
            bar.end()


def _nothing(done: int = 1) -> None:
    pass


class _Bar:
    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._shown = time.monotonic()
        self._display: Any = None

    def advance(self, done: int = 1) -> None:
        self._done += done
        now = time.monotonic()
        if now - self._shown >= (_AFTER if self._display is None else _EVERY):
            self._shown = now
            self._show(f'<progress value="{self._done}" max="{self._total}"></progress> ')

    def end(self) -> None:
        """The bar goes, what was done stays."""
        if self._display is not None:
            self._show("")

    def _show(self, bar: str) -> None:
        from IPython.display import HTML, display

        rate = self._done / max(time.monotonic() - self._began, 1e-9)
        shown = HTML(f"{bar}{self._what}: {self._done:,} of {self._total:,}, {rate:.1f} per second")
        if self._display is None:
            self._display = display(shown, display_id=True)
        else:
            self._display.update(shown)
