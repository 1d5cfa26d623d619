"""`anomalyclip serve` as a user starts it, on a free port: for benchmarks and browser tests."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS_TO_END = 60


@contextmanager
def served(*options: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """The server's address. Ends it by SIGTERM afterwards; raises where it does not start, or does not end well."""
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--drain", "0", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=env)
    assert process.stderr is not None
    log: subprocess.Popen[bytes] | None = None
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if found := re.search(rb"Open (http://\S+)", line):
                break
        else:
            raise RuntimeError(f"the server did not start: {b''.join(told).decode('utf-8', 'replace')}")
        log = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)  # a full pipe would stop it
        yield found.group(1).decode()
        process.terminate()
        if (code := process.wait(SECONDS_TO_END)) != 0:
            raise RuntimeError(f"the server ended with {code}")
    finally:
        process.kill()
        process.wait(SECONDS_TO_END)
        if log is not None:
            log.wait(SECONDS_TO_END)
        process.stderr.close()
