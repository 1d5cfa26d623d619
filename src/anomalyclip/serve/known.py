"""What a server knows of the pictures of one correction, as a file: never the pictures themselves."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.serve.corrections import Faulty

if TYPE_CHECKING:
    from anomalyclip.calibration.correcting import Box

    Told = list[tuple[bytes, Box | None]]

_ARRAYS = ("described", "words", "anomaly_map")


def known_bytes(said: Sequence[tuple[bytes, Box | None]], faulty: Sequence[Faulty]) -> bytes:
    """An .npz: (digest, region) of each picture, and what was seen of the faulty ones."""
    told: dict[str, Any] = {"said": [[digest.hex(), region] for digest, region in said], "faulty": []}
    arrays: dict[str, Any] = {}
    for number, one in enumerate(faulty):
        views = [{"grid": view.grid, "whole": view.whole, "score": view.score} for view in one.views]
        told["faulty"].append({"score": one.score, "views": views})
        for place, view in enumerate(one.views):
            arrays |= {f"{number}.{place}.{name}": getattr(view, name) for name in _ARRAYS}
    buffer = io.BytesIO()
    np.savez(buffer, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
    return buffer.getvalue()


def known_in(path: Path) -> tuple[Told, list[Faulty]]:
    """What `known_bytes` wrote. Raises InputError for another file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            told = json.loads(arrays["told"].tobytes())
            said: Told = [
                (bytes.fromhex(digest), None if region is None else (*map(int, region),))  # type: ignore[misc]
                for digest, region in told["said"]
            ]
            faulty = [
                Faulty(
                    [
                        Seen(
                            grid=(int(view["grid"][0]), int(view["grid"][1])),
                            whole=float(view["whole"]),
                            score=float(view["score"]),
                            **{name: arrays[f"{number}.{place}.{name}"] for name in _ARRAYS},
                        )
                        for place, view in enumerate(one["views"])
                    ],
                    float(one["score"]),
                )
                for number, one in enumerate(told["faulty"])
            ]
    except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{printable(path)} is damaged ({error!r}); remove it, or name another --keep") from error
    return said, faulty
