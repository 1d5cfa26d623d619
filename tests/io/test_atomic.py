"""A file appears whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from anomalyclip.errors import OutputError
from anomalyclip.io import atomic_write, write_bytes


def only(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.mark.parametrize("fsync", [False, True])
def test_replaces_the_whole_file(tmp_path, fsync):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old and long")
    with atomic_write(path, fsync=fsync) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".tmp"
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old and long"
    assert path.read_bytes() == b"new"
    assert only(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("failure", [RuntimeError("x"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"half")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    assert path.read_bytes() == b"old"
    assert only(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("code", "says"),
    [(errno.ENOSPC, "the disk is full; free some space"), (errno.EROFS, "read-only"), (errno.EIO, "check the path")],
)
def test_system_errors_name_path_and_remedy(tmp_path, code, says):
    path = tmp_path / "a.bin"

    def fail() -> None:
        with atomic_write(path):
            raise OSError(code, os.strerror(code))

    with pytest.raises(OutputError, match=says) as caught:
        fail()
    assert str(caught.value).startswith(f"cannot write {path}: ")
    assert only(tmp_path) == []


def test_a_really_full_disk(tmp_path):
    """A file size limit makes the kernel refuse the write in the middle, as a full disk does."""
    code = (
        "import resource, sys, pathlib; from anomalyclip.io import write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_bytes(sys.argv[1], b'x' * 100_000)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    path = tmp_path / "a.bin"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"OutputError cannot write {path}: the file would be larger")
    assert only(tmp_path) == []


def test_targets_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path, says in {
        tmp_path / "missing" / "a": "its folder does not exist; create the folder first",
        tmp_path / "folder": "a folder of that name exists",
        tmp_path / "file" / "a": "not a folder",
        Path("/dev/null"): "not a regular file",
        tmp_path / ("x" * 300): "the name is too long",
        tmp_path / "a\0b": "null",
    }.items():
        with pytest.raises(OutputError, match=says):
            write_bytes(path, b"1")
    assert only(tmp_path) == ["file", "folder"]
    assert not Path("/dev/null").is_file()

    def refuse(*_args: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match="permission denied; make the folder writable"):
        write_bytes(tmp_path / "a", b"1")


def test_links_are_followed_and_modes_are_those_of_any_new_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "sub" / "real")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "sub" / "real").read_bytes() == b"new"
    (tmp_path / "plain").touch()
    write_bytes(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_longest_names_and_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bytes("n" * 255, b"1")
    write_bytes(os.fsdecode(b"\xff\xfe.bin"), b"2")
    assert len(only(tmp_path)) == 2
