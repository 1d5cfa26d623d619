"""Imports at the right moment: names when they are first used, modules while the interpreter has nothing to do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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


_WANTED: list[str] = []


def soon(*modules: str) -> None:
    """Say which modules will be needed: the next :func:`meanwhile` imports them."""
    _WANTED[:] = modules


@contextmanager
def meanwhile() -> Iterator[None]:
    """Around one call into a library that works without the interpreter: a thread imports what is needed :func:`soon`.

    It is waited for, so that two threads never import at once. What cannot be imported is told by whoever needs it.

    >>> soon("colorsys")
    >>> with meanwhile():
    ...     pass  # open a graph
    >>> import sys; "colorsys" in sys.modules
    True
    """
    modules, _WANTED[:] = tuple(_WANTED), ()
    thread = threading.Thread(target=_import_all, args=(modules,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _import_all(modules: tuple[str, ...]) -> None:
    for name in modules:
        with suppress(ImportError):
            import_module(name)
