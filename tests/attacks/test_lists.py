"""Hostile lists of images: refused in a line."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from anomalyclip.data import open_dataset
from anomalyclip.errors import InputError


def test_list_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "attacks")
    (tmp_path / "list.csv").write_text(importlib.import_module("list_columns").rows(100_000), "utf-8")
    with pytest.raises(InputError, match=r"list.csv has 100,000 columns, the limit is 2,000"):
        open_dataset(tmp_path / "list.csv")
