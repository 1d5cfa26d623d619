"""The server: `POST /v1/detect` and its neighbours, and a web page at `/`. Needs the extra `serve`.

>>> from anomalyclip.serve import ServeConfig, create_app
>>> app = create_app(model, ServeConfig())  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.serve.app import create_app
    from anomalyclip.serve.config import Limits, ServeConfig
    from anomalyclip.serve.server import bind, serve

_HOME = {"Limits": "config", "ServeConfig": "config", "create_app": "app", "bind": "server", "serve": "server"}

__all__ = ["Limits", "ServeConfig", "bind", "create_app", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
