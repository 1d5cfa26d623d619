"""The real command on a real cluster of two nodes, with the small random CLIP of tests/golden."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset
import pytest
from PIL import Image

from anomalyclip.cluster.local import LocalCluster

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
ENVIRONMENT.pop("RAY_ADDRESS", None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Two nodes of one CPU each; a test that kills the second adds another."""
    with LocalCluster(nodes=2) as started:
        yield started


@pytest.fixture(scope="session")
def small_model(golden_folder: Path) -> list[str]:
    """Options that choose the small CLIP and make it quick."""
    clip, prompts = golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"
    options = f"--image-size 70 --layers 6 --device cpu --offline --model {clip} --prompts {prompts}"
    return options.split(" ")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that choose an export: neither the driver nor a worker then spends seconds on importing PyTorch."""
    export = tmp_path_factory.mktemp("tiny") / "export"
    shutil.copytree(Path(__file__).parents[1] / "light" / "tiny_export", export)  # reading it leaves a note beside it
    return ["--device", "cpu", "--offline", "--model", str(export)]


@pytest.fixture(scope="session")
def start(cluster: LocalCluster) -> Callable[..., subprocess.Popen[bytes]]:
    """start("in/", "--output", "out") starts `anomalyclip detect` in a process of its own."""
    line = [sys.executable, "-m", "anomalyclip", "detect"]

    def call(*args: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*line, *map(str, args)], env={**ENVIRONMENT, **cluster.environment}, stderr=subprocess.PIPE
        )

    return call


@pytest.fixture(scope="session")
def detect(
    cluster: LocalCluster, start: Callable[..., subprocess.Popen[bytes]]
) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """detect("in/", "--output", "out") runs it on the cluster to its end."""

    def call(*args: object) -> subprocess.CompletedProcess[bytes]:
        process = start("--engine", "ray", "--address", cluster.address, *args)
        _, errors = process.communicate(timeout=250)
        return subprocess.CompletedProcess(process.args, process.returncode, b"", errors)

    return call


@pytest.fixture(scope="session")
def jpeg() -> Callable[[int], bytes]:
    """jpeg(3) is the third of many small pictures that differ."""

    def encode(seed: int) -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        return buffer.getvalue()

    return encode


def read_table(output: Path) -> list[dict[str, Any]]:
    """Every row of a run's Parquet files, as any reader of Parquet sees them, in the order of the inputs."""
    data = pyarrow.dataset.dataset(output / "results", partitioning="hive")
    rows: list[dict[str, Any]] = data.to_table().sort_by("input").to_pylist()
    return rows


@pytest.fixture
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    return read_table
