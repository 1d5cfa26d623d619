"""A server with a limit of memory, healthy and hostile clients at once: who waited how long, and what it took."""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib
import io
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from outcome import Outcome
from PIL import Image

_ATTACKS = Path(__file__).parents[2] / "attacks"
_BOUNDARY = "siege"
_LONGEST_WAIT = 5.0  # seconds of a healthy client's request that was accepted
_FINE = {"healthy": {200, 429}, "hostile": {200, 400, 408, 411, 413, 415, 422, 429, 503}}


@dataclass
class _Tally:
    statuses: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def besiege(clients: int, seconds: float, memory_mb: int, scratch: Path) -> Outcome:
    """A quarter of the clients send attacks, the others small pictures, one at a time each, for so many seconds."""
    hostile, healthy = _hostile(), [_form("part.jpg", _jpeg(seed)) for seed in range(8)]
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--memory-mb", str(memory_mb)]
    tally, outcome = _Tally(), Outcome(f"{clients} clients", 0)
    with (scratch / "serve.log").open("wb") as log, subprocess.Popen(
        [*command, "--image-size", "96", "--offline", "--log-level", "error"], stderr=subprocess.PIPE
    ) as server:  # fmt: skip
        assert server.stderr is not None
        found = (re.search(rb"http://127\.0\.0\.1:(\d+)/", line) for line in server.stderr)
        port = next(int(one[1]) for one in found if one)
        threading.Thread(target=lambda: log.write(server.stderr.read()), daemon=True).start()
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=_client, args=(port, hostile if i % 4 == 0 else healthy, i, end, tally))
            for i in range(clients)
        ]
        for thread in threads:
            thread.start()
        most = _peak(server.pid, end)
        for thread in threads:
            thread.join()
        outcome.dead = int(server.poll() is not None)
        start = time.monotonic()
        server.terminate()
        code = server.wait(180)
        outcome.more = f"SIGTERM to its end {time.monotonic() - start:.1f} s (code {code}), "
    worst = max(tally.waits, default=0.0)
    outcome.times = sum(tally.statuses.values())
    outcome.slow = sum(wait > _LONGEST_WAIT for wait in tally.waits)
    outcome.problems += tally.wrong[:3]
    if most > memory_mb * 1e6:
        outcome.problems.append(f"it took {most / 1e6:,.0f} MB")
    told = ", ".join(f"{status} {count:,}" for status, count in sorted(tally.statuses.items()))
    outcome.more += f"worst wait of a healthy client {worst:.2f} s, {most / 1e6:,.0f} MB at most; {told}"
    return outcome


def _client(port: int, bodies: list[bytes], number: int, end: float, tally: _Tally) -> None:
    kind = "hostile" if number % 4 == 0 else "healthy"
    turn = number
    while time.monotonic() < end:
        turn += 1
        start, pause, status = time.monotonic(), 0.0, 0
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
            connection.request("POST", "/v1/detect?threshold=0.5", bodies[turn % len(bodies)], headers)
            answer = connection.getresponse()
            status, content = answer.status, json.loads(answer.read())
            pause = float(answer.headers.get("Retry-After") or 0)
            connection.close()
            wrong = status not in _FINE[kind] or (status != 200) != ("error" in content)
            if kind == "healthy" and status == 200:
                wrong = wrong or any(row["error"] for row in content["results"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            wrong = True
            content = f"{type(error).__name__}: {error}"
        with tally.lock:
            tally.statuses[f"{kind} {status}"] += 1
            if wrong:
                tally.wrong.append(f"{kind}: {str(content)[:200]}")
            if kind == "healthy" and status == 200:
                tally.waits.append(time.monotonic() - start)
        time.sleep(min(pause, 2.0) if pause else 0.2)


def _peak(pid: int, end: float) -> float:
    """Most bytes of the server and its processes together, shared ones counted once."""
    most, server = 0.0, psutil.Process(pid)
    while time.monotonic() < end:
        total = 0.0
        for process in [server, *server.children(recursive=True)]:
            with contextlib.suppress(psutil.Error, AttributeError):  # one that has just ended
                total += process.memory_full_info().pss
        most = max(most, total)
        time.sleep(0.25)
    return most


def _hostile() -> list[bytes]:
    """Every attack of `attacks/` that is a picture."""
    sys.path.insert(0, str(_ATTACKS))
    names = sorted(path.stem for path in _ATTACKS.glob("*.py") if "def make(" in path.read_text("utf-8"))
    pictures = [name for name in names if not name.startswith("weights_")]
    made = []
    for name in pictures:
        make = importlib.import_module(name).make
        data = functools.partial(make, side=2000)() if name == "tiff_many_bytes" else make()
        if len(data) < 30_000_000:
            made.append(_form(name, data))
    return made


def _jpeg(seed: int) -> bytes:
    small = Image.fromarray(np.random.default_rng(seed).integers(60, 200, (32, 40, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize((320, 256)).save(buffer, "JPEG")
    return buffer.getvalue()


def _form(name: str, data: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
