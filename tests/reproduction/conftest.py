"""Stand-ins of all 17 data sets, one class each, and a call that the small golden CLIP answers in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from anomalyclip.data import KNOWN, make_standin
from anomalyclip.reproduction import TABLES, ReproduceConfig

BATCHES = TABLES["mutual"].targets


@pytest.fixture(scope="session")
def standins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two normal and two anomalous pictures of one class per set (four anomalous where the real set has no others).

    Three of each of the sets whose classes are batches: a batch takes five.
    """
    root = tmp_path_factory.mktemp("standins")
    for name in KNOWN:
        make_standin(root, name, 6 if name in BATCHES else 4, classes=1, size=32)
    return root


@pytest.fixture
def call(standins: Path, golden_folder: Path, tmp_path: Path) -> Callable[..., ReproduceConfig]:
    """call(tables=("5",), ...) gives a configuration on the stand-ins with one epoch on the small CLIP."""

    def make(**changes: object) -> ReproduceConfig:
        values: dict[str, object] = {
            "root": standins,
            "output": tmp_path / "out",
            "model": str(golden_folder / "clip_small_openai.safetensors"),
            "train": True,
            "epochs": 1,
            "cache_dir": str(tmp_path / "features"),
            "device": "cpu",
        }
        return ReproduceConfig(**{**values, **changes})  # type: ignore[arg-type]

    return make
