"""What becomes of a hostile picture: read or refused, in how many seconds of CPU, with how much memory."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


def show(make: Callable[[], bytes]) -> None:
    """Write the file where an argument names one; else read it with the product and print the end as one JSON line."""
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_bytes(make())
        return
    from anomalyclip.errors import ImageReadError
    from anomalyclip.io import read_image_bytes

    data = make()
    forget_peak()
    before, started = peak(), time.process_time()
    try:
        end = "read as {} x {}".format(*read_image_bytes(data, "attack").size)
    except ImageReadError as error:
        end = f"refused: {error}"
    seconds = round(time.process_time() - started, 2)
    print(json.dumps({"end": end, "seconds": seconds, "file_mb": mega(len(data)), "grown_mb": mega(peak() - before)}))


def forget_peak() -> None:
    """Start the largest resident memory anew (Linux only: elsewhere what making the file took hides some of it)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """Largest resident memory of this process since then, in bytes."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def mega(size: int) -> float:
    return round(size / 1e6, 1)
