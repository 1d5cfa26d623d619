"""A cluster of several Ray nodes on one machine, for tests, measurements and trying a recipe out."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from anomalyclip.errors import ConfigError
from anomalyclip.io.scratch import scratch

_STORE_BYTES = 80_000_000  # the least that Ray takes is 75 MB
_START_SECONDS = 180
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1", "RAY_prestart_worker_first_driver": "0"}
_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>
_FAIR = {"RAY_worker_niceness": "0"}  # Ray's 15 lets any other process of the machine starve the workers


class LocalCluster:
    """Nodes are separate `ray start` processes with `cpus` each, in sessions of their own; the first is the head.

    Linux only: it finds a node's processes in /proc. A node also ends with the thread that started it, so that a killed
    process leaves none. environment: what drivers need to be let in, a token of its own.

    >>> with LocalCluster(nodes=2) as cluster:  # doctest: +SKIP
    ...     print(cluster.address)
    """

    def __init__(self, nodes: int = 2, *, cpus: int = 1) -> None:
        self._cpus = cpus
        # Not where TMPDIR says: the sockets in there have names of 107 bytes at most, Ray makes 66 of them.
        self._kept = ExitStack()
        self.folder = self._kept.enter_context(scratch("ray", Path("/tmp")))
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._nodes: list[subprocess.Popen[bytes]] = []
        try:
            self.address = self._start_head()
            for _ in range(nodes - 1):
                self.add_node()
        except BaseException:
            self.close()
            raise

    def add_node(self) -> int:
        """Start one more; gives its number."""
        self._start(f"--address={self.address}")
        log = self._log(len(self._nodes) - 1)
        self._until(lambda: b"Ray runtime started" in log.read_bytes())
        return len(self._nodes) - 1

    def is_running(self, number: int, title: str) -> bool:
        """Whether a process of the node says so in its title, as Ray's workers do: `ray::Worker.score`."""
        leader = self._nodes[number].pid
        return any(_session(pid) == leader and title in _title(pid) for pid in _processes())

    def kill_node(self, number: int) -> None:
        """SIGKILL to every process of the node, as when its power fails."""
        _kill_session(self._nodes[number].pid)
        self._nodes[number].wait()

    def close(self) -> None:
        """Leave no process and no file."""
        for node in reversed(self._nodes):
            _kill_session(node.pid)
            node.wait()
        self._kept.close()

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start_head(self) -> str:
        # Port 0 lets the system choose, so that clusters do not meet.
        self._start("--head", "--port=0", "--include-dashboard=false", f"--temp-dir={self.folder}/s")
        told, log = self.folder / "s" / "ray_current_cluster", self._log(0)
        self._until(lambda: told.exists() and b"Ray runtime started" in log.read_bytes())
        return told.read_text().strip()

    def _start(self, *options: str) -> None:
        resources = (f"--num-cpus={self._cpus}", "--num-gpus=0", f"--object-store-memory={_STORE_BYTES}")
        command = [str(Path(sys.executable).with_name("ray")), "start", *options, *resources]
        with self._log(len(self._nodes)).open("wb") as log:
            node = subprocess.Popen(
                [*command, "--disable-usage-stats", "--block"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
                env={**os.environ, **_QUIET, **_FAIR, **self.environment},
            )
        self._nodes.append(node)

    def _log(self, number: int) -> Path:
        return self.folder / f"node-{number}.log"

    def _until(self, condition: object) -> None:
        assert callable(condition)
        deadline = time.monotonic() + _START_SECONDS
        while not condition():
            if self._nodes[-1].poll() is not None or time.monotonic() > deadline:
                log = self._log(len(self._nodes) - 1).read_text(errors="replace")
                raise ConfigError(f"a Ray node did not start: {' '.join(log.split())[-500:]}")
            time.sleep(0.05)


_libc = ctypes.CDLL(None)  # opened here: between fork and exec nothing may be


def _end_with_parent() -> None:
    """The system sends SIGTERM when the parent is gone, and `ray start --block` then ends all that it started."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_session(leader: int) -> None:
    """Workers have process groups of their own, but stay in the session of the node that started them."""
    for _ in range(3):  # a process may have been starting while the others were listed
        members = [pid for pid in _processes() if _session(pid) == leader]
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not members:
            return


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
