"""Several threads through one C function: torch's own where they can be had, else helpers of the calling one."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any


def run_on_threads(function: Any, job: ctypes.Structure, threads: int) -> None:
    """Call ``function(&job)`` on ``threads`` threads at once, the calling one among them, and wait for all.

    Threads that torch has just used wait busily for a while (libgomp: some 10 ms). Others would have to share the cores
    with them; so where torch runs on libgomp, its team is taken. It may turn out smaller than asked for: the function
    must not count on ``threads`` calls.
    """
    if threads == 1:
        function(ctypes.byref(job))
        return
    parallel = _torch_team()
    if parallel is not None:
        parallel(function, ctypes.byref(job), threads, 0)
        return
    others = [_helpers(threads - 1, os.getpid()).submit(function, ctypes.byref(job)) for _ in range(1, threads)]
    function(ctypes.byref(job))
    for other in others:
        other.result()


@cache
def _torch_team() -> Any | None:
    """``GOMP_parallel(function, data, threads, flags)`` of the very libgomp that torch is linked to; None without."""
    import torch

    try:
        parallel = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")).GOMP_parallel
    except (OSError, AttributeError):
        return None
    parallel.restype = None
    parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    return parallel


@cache
def _helpers(threads: int, process: int) -> ThreadPoolExecutor:
    """For this ``process``: a forked one has none of its parent's threads."""
    return ThreadPoolExecutor(threads, thread_name_prefix="anomalyclip-kernels")
