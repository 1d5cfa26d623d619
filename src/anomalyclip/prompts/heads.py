"""The file of learned heads: safetensors with the vectors; metadata says which backbone and layers they fit."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.clip.safetensors_header import read_header
from anomalyclip.errors import PromptError, WeightsError
from anomalyclip.io.json_objects import whole_number
from anomalyclip.io.names import printable
from anomalyclip.prompts.bounded import read_bounded, write_file
from anomalyclip.prompts.metadata import HEADS_KEY, PromptMetadata, check_ranges
from anomalyclip.prompts.readout import ARRAYS, Readout
from anomalyclip.settings.scoring import without_later

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.prompts.backbone import Backbone

    Floats = NDArray[np.float32]

FORMAT_VERSION = 1
METHOD = "heads"
_UNIT_TOLERANCE = 1e-3
_NAMES = ("image", "patches")


@dataclass(frozen=True, eq=False)
class HeadsFile:
    """Learned heads, checked: shapes that fit the layers, unit vectors.

    Attributes:
        metadata: backbone and its hash, ``layers``, ``embed_dim`` E, and what else comes with them.
        image: (2, E) float32, L2-normalised, [normal, abnormal], for the class token.
        patches: (L, 2, E) float32, the same for the patches of each of the L layers; None: ``image`` judges
            patches, too, in any layer.
        readout: of a stem's stages, where the picture's score has one.
        path: where it was read from, for messages.

    Raises:
        PromptError: no layers, a wrong shape, a value that is not finite, or a vector that is not of length 1.
    """

    metadata: PromptMetadata
    image: Floats
    patches: Floats | None = None
    readout: Readout | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        width = self.metadata.embed_dim
        problems = _problems("image", self.image, (2, width))
        if self.patches is not None:
            problems += [] if self.layers else ["no layers are named"]
            problems += _problems("patches", self.patches, (len(self.layers), 2, width))
        if problems:
            raise PromptError(
                f"the heads in {printable(self.path or 'this file')} do not fit their metadata: {'; '.join(problems)}; "
                "the file is damaged or was written by other software"
            )

    @property
    def layers(self) -> tuple[int, ...]:
        """The blocks whose patches they judge, or would first."""
        return tuple(self.metadata.layers or ())

    @cached_property
    def sha256(self) -> str:
        """Hash of what decides the scores: layers and vectors; not of names or dates."""
        digest = hashlib.sha256(json.dumps([METHOD, list(self.layers)]).encode())
        for values in self.vectors().values():
            digest.update(values.astype("<f4").tobytes())
        if self.readout is not None:
            digest.update(json.dumps(self.readout.header()).encode())
            for values in self.readout.arrays().values():
                digest.update(values.astype("<f4").tobytes())
        return digest.hexdigest()

    def vectors(self) -> dict[str, Floats]:
        """Those that there are, by their names in a file."""
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}


def check_heads(file: HeadsFile, backbone: Backbone) -> None:
    """Refuse heads that were learned on another CLIP; raises :class:`PromptError` that names both, and the remedy."""
    recorded, embed_dim = file.metadata.weights_sha256, file.metadata.embed_dim
    known = recorded and backbone.weights_sha256
    if embed_dim == backbone.embed_dim and (not known or recorded == backbone.weights_sha256):
        return
    raise PromptError(
        f"the heads {printable(file.path or 'given')} were learned on {file.metadata.backbone or 'an unnamed CLIP'} "
        f"(weights {str(recorded)[:12]}, {embed_dim} numbers), not on {backbone.name} (weights "
        f"{str(backbone.weights_sha256)[:12]}, {backbone.embed_dim}). Use that backbone, or learn heads on "
        f"{backbone.name} with anomalyclip train --method heads"
    )


def save_heads(path: str | Path, file: HeadsFile) -> None:
    """Write atomically and reproducibly: equal content gives equal bytes. Raises :class:`OutputError`."""
    from safetensors.numpy import save

    header = {"format": FORMAT_VERSION, "metadata": without_later(asdict(file.metadata))}
    arrays = file.vectors()
    if file.patches is None:
        header["shared"] = True
    if file.readout is not None:
        header["readout"] = file.readout.header()
        arrays |= file.readout.arrays()
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    kept = {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
    write_file(path, save(kept, {HEADS_KEY: text}))


def load_heads(path: str | Path, *, own: bool = False) -> HeadsFile:
    """Read what :func:`save_heads` wrote; never more than a prompt file may hold.

    Args:
        path: of the file.
        own: it came with this package, and the types of its metadata are taken as they are.

    Raises:
        PromptError: missing, too large, damaged, of another kind or version, or values that cannot be.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data, shown = read_bounded(path), printable(path)
    try:
        head = read_header(io.BytesIO(data), len(data), shown)
    except WeightsError as error:
        raise PromptError(f"the file of heads {error}") from error
    if HEADS_KEY not in head.metadata:
        raise PromptError(f"{shown} holds no heads; learn some with anomalyclip train --method heads")
    try:
        told = json.loads(head.metadata[HEADS_KEY], parse_int=whole_number)
        named = _NAMES[:1] if told.get("shared") is True else _NAMES
        wanted = {*named, *(ARRAYS if "readout" in told else ())}
        odd = sorted(set(head.tensors) ^ wanted) or [n for n, (kind, _) in head.tensors.items() if kind != "F32"]
        if odd:
            raise PromptError(
                f"{shown} is damaged: {', '.join(map(printable, odd))} missing, not expected or no float32"
            )
        if told["format"] != FORMAT_VERSION:
            raise PromptError(
                f"{shown} has the format of heads {told['format']!r}, this version reads {FORMAT_VERSION}; "
                "upgrade anomalyclip"
            )
        metadata = (_own_metadata if own else _metadata)(told["metadata"])
        arrays = load(data)
        readout = Readout.of(told["readout"], arrays) if "readout" in told else None
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PromptError(f"the file of heads {shown} is damaged ({reason}); save or fetch it again") from error
    check_ranges(metadata, str(path))
    return HeadsFile(metadata, arrays["image"], arrays.get("patches"), readout, str(path))


def _metadata(told: Any) -> PromptMetadata:
    """With every type checked; raises ValueError."""
    from pydantic import TypeAdapter

    return TypeAdapter(PromptMetadata).validate_json(json.dumps(told), strict=True)


def _own_metadata(told: Any) -> PromptMetadata:
    """Without pydantic, which would take a tenth of the time that one picture takes from start to end."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return PromptMetadata(**values)


def _problems(name: str, values: Floats, shape: tuple[int | None, ...]) -> list[str]:
    if values.shape != shape:
        return [f"{name} has the shape {values.shape} instead of {shape}"]
    if not np.isfinite(values).all():
        return [f"{name} holds NaN or infinite values"]
    lengths = np.linalg.norm(values.astype(np.float64), axis=-1)
    if np.abs(lengths - 1).max() > _UNIT_TOLERANCE:
        return [f"{name} has vectors of the lengths {lengths.min():.3g} to {lengths.max():.3g} instead of 1"]
    return []
