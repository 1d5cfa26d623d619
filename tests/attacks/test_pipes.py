"""Pipes in a file's place."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_pipe_swapped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    assert "it is a named pipe, not a regular file" in importlib.import_module("pipe_swapped_in").end(tmp_path)
