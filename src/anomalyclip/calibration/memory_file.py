"""A line's memory on disk: one safetensors file beside the profile, bound to it by its hash.

Arrays: `rows` (M, D) float16, `pictures` and `places` (M,) int32, `boxes` (M, 4) int32 (where in its picture a patch
lies), `sizes` (P, 2) int32 (width and height of each picture), of a line of many kinds `levels` (P, 2) float64 (what
each picture has itself, see `Line`), and `thumbnail.N` (bytes,) uint8, a JPEG of picture N:
a memory can show what it compares with when the pictures are gone. All numbers that are not arrays stand in the
profile (:class:`MemoryPart`).

The pair is replaced as one: the new memory is written whole as `FILE.next`, then the profile that names its hash, then
the memory takes its place. Whoever reads between the last two finds the memory of the profile under `FILE.next`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.line import Line
    from anomalyclip.judges.memory.source import Source

MAX_BYTES = 2**30
REMEDY = "calibrate again, or bring the file that belongs to this profile"

_ARRAYS = ("rows", "pictures", "places", "boxes", "sizes")

# Bounds that float32 and its squares hold; what is measured lies far within them.
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1e3, allow_inf_nan=False)]
Deviation = Annotated[float, Field(ge=1e-9, le=1e15, allow_inf_nan=False)]
Statistics = Annotated[tuple[Number, ...], Field(min_length=3, max_length=8)]
Deviations = Annotated[tuple[Deviation, ...], Field(min_length=3, max_length=8)]


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
    novelty: Weight = 0.0
    novelty_product: Weight = 0.0
    kind: Weight = 0.0
    kind_product: Weight = 0.0
    zero_shot: Weight = 0.0


class ScaleRecord(_Part):
    """See :class:`anomalyclip.judges.memory.fusion.Scale`."""

    typical: Number
    line: Number


class MemoryPart(_Part):
    """What a profile says of its memory.

    file: its name, in the folder of the profile. sha256: of its bytes. held_out: how pictures were kept out of the
    memory that judged them: "each" in turn, or "half" of them, which then set the line alone. pictures: names of those
    in the memory, in its order. kind, layers, neighbourhood, recipe, widths, aligned: see `Source`. augmented: it holds
    turned and mirrored copies of them, too. centre, spread: of the statistics; older profiles have the first three.
    """

    file: Annotated[str, Field(pattern=r"^[^/\\\\]{1,255}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    held_out: Literal["each", "half"]
    pictures: tuple[str, ...]
    kind: Literal["stages", "tokens", "patches"]
    layers: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    neighbourhood: Annotated[int, Field(ge=1, le=15)]
    mixture: MixtureRecord
    centre: Statistics
    spread: Deviations
    score_scale: ScaleRecord
    map_scale: ScaleRecord
    sigma: Weight
    recipe: Annotated[str, Field(pattern=r"^(auto|april-gan|winclip\+|anomalydino|patchcore)$")] = "auto"
    widths: tuple[Annotated[int, Field(ge=1)], ...] = ()
    aligned: Annotated[int, Field(ge=0)] | None = None
    augmented: bool = False

    @model_validator(mode="after")
    def _whole(self) -> MemoryPart:
        """What has a weight has a centre and a spread; the other way round would shift all behind a lost number."""
        from anomalyclip.judges.memory.fusion import STATISTICS

        weighed = max((n for n, name in enumerate(STATISTICS, 1) if getattr(self.mixture, name)), default=0)
        if len(self.centre) != len(self.spread) or len(self.centre) < weighed:
            counts = f"{len(self.centre)} centres and {len(self.spread)} spreads"
            raise ValueError(f"{counts}; expected as many of both, at least {weighed}")
        return self

    @property
    def source(self) -> Source:
        """Which features, and how they are compared."""
        from anomalyclip.judges.memory.source import Source

        return Source(self.kind, self.layers, self.neighbourhood, self.recipe, self.widths, self.aligned)


def memory_name(profile_file: Path, name: str) -> str:
    """`line.NAME.memory.safetensors` for the profile NAME in `line.json`."""
    return f"{profile_file.stem}.{name}.memory.safetensors"


def waiting(path: Path) -> Path:
    """Where a new memory waits for its profile."""
    return path.with_name(f"{path.name}.next")


class Opened(NamedTuple):
    """A line, and JPEG thumbnails of its good pictures."""

    line: Line
    thumbnails: list[bytes]


def packed(line: Line, thumbnails: Sequence[bytes]) -> bytes:
    """The bytes of a memory file; the same line gives the same bytes. thumbnails: JPEGs."""
    from safetensors.numpy import save

    from anomalyclip.judges.memory.bank import halved

    bank = line.bank
    arrays: dict[str, Any] = {"rows": halved(bank.rows), "pictures": bank.pictures, "places": bank.places}
    arrays |= {"boxes": line.boxes, "sizes": line.sizes}
    if line.levels is not None:
        arrays["levels"] = np.asarray(line.levels, np.float64)
    arrays |= {f"thumbnail.{number}": np.frombuffer(one, np.uint8) for number, one in enumerate(thumbnails)}
    arrays = {name: np.asarray(one, order="C") for name, one in arrays.items()}  # safetensors writes bytes as they lie
    # One entry: safetensors writes several in an order of its own each time.
    return bytes(save(arrays, metadata={"anomalyclip-memory": "1"}))


def part_of(line: Line, *, file: str, data: bytes, held_out: Literal["each", "half"]) -> MemoryPart:
    """What the profile says of a line whose memory file holds `data`."""
    mixture, source = line.mixture, line.source
    return MemoryPart(
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
        held_out=held_out,
        pictures=line.names,
        kind=source.kind,
        layers=source.layers,
        neighbourhood=source.neighbourhood,
        mixture=MixtureRecord(**{name: getattr(mixture, name) for name in MixtureRecord.model_fields}),
        centre=tuple(map(float, line.centre)),
        spread=tuple(map(float, line.spread)),
        score_scale=ScaleRecord(typical=line.score_scale.typical, line=line.score_scale.line),
        map_scale=ScaleRecord(typical=line.map_scale.typical, line=line.map_scale.line),
        sigma=line.sigma,
        recipe=source.recipe,
        widths=source.widths,
        aligned=source.aligned,
        augmented=line.augmented,
    )


def open_memory(part: MemoryPart, folder: Path) -> Opened:
    """:func:`unpacked` of the file of a profile in `folder`; raises what :func:`read_memory` raises, too."""
    return unpacked(part, read_memory(part, folder), folder / part.file)


def read_memory(part: MemoryPart, folder: Path) -> bytes:
    """The bytes of a profile's memory, which have the hash that the profile says.

    Raises InputError for a file that is missing, or not the one the profile was written with.
    """
    path, found = folder / part.file, None
    for place in (path, waiting(path), path):  # again: it may have taken its place between the two looks
        data = _bytes(place)
        if data is not None and hashlib.sha256(data).hexdigest() == part.sha256:
            return data
        found = found if data is None else data
    if found is None:
        raise InputError(
            f"the profile's memory {printable(path)} is missing: it must lie beside the profile. Bring it there, or "
            "calibrate again"
        )
    raise InputError(
        f"the memory {printable(path)} is not the one this profile was written with (sha256 differs: it was swapped, "
        f"edited, cut short, or made anew since the profile was read); run again, {REMEDY}"
    )


def unpacked(part: MemoryPart, data: bytes, path: Path) -> Opened:
    """The line in the bytes of a memory. path: for messages. Raises InputError for what does not hold a memory."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.fusion import Mixture, Scale
    from anomalyclip.judges.memory.line import Line

    try:
        arrays: dict[str, NDArray[Any]] = dict(load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"the memory {printable(path)} is damaged ({error}); {REMEDY}") from error
    if not set(_ARRAYS) <= set(arrays) or not _fits(arrays, part):
        raise InputError(f"the memory {printable(path)} does not hold what a memory holds; {REMEDY}")
    rows, pictures, places, boxes, sizes = (arrays[name] for name in _ARRAYS)
    line = Line(
        part.source,
        Bank(part.source.restored(rows), pictures, places, part.source),
        Mixture(**part.mixture.model_dump()),
        _padded(part.centre, 0.0),
        _padded(part.spread, 1.0),
        Scale(part.score_scale.typical, part.score_scale.line),
        Scale(part.map_scale.typical, part.map_scale.line),
        part.sigma,
        part.sha256,
        part.pictures,
        boxes,
        sizes,
        part.augmented,
        arrays.get("levels"),
    )
    numbered = {
        int(found[1]): array for key, array in arrays.items() if (found := re.fullmatch(r"thumbnail\.(\d+)", key))
    }
    return Opened(line, [numbered[number].tobytes() for number in sorted(numbered)])


