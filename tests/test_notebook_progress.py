"""The bar of a notebook: when there is one, what it shows, and that it is one output."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import anomalyclip
from anomalyclip import notebook


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a kernel's display was given; a clock that goes on by a second at every look."""
    texts: list[str] = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    handle = SimpleNamespace(update=lambda html: texts.append(html))

    def first(html: str, display_id: bool) -> Any:
        assert display_id
        assert not texts, "one output, updated"
        texts.append(html)
        return handle

    display.HTML, display.display = str, first
    ipython.get_ipython, ipython.display = lambda: SimpleNamespace(kernel=object()), display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    seconds = iter(range(10_000))
    monkeypatch.setattr(notebook.time, "monotonic", lambda: float(next(seconds)))
    return texts


def test_detect_shows_how_far_it_is_and_what_was_done(shown: list[str]) -> None:
    model = anomalyclip.load("pocket")
    model.detect([np.zeros((32, 32, 3), np.uint8)] * 3)
    assert [text.partition(", ")[0] for text in shown] == [
        f'<progress value="{n}" max="3"></progress> detect: {n} of 3' for n in (1, 2, 3)
    ] + ["detect: 3 of 3"]
    shown.clear()
    model.detect(np.zeros((32, 32, 3), np.uint8))
    assert not shown, "one picture needs no bar"


def test_what_is_done_at_once_shows_nothing(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook.time, "monotonic", lambda: 1.0)
    with notebook.progress("detect", 2) as advance:
        advance()
    assert not shown


def test_without_a_kernel_there_is_none(shown: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())  # a terminal's IPython
    with notebook.progress("detect", 2) as advance:
        advance()
    assert not shown
