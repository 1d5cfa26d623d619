"""A server to besiege, in a memory cgroup where there is one, with the options it is shipped with."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from group import Group, limited
from kills import ENVIRONMENT
from outcome import Outcome

_BOUNDARY = "siege"
MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


@dataclass
class Server:
    """A running one. most: bytes that it and its processes took, so far."""

    port: int
    group: Group
    most: int = 0
    log: list[bytes] = field(default_factory=list)

    def ask(self, path: str, body: bytes, media_type: str, timeout: float = 200.0) -> tuple[int, Any, float]:
        """(status, JSON, Retry-After) of a POST. Raises OSError, http.client.HTTPException, ValueError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("POST", path, body, {"Content-Type": media_type})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), float(answer.headers.get("Retry-After") or 0)
        finally:
            connection.close()


def at_once(count: int, send: Callable[[int], object]) -> None:
    """So many clients, each a thread that is given its number; returns when all have ended."""
    threads = [threading.Thread(target=send, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def running(memory_mb: int, outcome: Outcome, *options: str) -> Iterator[Server]:
    """A server in `memory_mb`; its death, and memory beyond that, are noted when the block ends."""
    words = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--offline", "--log-level", "error"]
    with limited([*words, *options], memory_mb << 20, {**ENVIRONMENT}) as (process, group):
        assert process.stderr is not None
        found = (re.search(rb"http://127\.0\.0\.1:(\d+)/", line) for line in process.stderr)
        server = Server(next(int(one[1]) for one in found if one), group)
        reader = threading.Thread(target=lambda: server.log.extend(process.stderr or ()), daemon=True)
        reader.start()
        ended = threading.Event()
        sampler = threading.Thread(target=_sample, args=(server, ended), daemon=True)
        sampler.start()
        try:
            yield server
        finally:
            ended.set()
            sampler.join()
        outcome.dead += int(process.poll() is not None) + group.killed()
        start = time.monotonic()
        process.terminate()
        if (code := process.wait(180)) != 0:
            outcome.note(f"SIGTERM ended it with {code}")
        reader.join(5)
        outcome.most |= {"end after SIGTERM, s": time.monotonic() - start, "memory, MB": server.most / 2**20}
        for line in server.log[:2]:
            outcome.note(f"its log: {line.decode(errors='replace')}")
        if server.most > memory_mb << 20:
            outcome.note(f"it took {server.most / 2**20:,.0f} MB")
        if not group.enforced:
            outcome.counts["without a cgroup"] = 1


def _sample(server: Server, ended: threading.Event) -> None:
    while not ended.wait(0.1):
        server.most = max(server.most, server.group.used())


def form(*files: tuple[str, bytes]) -> bytes:
    """A multipart body."""
    parts = []
    for name, data in files:
        head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    return b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])
