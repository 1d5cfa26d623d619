"""`benchmarks/gpu.py` at a size that a CPU does in seconds: every part that needs neither a card nor a compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_the_script_runs_and_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu  # type: ignore[import-not-found]

    asked = "--device cpu --architecture tiny --batches 1,2 --rounds 1 --renders 1 --limit 600 --parts"
    parts = "parity,ceiling,drift,speed,attention,graph,training,search"
    monkeypatch.setattr(sys, "argv", ["gpu.py", *asked.split(), parts, "--output", str(tmp_path)])
    gpu.main()
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["left_out"] == {}
    assert all(row["difference"] < 1e-5 for row in record["parity"])  # the authors' recorded numbers
    assert {row["precision"] for row in record["drift"]} == {"tf32", "bf16"}  # fp16 is not for a CPU
    assert all(row["map correlation, at least"] > 0.98 for row in record["drift"])
    speed = {(row["variant"], row["batch"]): row["images/s"] for row in record["speed"]}
    assert len(speed) == 8
    assert min(speed.values()) > 0
    assert {row["on"] for row in record["search"]} == {"processor", "fp32", "tf32", "bf16"}
    assert "### speed" in (tmp_path / "gpu.md").read_text()


def test_no_part_begins_after_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu  # type: ignore[import-not-found]

    asked = "--device cpu --architecture tiny --limit -1 --parts parity,speed --output"
    monkeypatch.setattr(sys, "argv", ["gpu.py", *asked.split(), str(tmp_path)])
    gpu.main()
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert set(record["left_out"]) == {"parity", "speed"}
    assert not {"parity", "speed"} & set(record)


def test_it_ends_in_time_whatever_part_it_is_at(tmp_path: Path) -> None:
    call = [sys.executable, str(BENCHMARKS / "gpu.py"), "--device", "cpu", "--architecture", "tiny", "--ends", "0"]
    ended = subprocess.run([*call, "--output", str(tmp_path)], check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert record["left_out"]["compiled"] == "cut off after 0 s"
    assert "compiled" not in record
