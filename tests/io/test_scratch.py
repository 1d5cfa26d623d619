"""Temporary folders and files of processes that were killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import atomic_write, sweep
from anomalyclip.io.scratch import scratch


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files lie."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@contextmanager
def writer(body: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A process that makes something temporary, says so and stays."""
    program = f"import sys, time, pathlib\n{body}\n    print('made', flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program, *map(str, words)], stdout=subprocess.PIPE, text=True) as one:
        try:
            assert one.stdout is not None
            assert one.stdout.readline() == "made\n"
            yield one
        finally:
            one.kill()


FOLDER = "from anomalyclip.io.scratch import scratch\nwith scratch('batch') as made:\n    (made / 'x').touch()"
FILE = "from anomalyclip.io.atomic import atomic_write\nwith atomic_write(sys.argv[1]) as made:\n    made.touch()"


def test_a_folder_goes_with_the_block_whatever_ended_it(place: Path) -> None:
    def fail() -> None:
        with scratch("batch") as folder:
            (folder / "x").write_bytes(b"x")
            assert folder.parent == place
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(place.iterdir()) == []


def test_the_next_process_removes_what_a_killed_one_left_and_nothing_else(place: Path) -> None:
    others = [place / "anomalyclip-batch-abcdefgh", place / "anomalyclip-tmp-batch-abcdefg", place / "tmpabcdefgh"]
    for other in others:
        other.mkdir()
    (place / "anomalyclip-tmp-batch-abcdefgh").symlink_to(others[0], target_is_directory=True)
    with writer(FOLDER) as killed, writer(FOLDER):
        before = set(place.iterdir())
        killed.kill()
        killed.wait()
        assert set(place.iterdir()) == before, "it was killed before it could tidy up"
        with scratch("seen"):
            pass
        left = set(place.iterdir())
        assert len(before - left) == 1
        assert set(others) < left
    with scratch("seen") as folder:
        assert folder.is_dir()
    assert set(place.iterdir()) == {*others, place / "anomalyclip-tmp-batch-abcdefgh"}


def test_a_named_place_is_swept_too(place: Path) -> None:
    (place / "short" / "anomalyclip-tmp-ray-abcdefgh").mkdir(parents=True)
    with scratch("ray", place / "short") as folder:
        assert list((place / "short").iterdir()) == [folder]


def test_no_place_for_temporary_files_is_told(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(OutputError, match=r"No space left on device; free some space .* TMPDIR"), scratch("x"):
        pass


def test_half_written_files_of_killed_processes_are_swept(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    with writer(FILE, tmp_path / "deep" / "a") as killed, atomic_write(tmp_path / "deep" / "b") as alive:
        alive.write_text("whole")
        killed.kill()
        killed.wait()
        assert len(list((tmp_path / "deep").iterdir())) == 2
        sweep(tmp_path)
        assert len(list((tmp_path / "deep").iterdir())) == 2, "of this folder alone"
        sweep(tmp_path, "**/*")
        assert list((tmp_path / "deep").iterdir()) == [alive]
    assert (tmp_path / "deep" / "b").read_text() == "whole"
