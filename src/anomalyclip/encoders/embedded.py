"""An encoder that lies beside its weights as a graph: the embedded model's, which needs no torch.

`graph.onnx` holds operations and refers to the tensors of `model.safetensors`; `prepared.onnx` is the same as
onnxruntime opens it sooner; `graph.json` says what they give, which words and settings belong to them, and which files
they were made from. All come from ``python -m anomalyclip.pretraining.graph``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import Encoder, EncoderFacts, Features, Stage, refuse
from anomalyclip.encoders.glance import joined, parts
from anomalyclip.encoders.graph_sessions import GRAPH_RUNTIMES, open_graph, open_prepared
from anomalyclip.encoders.prepared import prepared_weights
from anomalyclip.encoders.request import SETTINGS, FeatureRequest
from anomalyclip.errors import ConfigError, InputError, WeightsError
from anomalyclip.hub.digests import sha256
from anomalyclip.io.json_objects import loads_once
from anomalyclip.io.names import printable
from anomalyclip.native import why_not

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array
    from anomalyclip.encoders.graph_sessions import Run

WEIGHTS, PROMPTS, HEADS = "model.safetensors", "prompts.safetensors", "heads.safetensors"
GRAPH, PREPARED, SIDECAR = "graph.onnx", "prepared.onnx", "graph.json"
NEEDS_TORCH = "pip install 'anomalyclip[torch]'"


@dataclass(frozen=True)
class Embedded:
    """What `graph.json` tells.

    Attributes:
        files: name -> sha256 of both graphs, of weights and prompts that they were made from, and of the heads beside.
        handed: weights that the prepared graph wants, as ``anomalyclip.encoders.prepared`` names them.
        weights_sha256, prompts_sha256: of their content, as results record them.
        method: how the words came about.
        facts: fields of :class:`EncoderFacts` beside name and hash; ``stages`` {number: [channels, stride]}.
        offers: what the graph gives: ``patches`` and ``tokens`` (layers), with which ``dpam``, ``dpam_blocks`` and
            ``post_norm_class``.
        settings: the model's, by name, as they come with its prompts.
        text_features: two lists of E numbers, L2-normalised, [normal, abnormal].
        folder: where the files lie.
    """

    files: Mapping[str, str]
    handed: list[str]
    weights_sha256: str
    prompts_sha256: str
    method: str
    facts: Mapping[str, Any]
    offers: Mapping[str, Any]
    settings: Mapping[str, Any]
    text_features: list[list[float]]
    folder: Path

    @property
    def text(self) -> NDArray[np.float32]:
        """(2, E), [normal, abnormal]."""
        return np.asarray(self.text_features, np.float32)

    def has_prompts(self, path: Path) -> bool:
        """Whether a file is the prompts that the embeddings are of, or a copy."""
        return path.is_file() and sha256(path) == self.files[PROMPTS]


def find_embedded(weights: Path, prompts: Path | None = None) -> Embedded | None:
    """What lies beside a weights file, if a graph was made from it, with these prompts where they are given; else None.

    Raises:
        WeightsError: the graph, or a file that it was made from, was changed since.
    """
    if weights.name != WEIGHTS or not (weights.parent / SIDECAR).is_file():
        return None
    found = read_embedded(weights.parent.absolute())
    return None if prompts is not None and not found.has_prompts(prompts) else found


@lru_cache(maxsize=4)
def read_embedded(folder: Path) -> Embedded:
    """The sidecar of a folder whose files are those that it names; raises :class:`WeightsError`."""
    try:
        told = loads_once((folder / SIDECAR).read_text(encoding="utf-8"))
        found = Embedded(folder=folder, **{each.name: told[each.name] for each in fields(Embedded)[:-1]})
        wrong = [name for name, digest in found.files.items() if sha256(folder / name) != digest]
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise WeightsError(f"{printable(folder / SIDECAR)} cannot be read ({error}); {_again(folder)}") from error
    if wrong:
        raise WeightsError(
            f"{', '.join(wrong)} in {printable(folder)} differs from what {SIDECAR} was made with; {_again(folder)}"
        )
    return found


def _again(folder: Path) -> str:
    return f"install the package again, or run: python -m anomalyclip.pretraining.graph {printable(folder)}"


RUNTIMES = ("native", *GRAPH_RUNTIMES)
"""What runs the embedded model, the fastest first."""


def quickest() -> str:
    """Our own kernels where they can run, else onnxruntime."""
    return "native" if why_not("fp32") is None else "onnx"


def _opened(embedded: Embedded, runtime: str, threads: int | None, streams: int) -> Run:
    if runtime == "native":
        from anomalyclip.encoders.tower import open_tower

        how = {name: embedded.offers[name] for name in SETTINGS}
        return open_tower(embedded.folder / WEIGHTS, threads, streams, **how)
    if runtime != "onnx":
        return open_graph(runtime, embedded.folder / GRAPH, threads, streams)
    weights = prepared_weights(embedded.folder / WEIGHTS, embedded.handed)
    return open_prepared(embedded.folder / PREPARED, weights, threads, streams)


class EmbeddedEncoder(Encoder):
    """The embedded model on our kernels, onnxruntime or OpenVINO: equal to torch's float32 but for the order of sums.

    Pictures of a batch are computed one by one, so that none depends on its neighbours: ``streams`` of them at a time.

    Args:
        embedded: from :func:`find_embedded`.
        name: what the weights are called in results.
        runtime: one of :data:`RUNTIMES`; None is the :func:`quickest` here.
        threads: CPU threads in all; None is one per core that this process may use.
        streams: pictures under way at a time, each with its share of the threads.

    Raises:
        ConfigError: the runtime is unknown or not installed. WeightsError: it cannot read the graph, or the weights.
    """

    device = "cpu"

    def __init__(
        self,
        embedded: Embedded,
        *,
        name: str,
        runtime: str | None = None,
        threads: int | None = None,
        streams: int = 1,
    ) -> None:
        runtime = quickest() if runtime is None else runtime
        if runtime not in RUNTIMES:
            raise ConfigError(f"the embedded model runs on {', '.join(RUNTIMES)}, not on {runtime!r}")
        told = dict(embedded.facts)
        stages = {int(number): Stage(*stage) for number, stage in told.pop("stages").items()}
        self.facts = EncoderFacts(name, embedded.weights_sha256, stages=stages, bound=2e-5, **told)
        self.embedded, self.runtime, self.streams = embedded, runtime, max(1, streams)
        self._opened: dict[str, Any] = {"name": name, "runtime": runtime, "threads": threads, "streams": streams}
        try:
            self._run = _opened(embedded, runtime, threads, self.streams)
        except (RuntimeError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:300]
            raise WeightsError(f"{runtime} cannot read what lies in {printable(embedded.folder)} ({reason})") from error
        self._pool = ThreadPoolExecutor(self.streams, "anomalyclip-graph") if self.streams > 1 else None
        self.ahead = self._pool is not None  # pictures of several batches wait in one line for the streams

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes open the graph themselves: a session cannot be sent."""
        return partial(EmbeddedEncoder, self.embedded, **self._opened), ()

    def offers(self, request: FeatureRequest) -> str | None:
        """What the graph was made with."""
        gives, remedy = self.embedded.offers, f"what the embedded graph lacks needs torch: {NEEDS_TORCH}"
        kinds = ("image", "patches", "tokens", "stages", "summaries")
        told = refuse(self.facts, request, kinds=kinds, remedy=remedy)
        if told is not None:
            return told
        for kind in ("patches", "tokens"):
            asked = getattr(request, kind)
            if not set(asked) <= set(gives[kind]):
                have = ", ".join(map(str, gives[kind]))
                return f"{self.facts.name} gives {kind} of layer {have} here, not of {asked}; {remedy}"
        for setting in SETTINGS:
            asked, needed = (
                getattr(request, setting),
                request.image if setting == "post_norm_class" else request.patches,
            )
            if needed and asked is not None and asked != gives[setting]:
                return f"{self.facts.name} computes with {setting} {gives[setting]!r} here, not {asked!r}; {remedy}"
        return None

    def run(self, pixels: Array, request: FeatureRequest) -> Features:
        """See :meth:`Encoder.run`; sides beyond a multiple of the patch size are cut off, as the tower does."""
        return self.begin(pixels, request)()

    def begin(self, pixels: Array, request: FeatureRequest) -> Callable[[], Features]:
        """See :meth:`Encoder.begin`."""
        self.check(request)
        near, far = parts(pixels, request, self.facts.patch_size)
        if far is None:
            return self._begun(pixels, near)
        glanced, features = self._begun(*far), self._begun(pixels, near)
        return lambda: joined(features(), glanced())

    def _begun(self, pixels: Array, request: FeatureRequest) -> Callable[[], Features]:
        patch = self.facts.patch_size
        grid = (pixels.shape[2] // patch, pixels.shape[3] // patch)
        if 0 in grid:
            raise ConfigError(f"an input of {pixels.shape[2]} x {pixels.shape[3]} is below one patch ({patch} pixels)")
        numbers = {
            **{f"patches_{layer}": ("patches", layer) for layer in request.patches},
            **{f"tokens_{layer}": ("tokens", layer) for layer in request.tokens},
            **{f"stage_{stage}": ("stages", stage) for stage in request.stages},
            **{f"summary_{stage}": ("summaries", stage) for stage in request.summaries},
        }
        outputs = (["image"] if request.image else []) + list(numbers)
        if not outputs:
            return lambda: Features(grid)
        given = np.ascontiguousarray(pixels, np.float32)
        each = [given[index : index + 1] for index in range(len(given))]
        mapped = map if self._pool is None else self._pool.map
        found = mapped(lambda one: self._run(one, outputs), each)

        def wait() -> Features:
            results = list(found)
            whole = {name: np.concatenate([one[at] for one in results]) for at, name in enumerate(outputs)}
            groups: dict[str, Any] = {kind: {} for kind in ("patches", "tokens", "stages", "summaries")}
            for name, (kind, number) in numbers.items():
                groups[kind][number] = whole[name]
            return Features(grid, whole.get("image"), **groups)

        return wait
