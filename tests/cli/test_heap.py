"""The heap's rule is set for large models only, and freed blocks then leave the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys, torch
from types import SimpleNamespace
from anomalyclip.cli._heap import trim_heap_for

encoder = SimpleNamespace(weight_bytes=1000 if sys.argv[1] == "small" else 2**28)
trim_heap_for(SimpleNamespace(encoder=encoder))
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
torch.zeros(6 * 2**20).fill_(1)  # 24 MB: freed, it teaches glibc to keep blocks of its size
first, kept = torch.ones(6 * 2**20 // 2), torch.ones(1000)
before = resident()
del first
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts Linux's resident pages")
@pytest.mark.parametrize(("model", "returned"), [("small", False), ("large", True)])
def test_large_models_give_freed_blocks_back(model: str, returned: bool) -> None:
    run = subprocess.run([sys.executable, "-c", _SCRIPT, model], capture_output=True, text=True, check=True)
    assert (int(run.stdout) > 10 * 2**20) is returned
