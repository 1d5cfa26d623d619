"""Bounded reading and atomic writing of small binary files."""

from __future__ import annotations

import json
from pathlib import Path

from anomalyclip.errors import PromptError
from anomalyclip.io.atomic import output_error, write_bytes

_MAX_HEADER = 2**20
MAX_BYTES = 64 * 2**20  # the authors' files hold 23 MB, most of it unused; ours hold well below 1 MB


def read_bounded(path: str | Path) -> bytes:
    """All bytes of a prompt file; never more than :data:`MAX_BYTES` are read, whatever the file system says.

    Raises:
        PromptError: missing, unreadable, empty or too large.
    """
    try:
        if Path(path).exists() and not Path(path).is_file():  # a pipe would block, a device has no end
            raise PromptError(f"cannot read the prompt file {path}: it is a folder, pipe or device; give a file")
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise PromptError(f"no prompt file at {path}; check the path, or name published prompts") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL character in the path
        raise PromptError(f"cannot read the prompt file {path}: {error}") from error
    if not data:
        raise PromptError(f"the prompt file {path} is empty; fetch or save it again")
    if len(data) > MAX_BYTES:
        raise PromptError(
            f"the prompt file {path} is larger than {MAX_BYTES // 2**20} MiB, no prompt file is;"
            " is it a model's weights file? Pass those as the model, not as prompts"
        )
    return data


def header_texts(data: bytes) -> dict[str, str]:
    """The text entries of a safetensors header (8 bytes of length, then JSON); none where there is no such header."""
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= min(_MAX_HEADER, len(data) - 8):
        return {}
    try:
        found = json.loads(data[8 : 8 + length])["__metadata__"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def write_file(path: str | Path, data: bytes) -> None:
    """Write ``data`` as ``path``, whole or not at all; its folder is made. Raises OutputError."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise output_error(path, error) from error
    write_bytes(path, data, fsync=True)
