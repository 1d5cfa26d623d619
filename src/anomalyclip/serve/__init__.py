"""The server: `POST /v1/detect` and its neighbours, and a web page at `/`. Needs the extra `serve`.

>>> from anomalyclip.serve import ServeConfig, create_app
>>> app = create_app(model, ServeConfig())  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.serve.app import create_app
    from anomalyclip.serve.config import Limits, ServeConfig
    from anomalyclip.serve.server import bind, serve

_HOME = {"Limits": "config", "ServeConfig": "config", "create_app": "app", "bind": "server", "serve": "server"}

__all__ = ["Limits", "ServeConfig", "bind", "create_app", "serve"]

__getattr__, __dir__ = lazy(__name__, _HOME)
