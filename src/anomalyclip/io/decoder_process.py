"""One process that decodes for this one, from this side: started, asked, ended; see `isolated` for the other side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from anomalyclip.io.isolated import read_frame, write_frame

_START = 120.0  # seconds for a new process to come up
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Died(Exception):  # noqa: N818 - what happened, not whose fault it was
    """The process ended before it answered. code: as of `Popen.returncode`; overdue: we ended it."""

    def __init__(self, code: int | None, *, overdue: bool) -> None:
        super().__init__(code)
        self.code, self.overdue = code, overdue

    @property
    def overrun(self) -> bool:
        """Whether it ended because a picture that was to be quick was not."""
        return self.code is not None and self.code == -getattr(signal, "SIGVTALRM", 0)

    def reason(self, seconds: float) -> str:
        slow = self.code is not None and self.code == -getattr(signal, "SIGXCPU", 0)
        if self.overdue or slow:
            return f"decoding it took more than {seconds:g} s; save it in a simpler way, or smaller"
        with suppress(ValueError, TypeError):
            return (
                f"its decoder's process was ended by {signal.Signals(-(self.code or 0)).name}; the file is damaged or "
                "hostile, or memory is short: save it again, or smaller"
            )
        return f"its decoder's process ended with code {self.code}; the file is damaged or hostile: save it again"


class Child:
    """One process of `isolated`. nice: how far it stands back where others want the processors, 0 to 19."""

    def __init__(self, nice: int = 0) -> None:
        # One thread, one heap: what a picture takes is what it asks for.
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "MALLOC_ARENA_MAX": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "anomalyclip.io.isolated", str(nice)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries warn by the thousand; what matters is in the answer
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; what is under way is finished
        )
        _widen(self._process.stdout)
        self._overdue = False
        self.ended = False
        self._fresh = True

    @property
    def up(self) -> bool:
        """Whether it has said so; the next picture need not wait for its start."""
        return not self._fresh and not self.ended

    def wait(self) -> None:
        """Until it is up. Raises Died."""
        if not self._fresh:
            return
        assert self._process.stdout is not None
        with self._ended_after(_START):
            if read_frame(self._process.stdout) is None:
                raise self._death()
        self._fresh = False

    def ask(self, request: dict[str, Any], data: bytes, seconds: float) -> tuple[dict[str, Any], bytearray]:
        """Raises Died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with self._ended_after(seconds):
                write_frame(self._process.stdin, request, data)
                answer = read_frame(self._process.stdout)
        except (OSError, ValueError) as error:
            raise self._death() from error
        if answer is None:
            raise self._death()
        if answer[0].get("last"):
            self.kill()
        return answer

    def kill(self) -> None:
        """End it from any thread; whoever waits for its answer is told."""
        self.ended = True
        self._process.kill()

    def discard(self) -> None:
        """Kill it and let go of its pipes; only by who holds it."""
        self.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()

    @contextmanager
    def _ended_after(self, seconds: float) -> Iterator[None]:
        """End it when so many seconds have passed in which it did nothing: one that waits for its turn on a busy
        machine is slow and not stuck, and what it may compute is bounded by the system."""
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(seconds, done), daemon=True)
        watch.start()
        try:
            yield
        finally:
            done.set()

    def _watch(self, seconds: float, done: threading.Event) -> None:
        before = self._computed()
        while not done.wait(seconds):
            now = self._computed()
            if now is None or now == before:
                self._overdue = True
                self._process.kill()
                return
            before = now

    def _computed(self) -> int | None:
        """Ticks of CPU it has taken; None where the system does not say, or bounds nothing."""
        with suppress(OSError, ValueError, IndexError):
            told = Path(f"/proc/{self._process.pid}/stat").read_bytes().rpartition(b")")[2].split()
            return int(told[11]) + int(told[12])
        return None

    def _death(self) -> Died:
        self.ended = True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)  # its own code, where it ended by itself
        return Died(self._process.returncode, overdue=self._overdue)


def _widen(pipe: IO[bytes] | None) -> None:
    """Linux lets a pipe hold a megabyte, which saves a switch of processes for every 64 kB of pixels."""
    with suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)  # type: ignore[arg-type]