def _bytes(path: Path) -> bytes | None:
    """Of a file, None where there is none. Raises InputError for what cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"the memory {printable(path)} is a pipe, device or folder; {REMEDY}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot read the memory {printable(path)}: {error}; {REMEDY}") from error


def _fits(arrays: Mapping[str, NDArray[Any]], part: MemoryPart) -> bool:
    count, widths, levels = len(part.pictures), part.widths, arrays.get("levels")
    by_kind = part.mixture.kind > 0 or part.mixture.kind_product > 0
    rows, pictures, places, boxes, sizes = (arrays[name] for name in _ARRAYS)
    return (
        rows.ndim == 2
        and rows.dtype == np.float16
        and (not widths or sum(widths) == rows.shape[1])
        and pictures.shape == places.shape == rows.shape[:1]
        and boxes.shape == (len(rows), 4)
        and sizes.shape == (count, 2)
        and pictures.dtype == places.dtype == boxes.dtype == sizes.dtype == np.int32
        and len(rows) > 0
        and bool(np.isfinite(rows).all())
        and int(sizes.min()) > 0
        and bool((np.diff(pictures) >= 0).all())
        and int(pictures[0]) == 0
        and int(pictures[-1]) == count - 1
        and by_kind == (levels is not None)
        and (levels is None or (levels.shape == (count, 2) and levels.dtype == np.float64))
        and (levels is None or bool(np.isfinite(levels).all()))
    )


def _padded(values: Sequence[float], with_: float) -> NDArray[np.float64]:
    """One number for each statistic; those that an older profile lacks have no weight in it."""
    from anomalyclip.judges.memory.fusion import STATISTICS

    return np.array([*values, *[with_] * (len(STATISTICS) - len(values))], np.float64)
