"""Shared by all rooms: where the golden numbers are, and a small random CLIP in OpenAI's format."""

from __future__ import annotations

import os
from pathlib import Path

# Before NumPy, and for processes that tests start: OpenBLAS's threads wait busily on the cores of other tests: a
# seventh of the CPU time of tests of judges, detector and calibration.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

try:
    import torch
except ImportError:  # the light install: tests/light needs none of what is below
    torch = None  # type: ignore[assignment]

# On a busy machine any example can take long; time limits belong to benchmarks.
# `.ci/run` always draws the same examples, so that a change alone decides what lands; every desk looks for new ones.
settings.register_profile("anomalyclip", deadline=None)
settings.register_profile("landing", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("ANOMALYCLIP_HYPOTHESIS", "anomalyclip"))

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """Golden numbers were made with one thread, and tests must not fight over two cores."""
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Folder of the reference implementation's numbers; its README.txt says what each is."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """Every array of golden.npz by name."""
    with np.load(GOLDEN / "golden.npz") as data:
        return {name: data[name] for name in data.files}
