"""The real command on the small random CLIP of tests/golden: every step but good scores."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def small_model(golden_folder: Path) -> list[str]:
    """Options that choose the small CLIP."""
    clip, prompts = golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"
    options = f"--image-size 70 --layers 2,4,6 --threads 1 --device cpu --offline --model {clip} --prompts {prompts}"
    return options.split(" ")


@pytest.fixture(scope="session")
def command(small_model: list[str]) -> Callable[..., list[str]]:
    """command("a.png", "--quiet") is the whole command line for a subprocess."""
    return lambda *args: [sys.executable, "-m", "anomalyclip", "detect", *small_model, *map(str, args)]


@pytest.fixture(scope="session")
def run(command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """run("a.png", cwd=...) runs `anomalyclip detect` to its end in a process of its own."""

    def call(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command(*args), cwd=cwd, env=ENVIRONMENT, capture_output=True, timeout=120, check=False)

    return call


@pytest.fixture
def detect(small_model: list[str]) -> Callable[..., int]:
    """detect("a.png") runs it in this process, which saves seconds of imports; gives the exit code."""
    from anomalyclip.cli import main

    def call(*args: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["detect", *small_model, *map(str, args)])
        return int(ended.value.code or 0)

    return call


@pytest.fixture(scope="session")
def photos() -> Callable[..., Path]:
    """photos(folder, 5, size=(64, 48)) fills a folder with noise that differs from image to image."""

    def fill(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(1)
        for i in range(count):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) // (1 + i % 5)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:04d}.png", compress_level=1)
        return folder

    return fill


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Rows of results.jsonl of an output folder, after checking that results.csv says the same."""

    def read(folder: Path) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        assert len(table) == len(rows)
        for row, cells in zip(rows, table, strict=True):
            assert cells["path"] == row["path"].encode("utf-8", "backslashreplace").decode()
            assert cells["score"] == ("" if row["score"] is None else repr(row["score"]))
            assert cells["error"] == (row["error"] or "")
            assert cells["regions"] == ("" if row["score"] is None else str(len(row["regions"])))
            assert cells["region_peak"] == (repr(row["regions"][0]["peak"]) if row["regions"] else "")
        return rows

    return read
