"""kill -9 in the middle of cache writing and of training: the same call then ends like an uninterrupted one."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from anomalyclip.training import train

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")

#: Runs `train` and kills itself: in the middle of writing the 6th record, or in the 5th training step.
_CHILD = """
import os, pickle, signal, sys
import anomalyclip.io.atomic as atomic, anomalyclip.features.records as records
from anomalyclip.training import train
from anomalyclip.training.module import PromptTraining
from pathlib import Path

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def in_cache(original=records.atomic_write, calls=[]):
    def half(path, **options):
        calls.append(path)
        if len(calls) < 12:  # the 6 masks come first
            return original(path, **options)
        path.with_name(".0123456789abcdef.tmp").write_bytes(b"anomalyclip 1\\n")
        die()
    records.atomic_write = half

def in_training(original=PromptTraining.training_step, calls=[]):
    def step(self, batch, batch_idx=0):
        calls.append(1)
        return original(self, batch, batch_idx) if len(calls) < 5 else die()
    PromptTraining.training_step = step

config, dataset = pickle.loads(Path(sys.argv[2]).read_bytes())  # our own test's file
{"cache": in_cache, "training": in_training}[sys.argv[1]]()
train(config, datasets=[dataset])
"""


@pytest.mark.parametrize("where", ["cache", "training"])
def test_the_rerun_ends_like_an_uninterrupted_run(config, dataset, tmp_path, where):
    config = replace(config, checkpoint_steps=1)
    (tmp_path / "job").write_bytes(pickle.dumps((config, dataset)))
    killed = subprocess.run(
        [sys.executable, "-c", _CHILD, where, str(tmp_path / "job")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (config.folder / "prompts.safetensors").exists()
    records = [path for path in (tmp_path / "cache").rglob("*") if len(path.name) == 64 and "masks" not in str(path)]
    assert len(records) == (5 if where == "cache" else 12)

    untouched = replace(config, output=f"{config.output}2", cache_dir=str(tmp_path / "cache2"))
    expected = train(untouched, datasets=[dataset])
    resumed = train(config, datasets=[dataset])
    assert resumed.history == expected.history
    assert resumed.prompts.read_bytes() == expected.prompts.read_bytes()
