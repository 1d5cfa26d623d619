"""XML of labelling tools as a stream of elements. What declares a document type is refused, before anything expands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from xml.parsers import expat

from anomalyclip.data.text import read_bytes
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

_DEEPEST = 64


class _NotWanted(Exception):  # noqa: N818 - an answer, not a bug
    pass


def root_of(path: Path) -> str:
    """The name of the outermost element; "" where the file is no XML."""
    found = []

    def start(name: str, _: dict[str, str]) -> None:
        found.append(name)
        raise _NotWanted

    with suppress(_NotWanted, InputError):
        _parse(path, start, lambda _: None)
    return found[0] if found else ""


def read_elements(path: Path, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
    """Call `start` (name, attributes) and `end` (name) for every element. Raises InputError."""
    _parse(path, start, end)


def _parse(path: Path, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]) -> None:
    parser = expat.ParserCreate()
    depth = 0

    def refuse(*_: object) -> None:
        raise InputError(f"{printable(path)}: it declares a document type or entities; export it without")

    def down(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise InputError(f"{printable(path)}: its elements lie deeper than {_DEEPEST} levels")
        start(name, attributes)

    def up(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = down, up
    try:
        parser.Parse(read_bytes(path), True)
    except expat.ExpatError as error:
        raise InputError(f"{printable(path)}: not valid XML ({error}); export it again") from error
