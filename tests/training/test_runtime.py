"""Another runtime encodes what is learned from: the same prompts but for its rounding, in a cache of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from anomalyclip.data.dataset import Dataset
from anomalyclip.errors import ConfigError
from anomalyclip.native import why_not
from anomalyclip.training import TrainConfig, train
from anomalyclip.training.state import CHECKPOINT, Checkpoint

RUNTIMES = ["openvino", pytest.param("native", marks=pytest.mark.skipif(bool(why_not("int8")), reason="no kernels"))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_prompts_learned_by_another_runtime(
    config: TrainConfig, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    monkeypatch.setenv("ANOMALYCLIP_HOME", str(tmp_path / "home"))
    once = replace(config, epochs=1)
    own = train(once, datasets=[dataset])
    other = train(replace(once, output=str(tmp_path / "other"), runtime=runtime), datasets=[dataset])
    first, second = load_file(own.prompts), load_file(other.prompts)
    moved = {name: float(np.abs(first[name].astype(np.float64) - second[name]).max()) for name in first}
    assert max(moved.values()) < (1e-3 if runtime == "openvino" else 5e-2), moved
    kept = Checkpoint.load(other.folder / CHECKPOINT)
    assert kept is not None
    assert ("rounding" in kept.identity) == (runtime == "native")
    caches = [folder for folder in Path(str(config.cache_dir)).iterdir() if not folder.name.startswith("masks")]
    assert len(caches) == (1 if runtime == "openvino" else 2)  # float32 is float32, whatever computes it
    with pytest.raises(ConfigError, match="leave --no-cache out"):
        train(replace(once, output=str(tmp_path / "third"), runtime=runtime, cache=False), datasets=[dataset])
