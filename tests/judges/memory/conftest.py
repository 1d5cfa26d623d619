"""The golden numbers of the memory methods, made by running their authors' code (README.txt beside them)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "golden_memory"


def _read(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz") as data:
        return {key: data[key] for key in data.files}


@pytest.fixture(scope="session")
def aprilgan() -> dict[str, np.ndarray]:
    return _read("aprilgan")


@pytest.fixture(scope="session")
def winclip() -> dict[str, np.ndarray]:
    return _read("winclip_zqhang")


@pytest.fixture(scope="session")
def anomalydino() -> dict[str, np.ndarray]:
    return _read("anomalydino")


@pytest.fixture(scope="session")
def patchcore() -> dict[str, np.ndarray]:
    return _read("patchcore")
