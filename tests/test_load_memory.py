"""Loading holds one tower at a time, and the file's pages only while a tensor is copied from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.weights import save_clip

MB = 2**20
pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's counters")

# Everything is imported and used once before the count begins.
_SCRIPT = """
import sys, anomalyclip
anomalyclip.load("pocket", prompts="clip", device="cpu", threads=1)
status = lambda: {k: v for k, v in (line.split(":") for line in open("/proc/self/status"))}
open("/proc/self/clear_refs", "w").write("5")
before = int(status()["VmRSS"].split()[0])
model = anomalyclip.load(sys.argv[1], prompts="clip", device="cpu")
print(int(status()["VmHWM"].split()[0]) - before)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A file with towers of about equal size, and the vision tower's MB in fp32."""
    config = CLIPConfig(256, VisionConfig(64, 16, 384, 12, 6), TextConfig(77, 49408, 256, 10, 4))
    clip = random_clip(config)
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_clip(path, clip, dtype=torch.float32)
    return path, sum(p.numel() for p in clip.visual.parameters()) * 4 / MB


def test_loading_peaks_near_the_larger_tower(weights: tuple[Path, float]) -> None:
    path, vision = weights
    run = subprocess.run([sys.executable, "-c", _SCRIPT, str(path)], capture_output=True, text=True, check=True)
    peak = int(run.stdout) / 1024
    # Both towers and the mapped file would be 4 times the vision tower.
    assert peak < 1.7 * vision, f"peak {peak:.0f} MB for a vision tower of {vision:.0f} MB"


def test_loading_imports_no_compiler() -> None:
    """Half a second and 50 MB: what one random number on torch's meta device costs."""
    load = "anomalyclip.load('pocket', runtime='torch', device='cpu')"
    script = f"import sys, anomalyclip; {load}; print('sympy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
