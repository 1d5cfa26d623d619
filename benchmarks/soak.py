"""Load a server with many clients for a while: what they were answered, how long they waited, how memory went.

    python benchmarks/soak.py                    # 50 clients, 60 s, pocket on two threads, otherwise as it comes
    python benchmarks/soak.py --seconds 600 --clients 200 --json soak.json

Clients send one image at a time over connections that stay open, and wait as long as Retry-After says when they are
told 429. Exits with 1 where anything but 200 and 429 came back, or memory grew by more than a tenth in the second half.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

BOUNDARY = "soak"
MOST_GROWTH = 0.1


def body(seed: int, side: int) -> bytes:
    """A multipart body with one JPEG of soft noise."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(60, 200, (side // 8, side // 8, 3), dtype=np.uint8))
    data = io.BytesIO()
    small.resize((side, side)).save(data, "JPEG")
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{seed}.jpg"\r\n\r\n'
    return head.encode() + data.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()


@dataclass
class Tally:
    """What all clients saw; list.append and Counter updates under the lock."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: str, seconds: float) -> None:
        with self.lock:
            self.statuses[status] += 1
            if status == "200":
                self.seconds.append(seconds)


def client(port: int, bodies: list[bytes], end: float, tally: Tally, number: int) -> None:
    """Ask until the end; a connection that breaks is an error."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    asked = 0
    while time.monotonic() < end:
        start = time.monotonic()
        try:
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            content = bodies[(number + asked) % len(bodies)]
            connection.request("POST", "/v1/detect?threshold=0.5&maps=tiff16&map_side=256", content, headers)
            answer = connection.getresponse()
            rows = json.loads(answer.read()).get("results", [])
            good = answer.status != 200 or (len(rows) == 1 and rows[0]["error"] is None)
            tally.add(str(answer.status) if good else "200 with an error", time.monotonic() - start)
            if answer.status == 429:
                time.sleep(min(float(answer.headers["Retry-After"]), max(0.0, end - time.monotonic())))
        except Exception as error:
            tally.add(type(error).__name__, time.monotonic() - start)
            connection.close()
        asked += 1
    connection.close()


def start_server(options: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """`anomalyclip serve` on a free port of the loopback; its log goes nowhere."""
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--log-level", "error", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(rb":(\d+)/", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, int(found.group(1))
    sys.exit("the server did not start")


def watch(process: subprocess.Popen[bytes], end: float, memory: list[float]) -> None:
    """Resident megabytes, twice a second."""
    seen = psutil.Process(process.pid)
    while time.monotonic() < end:
        memory.append(seen.memory_info().rss / 2**20)
        time.sleep(0.5)


def soak(clients: int, seconds: float, side: int, options: list[str]) -> dict[str, Any]:
    """One run; everything that is printed."""
    process, port = start_server(options)
    bodies = [body(seed, side) for seed in range(16)]
    tally, memory = Tally(), list[float]()
    load_before = os.getloadavg()[0]
    cpu = psutil.Process(process.pid)
    try:
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=client, args=(port, bodies, end, tally, i)) for i in range(clients)]
        threads.append(threading.Thread(target=watch, args=(process, end, memory)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = sum(cpu.cpu_times()[:2])
    finally:
        process.terminate()
        code = process.wait(120)
    half = memory[len(memory) // 2 :]
    early = float(np.median(memory[len(memory) // 4 : len(memory) // 2]))
    waits = np.array(tally.seconds)
    p50, p99 = np.quantile(waits, [0.5, 0.99]) if waits.size else (float("nan"), float("nan"))
    return {
        "clients": clients,
        "seconds": seconds,
        "image_side": side,
        "answers": dict(tally.statuses),
        "images_per_second": round(len(waits) / seconds, 2),
        "p50_seconds": round(float(p50), 3),
        "p99_seconds": round(float(p99), 3),
        "memory_mb_early": round(early),
        "memory_mb_late": round(float(np.median(half))),
        "memory_mb_peak": round(max(memory)),
        "server_cpu_seconds": round(used, 1),
        "load_average_before": round(load_before, 1),
        "exit_code": code,
    }


def main() -> None:
    """Parse, run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--side", type=int, default=512, help="of the images, in pixels")
    parser.add_argument("--json", type=Path, help="write what was measured there, too")
    parser.add_argument("options", nargs="*", default=["--threads", "2"], help="after --: options of anomalyclip serve")
    given = parser.parse_args()
    measured = soak(given.clients, given.seconds, given.side, given.options)
    print("\n".join(f"{name:22} {value}" for name, value in measured.items()))
    if given.json is not None:
        given.json.write_text(json.dumps(measured, indent=2) + "\n")
    wrong = set(measured["answers"]) - {"200", "429"}
    grown = measured["memory_mb_late"] > (1 + MOST_GROWTH) * measured["memory_mb_early"]
    if wrong or grown or measured["exit_code"]:
        sys.exit(f"failed: answers {sorted(wrong)}, memory grew: {grown}, exit code {measured['exit_code']}")


if __name__ == "__main__":
    main()
