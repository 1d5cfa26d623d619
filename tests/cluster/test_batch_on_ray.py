"""A batch that judges itself on a cluster: the scores of one machine, whoever dies, and no work done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from anomalyclip.cli import app
from anomalyclip.cluster.batch_run import BatchRun
from anomalyclip.cluster.batch_worker import BatchPlan, Look
from anomalyclip.cluster.local import LocalCluster
from anomalyclip.cluster.manifest import Manifest
from anomalyclip.cluster.store import Store
from anomalyclip.errors import ConfigError

COUNT = 13


@pytest.fixture
def photos(tmp_path: Path, jpeg: Callable[[int], bytes]) -> Path:
    """13 pictures: the last is the first one's copy, and one is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(COUNT):
        (folder / f"{i:02d}.jpg").write_bytes(jpeg(i % (COUNT - 1)))
    (folder / "05.jpg").write_bytes(b"broken")
    return folder


def test_a_driver_that_is_killed_between_the_passes_is_resumed(
    cluster: LocalCluster,
    start: Callable[..., subprocess.Popen[bytes]],
    detect: Callable[..., subprocess.CompletedProcess[bytes]],
    small_model: list[str],
    photos: Path,
    tmp_path: Path,
    rows_of: Callable[[Path], list[dict[str, Any]]],
) -> None:
    batch = (str(photos), "--mutual", "--partners", "4", "--aligned", "1", "--threads", "1")
    local = CliRunner().invoke(
        app, ["detect", *small_model, *batch, "--no-groups", "--no-overlay", "--output", str(tmp_path / "local")]
    )
    assert local.exit_code == 3, (local.output, local.exception)
    expected = [json.loads(line) for line in (tmp_path / "local" / "results.jsonl").read_text().splitlines()]

    output = tmp_path / "ray"
    options = (*small_model, *batch, "--output", output, "--block-size", "4", "--workers", "2")
    process = start("--engine", "ray", "--address", cluster.address, *options)
    deadline = time.monotonic() + 250
    while not list(output.glob("seen/*")) and process.poll() is None:
        assert time.monotonic() < deadline, "nothing happens any more"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    seen = {path: path.stat().st_mtime_ns for path in output.glob("seen/*.json")}
    done = detect(*options, "--resume")
    assert done.returncode == 3, done.stderr.decode()
    assert {path: path.stat().st_mtime_ns for path in seen} == seen, "what was seen is not looked at again"
    assert sorted(path.name for path in output.iterdir()) == [
        "manifest", "manifest.json", "pictures.json", "results", "run.json", "seen", "verdicts.npz"
    ]  # fmt: skip

    rows = rows_of(output)
    assert [row["input"] for row in rows] == list(range(COUNT))
    for row, one in zip(rows, expected, strict=True):
        assert (row["path"], row["error"]) == (one["path"], one["error"])
        assert row["score"] == pytest.approx(one["score"], abs=1e-6)
        assert one["error"] or json.loads(row["settings"])["batch"] == one["settings"]["batch"]
    assert rows[0]["score"] == rows[-1]["score"]

    (photos / "03.jpg").write_bytes((photos / "04.jpg").read_bytes())
    store = Store(str(output))
    manifest = Manifest.read(store)
    assert manifest is not None
    run, blocks = BatchRun(BatchPlan(store, {}), [str(photos)], mode="resume"), manifest.read_blocks(0, [0, 1])
    with pytest.raises(ConfigError, match=r"03\.jpg was replaced since this batch was seen"):
        run.known(Look(next(blocks)))
    found = run.known(Look(next(blocks)))
    assert found is not None
    assert len(found.digests) == 3, "one of four is broken"


def test_what_a_cluster_does_not_do_with_a_batch(tmp_path: Path, jpeg: Callable[[int], bytes]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    call = ["detect", str(tmp_path), "--engine", "ray", "--mutual", "--output"]
    refused = {"a folder that all nodes mount": ["memory://out"], "Parquet": [str(tmp_path / "out"), "--groups"]}
    for words, more in refused.items():
        result = CliRunner().invoke(app, [*call, *more])
        assert isinstance(result.exception, ConfigError)
        assert words in str(result.exception)
    result = CliRunner().invoke(app, ["detect", str(tmp_path), "--aligned", "1"])
    assert "add --mutual" in str(result.exception)
