"""A server with a limit of memory, healthy and hostile clients at once: who waited how long, and what it took."""

from __future__ import annotations

import functools
import http.client
import importlib
import io
import re
import statistics
import sys
import threading
import time
from pathlib import Path

import numpy as np
from outcome import Outcome
from PIL import Image
from server import MULTIPART, Server, at_once, form, running

_ATTACKS = Path(__file__).parents[2] / "attacks"
_LONGEST_WAIT = 5.0  # seconds of a healthy client's request that was accepted
_ALONE = 3  # a third of the time without hostile clients, to compare with
_FINE = {"healthy": {200, 429}, "hostile": {200, 400, 408, 411, 413, 415, 422, 429, 503}}


def besiege(clients: int, seconds: float, memory_mb: int, scratch: Path) -> Outcome:
    """A quarter of the clients send attacks, the others small pictures, one at a time each, for so many seconds; before
    that the others alone, for a third of them. All come back when they are told to."""
    hostile, healthy = _hostile(), [form(("part.jpg", _jpeg(seed))) for seed in range(8)]
    outcome, lock = Outcome(f"{clients} clients"), threading.Lock()
    options = ("--image-size", "96", "--max-wait", str(_LONGEST_WAIT / 4))
    with running(memory_mb, outcome, *options) as server:
        alone = Outcome("without hostile ones")
        for one, bodies, lasting in ((alone, healthy, seconds / _ALONE), (outcome, hostile, seconds)):
            end = time.monotonic() + lasting
            at_once(clients, functools.partial(_client, server, bodies, healthy, end, one, lock, []))
        for name in ("worst wait, s", "median wait, s"):
            outcome.most[f"{name} alone"] = alone.most.get(name, 0.0)
        outcome.counts["healthy 200 alone"] = alone.counts.get("healthy 200", 0)
    return outcome


def _client(
    server: Server,
    hostile: list[bytes],
    healthy: list[bytes],
    end: float,
    outcome: Outcome,
    lock: threading.Lock,
    waits: list[float],
    number: int,
) -> None:
    kind, bodies = ("hostile", hostile) if number % 4 == 0 and hostile is not healthy else ("healthy", healthy)
    turn = number
    while time.monotonic() < end:
        turn += 1
        start, pause, status = time.monotonic(), 0.0, 0
        try:
            body = bodies[turn % len(bodies)]
            status, content, pause = server.ask("/v1/detect?threshold=0.5", body, MULTIPART)
            wrong = status not in _FINE[kind] or (status != 200) != ("error" in content)
            if kind == "healthy" and status == 200:
                wrong = wrong or any(row["error"] for row in content["results"])
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Who sends megabytes to a door that is shut may find it closed before the last of them.
            wrong, content = kind == "healthy", f"{type(error).__name__}: {error}"
        wait = time.monotonic() - start
        with lock:
            outcome.times += 1
            outcome.counts[f"{kind} {status}"] = outcome.counts.get(f"{kind} {status}", 0) + 1
            if wrong:
                outcome.note(f"{kind}: {str(content)[:200]}")
            if kind == "healthy" and status == 200:
                outcome.slow += wait > _LONGEST_WAIT
                waits.append(wait)
                outcome.most |= {"worst wait, s": max(waits), "median wait, s": statistics.median(waits)}
        time.sleep(min(pause or 0.2, max(0.0, end - time.monotonic())))


def _hostile() -> list[bytes]:
    """Every attack of `attacks/` that is a picture."""
    sys.path.insert(0, str(_ATTACKS))
    pictures = re.compile(r"^def make\(.*\) -> bytes:", re.MULTILINE)
    made = []
    for name in sorted(path.stem for path in _ATTACKS.glob("*.py") if pictures.search(path.read_text("utf-8"))):
        make = importlib.import_module(name).make
        data = functools.partial(make, side=2000)() if name == "tiff_many_bytes" else make()
        if len(data) < 30_000_000:
            made.append(form((name, data)))
    return made


def _jpeg(seed: int) -> bytes:
    small = Image.fromarray(np.random.default_rng(seed).integers(60, 200, (32, 40, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize((320, 256)).save(buffer, "JPEG")
    return buffer.getvalue()
