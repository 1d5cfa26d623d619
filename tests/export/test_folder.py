"""The folder of an export, whoever was killed while making it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anomalyclip.encoders.exported import SIDECAR
from anomalyclip.errors import OutputError
from anomalyclip.export import folder
from anomalyclip.export.folder import new_folder, sweep

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks and SIGKILL")

_KILLED = """
import os, signal, sys
from pathlib import Path
from anomalyclip.export import folder
folder.find_artefact = lambda place: place / "x" if (place / "x").exists() else None
if sys.argv[2] == "between":
    rename = Path.rename
    def once(self, target):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = once
with folder.new_folder(Path(sys.argv[1]), overwrite=True) as made:
    (made / "x").write_text("new")
    if sys.argv[2] == "filling":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file `x` is an export here."""
    monkeypatch.setattr(folder, "find_artefact", lambda place: place / "x" if (place / "x").exists() else None)


def killed(output: Path, when: str) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(output), when], check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL


def names(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir())


def test_what_a_killed_export_left_goes_with_the_next_one_of_any_name(tmp_path: Path) -> None:
    killed(tmp_path / "one", "filling")
    assert [name.rpartition(".")[2] for name in names(tmp_path)] == ["making", "tmp"]
    with new_folder(tmp_path / "two", overwrite=False) as made:
        (made / "x").write_text("whole")
    assert names(tmp_path) == ["two"]
    assert names(tmp_path / "two") == ["x"]


def test_an_export_whose_replacement_was_killed_comes_back(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/x").write_text("old")
    killed(tmp_path / "one", "between")
    assert "one" not in names(tmp_path)
    with pytest.raises(OutputError, match=SIDECAR), new_folder(tmp_path / "one", overwrite=False):
        pass
    assert names(tmp_path)[-1] == "one"
    assert (tmp_path / "one/x").read_text() == "old"
    with new_folder(tmp_path / "one", overwrite=True) as made:
        (made / "x").write_text("newest")
    assert (tmp_path / "one/x").read_text() == "newest"


def test_one_that_is_being_made_and_what_is_not_ours_stay(tmp_path: Path) -> None:
    for name in (".data.0123abcd.tmp", ".data.0123abcd.old", ".other.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("kept")
    with new_folder(tmp_path / "one", overwrite=False) as made:
        assert sweep(tmp_path) == []
        assert list(made.iterdir()) == [], "whatever lies in it is recorded as the export's"
        (made / "x").write_text("whole")
    assert names(tmp_path) == [".data.0123abcd.old", ".data.0123abcd.tmp", ".other.tmp", "one"]


def test_a_failure_leaves_nothing_and_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one/x").write_text("old")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "one", overwrite=True):
        raise ZeroDivisionError
    assert names(tmp_path) == ["one"]
    assert (tmp_path / "one/x").read_text() == "old"
