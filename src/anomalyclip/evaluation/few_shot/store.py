"""What was seen of pictures, on disk: each is encoded once, whatever the number of shots and draws."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import OutputError
from anomalyclip.features.records import OFFSET, is_intact, open_record, write_record
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.features.key import CacheDtype

_FORMAT = 2  # 1 may hold vectors of PatchCore in another order
_BYTE = np.dtype(np.uint8)
_DTYPES = {"fp16": np.float16, "fp32": np.float32}
#: Parts of a model's provenance that do not change what is seen.
_NAMES_ONLY = ("model", "prompts", "version")


def picture_digest(image: Image) -> str:
    """Of what a picture shows: equal for equal pixels."""
    return hashlib.blake2b(f"{image.size}".encode() + image.tobytes(), digest_size=16).hexdigest()


class SeenStore:
    """One checksummed record per picture below `root`, named by what it shows; it may be killed at any moment.

    Args:
        root: a folder, made when the first record is written.
        identity: all that decides what is seen besides the picture; another one is another folder.
        dtype: "fp32" keeps every number, "fp16" takes half the disk.
    """

    def __init__(self, root: Path, identity: dict[str, Any], dtype: CacheDtype = "fp32") -> None:
        told = {key: value for key, value in identity.items() if key not in _NAMES_ONLY}
        text = json.dumps([_FORMAT, dtype, told], sort_keys=True, default=str)
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:24]
        self.folder = root / f"seen-{self.digest}"
        self._dtype = _DTYPES[dtype]

    def has(self, picture: str) -> bool:
        """Whether a picture's record lies here, whole and undamaged; reads all of it."""
        path = self._path(picture)
        try:
            size = path.stat().st_size - OFFSET
        except OSError:
            return False
        return size > 0 and is_intact(path, self._identity(picture), (size,), _BYTE)

    def put(self, picture: str, views: Sequence[Seen]) -> None:
        """Keep the views of a picture. Raises OutputError."""
        from safetensors.numpy import save

        arrays: dict[str, NDArray[Any]] = {}
        for number, view in enumerate(views):
            for field in fields(view):
                value = np.asarray(getattr(view, field.name), order="C")  # safetensors writes bytes as they lie
                arrays[f"{number}.{field.name}"] = value.astype(self._dtype) if value.dtype == np.float32 else value
        write_record(self._path(picture), self._identity(picture), np.frombuffer(save(arrays), np.uint8))

    def get(self, picture: str) -> list[Seen]:
        """The views of a picture; only after :meth:`has` or :meth:`put`. Raises OutputError where it vanished."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self._path(picture)
        try:
            arrays = load(open_record(path, (path.stat().st_size - OFFSET,), _BYTE).tobytes())
        except (OSError, ValueError, SafetensorError) as error:
            raise OutputError(
                f"what was seen of a picture vanished while it was in use ({printable(path)}: {error}); run the same "
                "command again"
            ) from error
        count = len(arrays) // len(fields(Seen))
        return [_view({name: arrays[f"{number}.{name}"] for name in _NAMES}) for number in range(count)]

    def _path(self, picture: str) -> Path:
        return self.folder / picture[:2] / picture

    def _identity(self, picture: str) -> str:
        return f"{self.digest}/{picture}"  # a record copied to another name is not intact


_NAMES = tuple(field.name for field in fields(Seen))


def _view(arrays: dict[str, NDArray[Any]]) -> Seen:
    given: dict[str, Any] = {
        name: value.astype(np.float32) if value.dtype in (np.float16, np.float32) else value
        for name, value in arrays.items()
    }
    rows, columns = (int(side) for side in given["grid"])
    return Seen(**given | {"grid": (rows, columns), "whole": float(given["whole"]), "score": float(given["score"])})
