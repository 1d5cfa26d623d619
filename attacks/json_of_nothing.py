"""Three megabytes of `{},`: a million images without data, each an object and a fault. They took a gigabyte, and for
six seconds the interpreter, which all other requests wait for; 12 MB ended a server of 4 GB.
"""

from __future__ import annotations

import resource
import time


def make(number: int = 1_000_000) -> bytes:
    return b'{"images":[' + b"{}," * number + b"{}]}"


def show() -> tuple[str, float, float]:
    """(answer, seconds of CPU, MB that it took at most)."""
    from anomalyclip.serve.parsing import parsed
    from anomalyclip.serve.refusals import Refused
    from anomalyclip.serve.schemas import ImagesBody

    body, answer = make(), "accepted"
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        parsed(ImagesBody, body, 33_000, "the body")
    except Refused as refused:
        answer = str(refused)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return answer, round(time.process_time() - started, 2), round(grown / 1024, 1)


if __name__ == "__main__":
    print(show())
