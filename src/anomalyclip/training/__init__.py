"""Learning prompts on auxiliary data: the encoder runs once, then only prompts are trained (METHOD section 6).

>>> from anomalyclip.training import TrainConfig, train
>>> result = train(TrainConfig(data=("mvtec",), output="runs/mvtec"))  # doctest: +SKIP
>>> result.prompts                                                     # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.training.config import TrainConfig, read_config
    from anomalyclip.training.run import TrainResult, train

__all__ = ["TrainConfig", "TrainResult", "read_config", "train"]

_HOME = {
    "TrainConfig": "config",
    "TrainResult": "run",
    "read_config": "config",
    "train": "run",
}

__getattr__, __dir__ = lazy(__name__, _HOME)
