"""The sidecar `anomalyclip.json`: what the exported file is, what it takes and gives, and where it is from."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from anomalyclip.encoders.exported import SIDECAR
from anomalyclip.encoders.formats import FORMATS, FormatName, Precision
from anomalyclip.encoders.graph_io import Pixels
from anomalyclip.encoders.onnx_places import places
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import InputError
from anomalyclip.hub.cache import state
from anomalyclip.hub.digests import sha256
from anomalyclip.hub.registry import POCKET, POCKET_VERSION, RemoteFile
from anomalyclip.io.json_objects import loads_once
from anomalyclip.io.names import printable

_MAX_BYTES = 64 * 2**20

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Part):
    """Size and hash of one file of the artefact."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Differences(_Part):
    """How the artefact differs from torch in float32 on `images` images.

    score: largest difference of image scores. map: largest difference of a pixel. map_mean: mean of absolute pixel
    differences. correlation: Pearson's, of all pixels of all maps.
    """

    images: int
    score: float
    map: float
    map_mean: float
    correlation: float


class FeatureRecord(_Part):
    """The features that a graph gives besides scores and maps, and what encoder they are of.

    request: fields of :class:`anomalyclip.encoders.FeatureRequest`, "verdict" left out. facts: fields of
    :class:`anomalyclip.encoders.EncoderFacts`.
    """

    request: dict[str, Any]
    facts: dict[str, Any]


class Artefact(_Part):
    """Everything a program needs to run the files, with or without this package.

    Attributes:
        input: name, dtype and shape of the graph's input, and what to do with an image before it.
        outputs: name -> meaning.
        image_size: side S of the input.
        pixels: "uint8" (B, S, S, 3), or "normalised" float32 (B, 3, S, S).
        opset: of ONNX files.
        files: every file beside the sidecar.
        provenance: of the model (`Detector.provenance`): names, hashes, settings, version.
        made_with: package -> version; of the embedded model, its own.
        quantisation: how int8 came about: calibration images, layers that stayed in float.
        verification: against torch, measured by the export itself.
        profile: a calibration profile of the model, as `anomalyclip calibrate` writes it.
        features: what else the graph gives; None where it gives scores and maps alone.
    """

    kind: Literal["anomalyclip-export"] = "anomalyclip-export"
    version: Literal[1] = 1
    format: FormatName
    precision: Precision
    image_size: Annotated[int, Field(ge=1, le=8192)]
    pixels: Pixels
    input: dict[str, Any]
    outputs: dict[str, str]
    opset: int | None = None
    files: dict[FileName, FileRecord]
    provenance: dict[str, Any]
    made_with: dict[str, str]
    quantisation: dict[str, Any] | None = None
    verification: Differences | None = None
    profile: dict[str, Any] | None = None
    features: FeatureRecord | None = None

    @property
    def request(self) -> FeatureRequest:
        """All that the graph gives."""
        told = {} if self.features is None else self.features.request
        lists: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        return FeatureRequest(**lists, verdict="score" in self.outputs)


def read_artefact(folder: Path) -> Artefact:
    """The sidecar of an artefact whose files are there and unchanged.

    A file is hashed when it is new or was touched since it was last hashed (`anomalyclip.hub.cache.state`).

    Raises:
        InputError: no sidecar, not of this kind or a later version, of an earlier `pocket`, a file that is missing or
            was changed, or something that leads out of the folder.
    """
    artefact = parse_artefact(folder / SIDECAR)
    if FORMATS[artefact.format].file not in artefact.files:
        raise InputError(f"{printable(folder / SIDECAR)} does not list {FORMATS[artefact.format].file}; export again")
    if artefact.provenance.get("model") == POCKET and not _of_this_pocket(artefact):
        raise InputError(
            f"{printable(folder)} is an export of an earlier version of {POCKET}: export it again, and make its "
            "profile anew by `anomalyclip calibrate --again FILE`"
        )
    for name, record in artefact.files.items():
        check_inside(folder, name)
        file = RemoteFile("", "", name, record.bytes, sha256=record.sha256)
        found = state(folder / name, file)
        if found != "cached":
            what = "is missing" if found == "missing" else "was changed after it was exported"
            raise InputError(f"{printable(folder / name)} {what}; export the model again")
    for entry in folder.iterdir():  # listed or not: a runtime finds what a graph names
        check_inside(folder, entry.name)
    if artefact.format == "onnx":
        check_places(folder / FORMATS["onnx"].file, artefact.files)
    return artefact


def _of_this_pocket(artefact: Artefact) -> bool:
    from anomalyclip.encoders.embedded import find_embedded
    from anomalyclip.hub import resolve_model

    now = find_embedded(Path(resolve_model(POCKET, offline=True).weights))
    weights = artefact.provenance.get("weights_sha256")
    return artefact.made_with.get(POCKET) == POCKET_VERSION and (now is None or weights == now.weights_sha256)


def check_places(graph: Path, files: Collection[str]) -> None:
    """Refuse an ONNX graph that has its weights elsewhere than in the `files` of its export.

    Raises:
        InputError: it has, or is no graph.
    """
    try:
        elsewhere = sorted(places(graph) - set(files))
    except (ValueError, OSError) as error:
        raise InputError(f"{printable(graph)} is no ONNX graph ({error}); export the model again") from error
    if elsewhere:
        raise InputError(
            f"{printable(graph)} has weights in '{printable(elsewhere[0])}', which is no file of this export; export "
            "the model again"
        )


def check_inside(folder: Path, name: str) -> None:
    """Refuse an entry of an export that is a link to elsewhere; a hub cache's links to its own blobs are not elsewhere.

    Raises:
        InputError: it lies outside.
    """
    homes = [folder.resolve()]
    if folder.absolute().parent.name == "snapshots":
        homes.append(folder.absolute().parents[1].resolve() / "blobs")
    if not any((folder / name).resolve().is_relative_to(home) for home in homes):
        raise InputError(f"{printable(folder / name)} is a link out of its folder; copy the export whole")


def parse_artefact(path: Path) -> Artefact:
    """The sidecar alone; raises InputError."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"it has more than {_MAX_BYTES:,} bytes")
        return _parsed(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {printable(path)}: {error.strerror or error}") from error
    except InputError as error:
        raise InputError(
            f"{printable(path)} is no sidecar this version reads ({error}); export the model again, or use the version "
            "that wrote it"
        ) from error


def _parsed(data: bytes) -> Artefact:
    """Not by pydantic alone: of two keys of one name, it would take the last."""
    try:
        return Artefact.model_validate(loads_once(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{where}: {first['msg']}") from error
    except RecursionError as error:
        raise InputError("the file: it is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"the file: it is no JSON ({error})") from error


def write_sidecar(folder: Path, artefact: Artefact) -> None:
    """Write the sidecar into a folder that is not in use yet."""
    # Earlier versions refuse what they do not know: a graph without features stays readable for them.
    told = artefact.model_dump(mode="json", exclude=None if artefact.features is not None else {"features"})
    text = json.dumps(told, indent=1, allow_nan=False)
    (folder / SIDECAR).write_text(text + "\n", encoding="utf-8")


def record_files(folder: Path) -> dict[str, FileRecord]:
    """Size and hash of every file in a folder."""
    files = sorted(each for each in folder.iterdir() if each.is_file())
    return {each.name: FileRecord(bytes=each.stat().st_size, sha256=sha256(each)) for each in files}
