"""The notebooks of the site run, and show what is written there, numbers aside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks  # noqa: E402

PAGES = sorted(notebooks.FOLDER.glob("*.ipynb"))
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*ever awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Jupyter's sockets
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    """One for all of them: each forgets what the last one knew."""
    manager, client = start_new_kernel(kernel_name="python3", extra_arguments=notebooks.QUIET)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_says(path: Path, kernel: Any) -> None:
    assert not notebooks.stale(notebooks.execute(path, kernel), path), "run python tools/notebooks.py"


def test_there_are_three_small_ones_all_of_whose_cells_were_run() -> None:
    assert len(PAGES) == 3
    for path in PAGES:
        assert path.stat().st_size < 200_000
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
