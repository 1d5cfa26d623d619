"""Names of a package that are imported when they are first used: importing the package stays light."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A package's ``__getattr__`` and ``__dir__``.

    Args:
        package: its ``__name__``.
        homes: public name -> the module below it that defines the name.

    >>> find, names = lazy("anomalyclip", {"ConfigError": "errors"})
    >>> find("ConfigError"), names()
    (<class 'anomalyclip.errors.ConfigError'>, ['ConfigError'])
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return find, lambda: sorted(homes)
