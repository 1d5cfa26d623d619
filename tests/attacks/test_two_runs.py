"""Two runs that look into one folder before either writes: the lock is held from the first look on."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from anomalyclip.detect.folder import FolderLock
from anomalyclip.detect.writers import OutputFolder
from anomalyclip.errors import OutputError
from anomalyclip.evaluation.folder import EvaluationFolder

pytest.importorskip("fcntl")
ATTACKS = Path(__file__).parents[2] / "attacks"


@pytest.mark.parametrize("kind", [OutputFolder, EvaluationFolder])
@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_folder_that_was_looked_into_is_taken(kind: type, mode: str, tmp_path: Path) -> None:
    first = kind(tmp_path / "out")  # has written nothing yet
    with pytest.raises(OutputError, match=r"another run is writing to .*out; wait for it or name another folder"):
        kind(tmp_path / "out", mode)
    first._lock.close()
    kind(tmp_path / "out", mode)._lock.close()


def test_nothing_lies_in_a_folder_that_is_held(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    assert list(tmp_path.iterdir()) == []
    lock.close()
    lock.close()


def test_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One stops between its look and its first write, as if its model were slow: the other is refused at once."""
    monkeypatch.syspath_prepend(ATTACKS)
    end = importlib.import_module("two_runs").end(tmp_path)
    # On a busy machine the first may not have come to its look yet when it stops: then the other one has the folder.
    assert min(end.first, end.other) == 0
    assert max(end.first, end.other) in (1, 2)
    if end.first == 0:
        assert "another run is writing to" in end.said
    assert end.rows == 4
