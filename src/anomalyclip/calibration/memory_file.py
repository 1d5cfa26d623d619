"""A line's memory on disk: one safetensors file beside the profile, bound to it by its hash.

Arrays: `rows` (M, D) float16, `pictures` and `places` (M,) int32, and `thumbnail.N` (h, w, 3) uint8 of picture N. All
numbers that are not arrays stand in the profile (:class:`MemoryPart`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.line import Line

MAX_BYTES = 2**30
REMEDY = "calibrate again, or bring the file that belongs to this profile"

Number = Annotated[float, Field(allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Three = tuple[Number, Number, Number]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MixtureRecord(_Part):
    """See :class:`anomalyclip.judges.memory.fusion.Mixture`."""

    name: str
    memory: Weight
    product: Weight
    words: Weight
    map_words: Weight
    map_memory: Weight


class ScaleRecord(_Part):
    """See :class:`anomalyclip.judges.memory.fusion.Scale`."""

    typical: Number
    line: Number


class MemoryPart(_Part):
    """What a profile says of its memory.

    file: its name, in the folder of the profile. sha256: of its bytes. held_out: how pictures were kept out of the
    memory that judged them: "each" in turn, or "half" of them, which then set the line alone. pictures: names of those
    in the memory, in its order. source: which features. kind, layers, neighbourhood: see `Source`.
    """

    file: Annotated[str, Field(pattern=r"^[^/\\\\]{1,255}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    held_out: Literal["each", "half"]
    pictures: tuple[str, ...]
    kind: Literal["stages", "tokens", "patches"]
    layers: tuple[Annotated[int, Field(ge=1)], ...]
    neighbourhood: Annotated[int, Field(ge=1, le=15)]
    mixture: MixtureRecord
    centre: Three
    spread: Three
    score_scale: ScaleRecord
    map_scale: ScaleRecord
    sigma: Weight


def memory_name(profile_file: Path, name: str) -> str:
    """`line.NAME.memory.safetensors` for the profile NAME in `line.json`."""
    return f"{profile_file.stem}.{name}.memory.safetensors"


def packed(line: Line, thumbnails: Sequence[NDArray[np.uint8]]) -> bytes:
    """The bytes of a memory file; the same line gives the same bytes."""
    from safetensors.numpy import save

    from anomalyclip.judges.memory.bank import halved

    bank = line.bank
    arrays: dict[str, Any] = {"rows": halved(bank.rows), "pictures": bank.pictures, "places": bank.places}
    arrays |= {f"thumbnail.{number}": np.ascontiguousarray(one) for number, one in enumerate(thumbnails)}
    # One entry: safetensors writes several in an order of its own each time.
    return bytes(save(arrays, metadata={"anomalyclip-memory": "1"}))


def part_of(
    line: Line, *, file: str, data: bytes, held_out: Literal["each", "half"], names: Sequence[str]
) -> MemoryPart:
    """What the profile says of a line whose memory file holds `data`."""
    mixture, source = line.mixture, line.source
    return MemoryPart(
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        held_out=held_out,
        pictures=tuple(names),
        kind=source.kind,
        layers=source.layers,
        neighbourhood=source.neighbourhood,
        mixture=MixtureRecord(**{name: getattr(mixture, name) for name in MixtureRecord.model_fields}),
        centre=_three(line.centre),
        spread=_three(line.spread),
        score_scale=ScaleRecord(typical=line.score_scale.typical, line=line.score_scale.line),
        map_scale=ScaleRecord(typical=line.map_scale.typical, line=line.map_scale.line),
        sigma=line.sigma,
    )


def open_line(part: MemoryPart, folder: Path) -> tuple[Line, list[NDArray[np.uint8]]]:
    """The line of a profile in `folder`, and thumbnails of its pictures.

    Raises InputError for a file that is missing, not the one the profile was written with, or damaged.
    """
    from anomalyclip.judges.memory.bank import Bank, restored
    from anomalyclip.judges.memory.fusion import Mixture, Scale
    from anomalyclip.judges.memory.line import Line
    from anomalyclip.judges.memory.source import Source

    arrays = _arrays(part, folder / part.file)
    rows, pictures, places = (arrays.get(name) for name in ("rows", "pictures", "places"))
    if rows is None or pictures is None or places is None or not _fits(rows, pictures, places, len(part.pictures)):
        raise InputError(f"the memory {printable(folder / part.file)} does not hold what a memory holds; {REMEDY}")
    line = Line(
        Source(part.kind, part.layers, part.neighbourhood),
        Bank(restored(rows), pictures, places),
        Mixture(**part.mixture.model_dump()),
        np.array(part.centre),
        np.array(part.spread),
        Scale(part.score_scale.typical, part.score_scale.line),
        Scale(part.map_scale.typical, part.map_scale.line),
        part.sigma,
        part.sha256,
    )
    numbered = {
        int(found[1]): array for key, array in arrays.items() if (found := re.fullmatch(r"thumbnail\.(\d+)", key))
    }
    return line, [numbered[number] for number in sorted(numbered)]


def _arrays(part: MemoryPart, path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        if path.exists() and not path.is_file():
            raise InputError(f"the memory {printable(path)} is a pipe, device or folder; {REMEDY}")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"the profile's memory {printable(path)} is missing: it must lie beside the profile. Bring it there, or "
            "calibrate again"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read the memory {printable(path)}: {error}; {REMEDY}") from error
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise InputError(
            f"the memory {printable(path)} is not the one this profile was written with (sha256 differs: it was "
            f"swapped, edited or cut short); {REMEDY}"
        )
    try:
        return dict(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"the memory {printable(path)} is damaged ({error}); {REMEDY}") from error


def _fits(rows: NDArray[Any], pictures: NDArray[Any], places: NDArray[Any], count: int) -> bool:
    return (
        rows.ndim == 2
        and rows.dtype == np.float16
        and pictures.shape == places.shape == rows.shape[:1]
        and pictures.dtype == places.dtype == np.int32
        and len(rows) > 0
        and bool(np.isfinite(rows).all())
        and bool((np.diff(pictures) >= 0).all())
        and int(pictures[0]) == 0
        and int(pictures[-1]) == count - 1
    )


def _three(values: NDArray[np.float64]) -> Three:
    first, second, third = (float(value) for value in values)
    return first, second, third
