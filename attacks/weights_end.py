"""What attacks on weights share: where the product ends, in one line, and how long that took."""

from __future__ import annotations

import json
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import AnomalyClipError


def end_of(path: Path) -> str:
    """`refused: MESSAGE`, or `loaded`, of a weights file or folder; any other exception is a hole."""
    try:
        load_clip(path)
    except AnomalyClipError as error:
        return f"refused: {error}"
    return "loaded"


def show(make: Callable[[Path], Path]) -> None:
    """Make the attack in an empty folder and print the product's end."""
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        start = time.process_time()
        print(f"{end_of(path)[:300]}  [{time.process_time() - start:.2f} s]")


def safetensors(path: Path, header: Any, body: bytes = b"", length: int | None = None) -> Path:
    """A safetensors file with any header: text, or what JSON writes."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def tensor(shape: list[int], start: int, stop: int, kind: str = "F16") -> dict[str, Any]:
    """An entry of a header."""
    return {"dtype": kind, "shape": shape, "data_offsets": [start, stop]}
