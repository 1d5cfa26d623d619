"""A memory cgroup for a process and its children: an enforced limit, and what it took; Linux, root."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class Group:
    """path: None where no cgroup can be made; then nothing is limited, and `used` is what the processes hold."""

    def __init__(self, path: Path | None, pid: int) -> None:
        self._path, self._pid = path, pid

    @property
    def enforced(self) -> bool:
        return self._path is not None

    def used(self) -> int:
        """Bytes that cannot be given back: of programs and of files in memory, each once."""
        if self._path is None:
            return _held(self._pid)
        told = dict(line.split() for line in (self._path / "memory.stat").read_text("ascii").splitlines())
        v1 = int(told.get("total_rss", 0)) + int(told.get("total_shmem", 0))
        return v1 or int(told.get("anon", 0)) + int(told.get("shmem", 0))

    def killed(self) -> int:
        """How many processes the kernel killed for memory."""
        for name in ("memory.oom_control", "memory.events") if self._path is not None else ():
            with suppress(OSError):
                lines = (self._path / name).read_text("ascii").splitlines()
                return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return 0


@contextmanager
def limited(
    command: list[str], bytes_: int, environment: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Group]]:
    """Start a command that may take so much memory, and no more. Its stderr is a pipe."""
    path = _made(bytes_)

    def enter() -> None:
        if path is not None:
            (path / "cgroup.procs").write_text(str(os.getpid()), "ascii")

    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, preexec_fn=enter)
    try:
        yield process, Group(path, process.pid)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if path is not None:
            with suppress(OSError):  # a child that is still ending
                path.rmdir()


def _made(bytes_: int) -> Path | None:
    name = f"anomalyclip-siege-{secrets.token_hex(4)}"
    for home, limit in ((_V1, "memory.limit_in_bytes"), (_V2, "memory.max")):
        path = home / name
        with suppress(OSError):
            path.mkdir()
            if (path / limit).exists():
                (path / limit).write_text(str(bytes_), "ascii")
                return path
            path.rmdir()
    return None


def _held(pid: int) -> int:
    import psutil

    total, server = 0, psutil.Process(pid)
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.Error, AttributeError):  # one that has just ended
            total += process.memory_full_info().pss
    return total
