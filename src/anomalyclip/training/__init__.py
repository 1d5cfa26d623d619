"""Learning prompts on auxiliary data: the encoder runs once, then only prompts are trained (METHOD section 6).

>>> from anomalyclip.training import TrainConfig, train
>>> result = train(TrainConfig(data=("mvtec",), output="runs/mvtec"))  # doctest: +SKIP
>>> result.prompts                                                     # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
