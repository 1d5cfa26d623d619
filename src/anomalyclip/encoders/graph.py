"""An exported or converted graph as an encoder: it gives what it was made with, on its own runtime, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import Array, Encoder, EncoderFacts, Features, Stage, together
from anomalyclip.encoders.formats import FORMATS
from anomalyclip.encoders.glance import glance_size
from anomalyclip.encoders.graph_io import outputs_of, preprocessing_of
from anomalyclip.encoders.request import SETTINGS, FeatureRequest
from anomalyclip.encoders.sessions import open_session
from anomalyclip.encoders.sidecar import Artefact, read_artefact
from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

#: precision -> largest relative distance of a feature vector from torch's in float32 (tests/encoders)
BOUNDS = {"fp32": 1e-3, "fp16": 0.02, "int8": 0.25}


class GraphEncoder(Encoder):
    """Runs an artefact of `anomalyclip export`, or a conversion kept in the cache.

    Args:
        folder: the artefact.
        device, threads: where it runs; `auto` is the CPU for OpenVINO and onnxruntime.
        streams: images of a batch that OpenVINO works on at once, see `open_session`.

    Raises:
        InputError: the artefact is damaged, or its runtime cannot read it.
        ConfigError: its runtime is not installed, or cannot use the device.
    """

    def __init__(self, folder: Path, *, device: str = "auto", threads: int | None = None, streams: int = 1) -> None:
        self.folder = folder
        self._opened: dict[str, Any] = {"device": device, "threads": threads, "streams": streams}
        self.artefact: Artefact = read_artefact(folder)
        self.runtime = FORMATS[self.artefact.format].runtime
        self.given = self.artefact.request
        self._outputs = tuple(outputs_of(self.given))
        self._run, self.device = open_session(
            self.artefact.format, folder, self._outputs, device=device, threads=threads, streams=streams
        )
        self.streams = streams if self.runtime == "openvino" else 1
        self.facts = facts_of(self.artefact)

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes open the folder themselves: a session cannot be sent."""
        return partial(GraphEncoder, self.folder.absolute(), **self._opened), ()

    def offers(self, request: FeatureRequest) -> str | None:
        """What the graph was made with, no more: its path's settings are built in, too."""
        given, name = self.given, self.facts.name
        lacks = [kind for kind in request.kinds if not _holds(getattr(given, kind), getattr(request, kind))]
        if lacks:
            return (
                f"this graph of {name} does not give {' and '.join(lacks)}: export the model again with --features, or "
                "use --runtime torch"
            )
        for setting, wanted, has in self._ways(request):
            if wanted is not None and has is not None and wanted != has:
                return f"this graph of {name} was made with {setting} {has!r}, not {wanted!r}: export the model again"
        return None

    def _ways(self, request: FeatureRequest) -> list[tuple[str, Any, Any]]:
        """How a request is to be met, asked and given; a glance as its size, 0 where it is the input itself."""
        told = [(one, getattr(request, one), getattr(self.given, one)) for one in SETTINGS]
        if not (request.image or request.summaries):
            return told
        side = self.artefact.image_size
        asked, given = (glance_size(side, side, one.glance, 1) or (0, 0) for one in (request, self.given))
        return [*told, ("glance", asked[0], given[0])]

    def run(self, pixels: Array, request: FeatureRequest) -> Features:
        """Arrays of the graph's outputs; all of them are computed, whatever is asked for.

        Raises:
            InputError: pixels that :meth:`preprocess` did not make.
        """
        self.check(request)
        given, side = np.asarray(pixels), self.artefact.image_size
        wanted = np.uint8 if self.artefact.pixels == "uint8" else np.float32
        if given.shape[1:] != (3, side, side) or given.dtype != wanted:
            raise InputError(
                f"this export takes {np.dtype(wanted)} (B, 3, {side}, {side}), got {given.dtype} {given.shape}; "
                "make its input with preprocess"
            )
        if self.artefact.pixels == "uint8":
            given = given.transpose(0, 2, 3, 1)
        given = np.ascontiguousarray(given)
        alone = self.device == "cpu" and self.streams == 1 and len(given) > 0  # no picture depends on its neighbours
        parts = [given[index : index + 1] for index in range(len(given))] if alone else [given]
        return together([self._features(self._run(part), request) for part in parts])

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """RGB image -> (3, S, S): uint8 where the graph normalises, else float32 normalised."""
        from anomalyclip.data.transforms import normalise, resize

        how = self.facts.preprocessing
        pixels = resize(image, size or self.artefact.image_size, how)
        return np.moveaxis(pixels, -1, -3) if self.artefact.pixels == "uint8" else normalise(pixels, how)

    def provenance(self) -> dict[str, Any]:
        """What runs it; `precision` only where numbers differ by more than rounding."""
        precision = self.artefact.precision
        return {"runtime": self.runtime} | ({} if precision == "fp32" else {"precision": precision})

    def _features(self, found: Mapping[str, NDArray[np.float32]], request: FeatureRequest) -> Features:
        def group(kind: str) -> dict[int, Array]:
            return {number: found[f"{kind}_{number}"] for number in getattr(request, kind)}

        side = self.artefact.image_size // self.facts.patch_size
        return Features(
            (side, side),
            found["image"] if request.image else None,
            group("patches"),
            group("tokens"),
            group("stages"),
            group("windows"),
            (found["score"], found["anomaly_map"]) if request.verdict else None,
            group("summaries"),
        )


def facts_of(artefact: Artefact) -> EncoderFacts:
    """Of an artefact; a graph without features tells neither its patches nor its depth (then 1 and 0)."""
    told: dict[str, Any] = {"patch_size": 1, "layers": 0, "width": 0, "embed_dim": 0, "stages": {}}
    if artefact.features is not None:
        told |= {name: artefact.features.facts[name] for name in told}
    stages = {int(number): Stage(**stage) for number, stage in told.pop("stages").items()}
    exact = artefact.precision == "fp32"
    files = "".join(sorted(record.sha256 for record in artefact.files.values()))
    which = hashlib.sha256(files.encode()).hexdigest()[:12]  # another calibration is another rounding
    return EncoderFacts(
        name=str(artefact.provenance["model"]),
        weights_sha256=str(artefact.provenance["weights_sha256"]),
        image_size=artefact.image_size,
        stages=stages,
        rounding="" if exact else f"{artefact.precision} {artefact.format} {which}",
        bound=BOUNDS[artefact.precision],
        resizes=False,
        preprocessing=preprocessing_of(artefact.input),
        reading=artefact.provenance.get("reading") or {},
        **told,
    )


def _holds(given: Any, wanted: Any) -> bool:
    return set(wanted) <= set(given) if isinstance(wanted, tuple) else bool(given)
