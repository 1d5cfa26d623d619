"""Commands in a process where torch cannot be imported, and pictures to give them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RUNNER = Path(__file__).parent / "without_torch.py"
Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


@pytest.fixture(scope="session")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Offline, one thread, and an empty cache, so that nothing that was made with torch is found."""
    cache = tmp_path_factory.mktemp("cache")
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "ANOMALYCLIP_OFFLINE": "1",
        "XDG_CACHE_HOME": str(cache),
        "ANOMALYCLIP_HOME": str(cache / "anomalyclip"),
        "PYTHONIOENCODING": "utf-8",
        "COLUMNS": "300",
    }


@pytest.fixture(scope="session")
def run(surroundings: dict[str, str]) -> Run:
    """run("detect", "a.png", cwd=...) is the command without torch; run("-c", CODE) is Python without it."""

    def call(*args: object, cwd: Path | None = None) -> Done:
        line = [sys.executable, str(RUNNER), *map(str, args)]
        return subprocess.run(
            line, cwd=cwd, env=surroundings, capture_output=True, text=True, encoding="utf-8", timeout=240,
            check=False,
        )  # fmt: skip

    return call


@pytest.fixture(scope="session")
def ok(run: Run) -> Run:
    """The same, and the exit code must be 0."""

    def call(*args: object, cwd: Path | None = None) -> Done:
        done = run(*args, cwd=cwd)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return call


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good/ with 21 pictures of grey noise, and bad/ with 3 that have a bright square; 90 x 70 pixels."""
    root, rng = tmp_path_factory.mktemp("line"), np.random.default_rng(0)
    for kind, count in (("good", 21), ("bad", 3)):
        (root / kind).mkdir()
        for number in range(count):
            pixels = rng.normal(120, 20, (70, 90, 3)).clip(0, 255).astype(np.uint8)
            if kind == "bad":
                pixels[20:45, 30:60] = (255, 40, 40)
            Image.fromarray(pixels).save(root / kind / f"{number:02}.png")
    return root
