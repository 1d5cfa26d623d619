"""Attacks run in a process of their own, whose memory and CPU time end them where the product does not."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ATTACKS = Path(__file__).parents[2] / "attacks"
_MOST_MEMORY, _MOST_SECONDS = 3 << 30, 60


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_SECONDS, _MOST_SECONDS))


@pytest.fixture(scope="session")
def attack() -> Callable[..., dict[str, Any]]:
    """attack("name", **sizes) -> its end: `end`, `seconds` of CPU, `file_mb`, `grown_mb`; nothing else is printed."""

    def run(name: str, **sizes: int) -> dict[str, Any]:
        code = f"import functools, {name}, shown; shown.show(functools.partial({name}.make, **{sizes!r}))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ATTACKS,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            preexec_fn=_limit,
        )
        assert done.stderr == ""
        assert done.returncode == 0
        return json.loads(done.stdout)

    return run
