"""Notes of reads: what a process left when it died, whoever was reading beside it, and what clears a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io import isolation
from anomalyclip.io.attempts import MOST_DEATHS, Attempts, noted_in, reading
from anomalyclip.io.images import read_image

_DIES = """
import os, signal, sys
from anomalyclip.io.attempts import noted_in, reading
with noted_in(__import__("pathlib").Path(sys.argv[1])):
    for path in sys.argv[2:]:
        with reading(path):
            if b"poison" in open(path, "rb").read():
                os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("a", "b", "c")]
    for file in found:
        file.write_bytes(b"poison" if file.name == "b" else b"food")
    return found


def run(notes: Path, *files: Path) -> int:
    return subprocess.run([sys.executable, "-c", _DIES, notes, *files], check=False, capture_output=True).returncode


def test_a_file_that_killed_two_processes_is_left_out(tmp_path, files):
    notes = tmp_path / "notes"
    for _ in range(MOST_DEATHS):
        assert run(notes, *files) == -signal.SIGKILL
    assert run(notes, *files) == 1  # ImageReadError
    with noted_in(notes):
        with reading(files[0]):
            pass
        with pytest.raises(ImageReadError, match=r"b: the process ended 2 times while it was reading this file"), \
                reading(files[1]):  # fmt: skip
            raise AssertionError
    assert notes.exists()  # it goes on being left out


def test_a_file_that_was_replaced_is_tried_again(tmp_path, files):
    notes = tmp_path / "notes"
    for _ in range(MOST_DEATHS):
        run(notes, *files)
    files[1].write_bytes(b"mended")
    assert run(notes, *files) == 0
    assert not notes.exists()


def test_one_death_and_one_success_is_no_death(tmp_path, files):
    notes = tmp_path / "notes"
    run(notes, *files)
    stamp = files[1].stat().st_mtime_ns
    files[1].write_bytes(b"health")  # same size and time: the same version as far as we can tell
    os.utime(files[1], ns=(stamp, stamp))
    assert run(notes, *files) == 0
    assert not notes.exists()


def test_a_suspect_is_read_alone_and_the_others_beside_each_other(tmp_path, files):
    notes = tmp_path / "notes"
    run(notes, files[1])
    attempts = Attempts(notes)
    beside, release = threading.Barrier(2), threading.Event()
    order: list[str] = []

    def hold(file: Path) -> None:
        with attempts.reading(file):
            beside.wait(10)  # both are inside at once, or this breaks
            release.wait(10)
            order.append(file.name)

    threads = [threading.Thread(target=hold, args=(file,)) for file in (files[0], files[2])]
    for thread in threads:
        thread.start()

    def suspect() -> None:
        with attempts.reading(files[1]):
            order.append("b")

    last = threading.Thread(target=suspect)
    last.start()
    last.join(0.2)
    assert last.is_alive()
    release.set()
    for thread in (*threads, last):
        thread.join(10)
    assert order[-1] == "b"
    assert sorted(order) == ["a", "b", "c"]
    attempts.close()


def test_innocents_beside_the_poison_are_not_left_out(tmp_path, files):
    """Two threads read at the first death; at the second only the poison is under way, so only it is to blame."""
    notes = tmp_path / "notes"
    first = Attempts(notes)
    inside = [first.reading(file) for file in files[:2]]
    for one in inside:
        first._own.mine = None  # as if each were in a thread of its own
        one.__enter__()
    left = notes.read_bytes()
    for one in inside:
        one.__exit__(None, None, None)
    notes.write_bytes(left)  # what a kill at that moment leaves
    assert run(notes, *files) == -signal.SIGKILL
    with noted_in(notes):
        with reading(files[0]):
            pass
        with pytest.raises(ImageReadError), reading(files[1]):
            pass


def test_nothing_is_left_where_nothing_died(tmp_path, files):
    notes = tmp_path / "notes"
    with noted_in(notes):
        for file in files:
            with reading(file), reading(file):  # a mask within its image, say
                pass
        with pytest.raises(ZeroDivisionError), reading(files[0]):
            raise ZeroDivisionError
    assert not notes.exists()


def test_lines_that_are_not_ours_are_passed_over(tmp_path, files):
    notes = tmp_path / "notes"
    notes.write_bytes(b"\xff\xfe junk\n" + b"00 1 2 3 4 5\n" + b"zz 1 2 3\n\n")
    assert run(notes, *files) == -signal.SIGKILL


def test_what_is_no_file_is_not_noted(tmp_path):
    with noted_in(tmp_path / "notes"), reading("rtsp://camera/1"), reading(tmp_path / "none"), reading("a\0b"):
        pass


def killed_while(notes: Path, file: Path, *, elsewhere: bool) -> None:
    """What a kill from outside leaves in the notes, while `file` is decoded here or elsewhere."""
    attempts = Attempts(notes)
    inside = attempts.reading(file)
    inside.__enter__()
    if elsewhere:
        with attempts.elsewhere():
            left = notes.read_bytes()
    else:
        left = notes.read_bytes()
    inside.__exit__(None, None, None)
    attempts.close()
    notes.write_bytes(left)


def test_kills_from_outside_are_no_fault_of_a_file_that_is_decoded_elsewhere(tmp_path, files):
    notes = tmp_path / "notes"
    killed_while(notes, files[0], elsewhere=False)
    for _ in range(2 * MOST_DEATHS):
        killed_while(notes, files[0], elsewhere=True)
    attempts = Attempts(notes)
    assert attempts.suspected(files[0])
    with attempts.reading(files[0]):
        pass
    assert not attempts.suspected(files[0])
    attempts.close()


def test_what_is_decoded_here_beside_it_is_a_fault(tmp_path, files):
    """A mask of the picture, say, which is read in this process."""
    notes = tmp_path / "notes"
    attempts = Attempts(notes)
    with attempts.reading(files[0]), attempts.elsewhere():
        assert not Attempts(tmp_path / "copy").suspected(files[0])
        with attempts.reading(files[1]):
            left = notes.read_bytes()
        after = notes.read_bytes()
    attempts.close()
    notes.write_bytes(left)
    assert Attempts(notes).suspected(files[0])
    notes.write_bytes(after)
    assert not Attempts(notes).suspected(files[0])


def test_a_suspect_is_decoded_apart_unless_nothing_is(tmp_path, files, monkeypatch):
    apart: list[str] = []
    monkeypatch.setattr(isolation.Decoders, "read", lambda self, path, **options: apart.append(Path(path).name))
    Image.new("RGB", (8, 8)).save(files[0], "PNG")
    for wanted in (True, False):
        killed_while(tmp_path / "notes", files[0], elsewhere=False)
        with noted_in(tmp_path / "notes", apart=wanted):
            read_image(files[0])
    assert apart == ["a"]
