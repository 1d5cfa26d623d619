"""What options must fit each other; one value's own range is checked where it is declared."""

from __future__ import annotations

from typing import Literal

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError

Mode = Literal["new", "resume", "overwrite"]


def check_output(given: Given, *writing: str) -> None:
    """Raises ConfigError where settings that write are given without --output, or --resume with --overwrite."""
    needing = given.said(*writing, "resume", "overwrite")
    if given.output is None and needing:
        raise ConfigError(f"{', '.join(needing)} needs a folder to write to: add --output DIR")
    mode_of(given)


def mode_of(given: Given) -> Mode:
    """ "resume", "overwrite" or "new". Raises ConfigError where both are asked for."""
    if given.resume and given.overwrite:
        raise ConfigError("--resume keeps what is in the folder and --overwrite replaces it: give only one of them")
    return "resume" if given.resume else "overwrite" if given.overwrite else "new"
