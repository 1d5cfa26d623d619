"""Both graphs and `graph.json` of a folder that holds a model and its prompts, and the proof that they are torch's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.embedded import (
    GRAPH,
    HEADS,
    PREPARED,
    PROMPTS,
    SIDECAR,
    WEIGHTS,
    EmbeddedEncoder,
    read_embedded,
)
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.hub.digests import sha256
from anomalyclip.io.atomic import write_bytes
from anomalyclip.judges.words import Words
from anomalyclip.opening import from_files
from anomalyclip.pretraining.graph.preparing import prepared
from anomalyclip.pretraining.graph.tower import Recipe, encoder_graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.detector import Detector
    from anomalyclip.encoders.base import Features

SIZES = ((320, 320), (224, 352), (71, 203), (16, 16))
"""Inputs (H, W) that the proof is made on: wide, odd and a single patch beside a square one."""
BOUND = 2e-5
"""Largest relative distance |f - f0| / |f0| of any feature vector, and largest difference of a text embedding."""


def make_graph(folder: Path) -> None:
    """Write the files; equal weights, prompts and heads give equal bytes with one onnxruntime."""
    import onnx

    model = from_files(folder / WEIGHTS, folder / PROMPTS)
    settings, config = model.settings, _config(folder / WEIGHTS)
    recipe = Recipe(settings.layers, settings.dpam, settings.dpam_blocks, settings.post_norm_class)
    graph = encoder_graph(config, folder / WEIGHTS, recipe)
    write_bytes(folder / GRAPH, graph.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(folder / GRAPH), full_check=True)
    quick, handed = prepared(folder / GRAPH, folder / WEIGHTS)
    write_bytes(folder / PREPARED, quick.SerializeToString(deterministic=True))
    sidecar = {
        "files": {
            name: sha256(folder / name)
            for name in (GRAPH, PREPARED, WEIGHTS, PROMPTS, HEADS)
            if (folder / name).is_file()
        },
        "handed": handed,
        "weights_sha256": model.weights_sha256,
        "prompts_sha256": model.provenance()["prompts_sha256"],
        "method": model.method,
        "facts": _facts(model),
        "offers": {
            "patches": list(settings.layers),
            "tokens": list(range(1, config.vision.layers)),
            "dpam": settings.dpam,
            "dpam_blocks": settings.dpam_blocks,
            "post_norm_class": settings.post_norm_class,
        },
        "settings": settings.recorded(),
        "text_features": [[float(np.format_float_positional(x)) for x in row] for row in _text(model)],
    }
    write_bytes(folder / SIDECAR, (json.dumps(sidecar, indent=1) + "\n").encode())
    read_embedded.cache_clear()


def _config(weights: Path) -> Any:
    from anomalyclip.clip.weights import load_clip

    return load_clip(weights, text=False, vision=False).config


def _text(model: Detector) -> NDArray[np.float32]:
    assert isinstance(model.judge, Words)
    return model.judge.text.features


def _facts(model: Detector) -> dict[str, Any]:
    told = replace(model.encoder.facts, image_size=model.image_size)
    names = ("patch_size", "image_size", "layers", "width", "embed_dim")
    stages = {str(number): [stage.channels, stage.stride] for number, stage in told.stages.items()}
    return {name: getattr(told, name) for name in names} | {"stages": stages}


def verify_graph(folder: Path, runtime: str = "onnx") -> dict[str, float]:
    """Largest relative distances from torch by kind of feature, over :data:`SIZES`.

    Raises:
        WeightsError: a file is not the one that the graph was made from. ConfigError: a distance beyond :data:`BOUND`.
    """
    embedded = read_embedded(folder.absolute())
    model = from_files(folder / WEIGHTS, folder / PROMPTS)
    encoder, gives = EmbeddedEncoder(embedded, name="", runtime=runtime), embedded.offers
    request = FeatureRequest(
        image=True,
        patches=tuple(gives["patches"]),
        tokens=tuple(gives["tokens"]),
        stages=tuple(encoder.facts.stages),
        summaries=tuple(encoder.facts.stages),
        **{name: gives[name] for name in ("dpam", "dpam_blocks", "post_norm_class")},
    )
    gaps = {"text": float(np.abs(embedded.text - _text(model)).max())}
    random = np.random.default_rng(0)
    for height, width in SIZES:
        pixels = random.normal(size=(2, 3, height, width)).astype(np.float32)
        expected = model.features(pixels, request)
        for kind, gap in distances(encoder.encode(pixels, request), expected).items():
            gaps[kind] = max(gap, gaps.get(kind, 0.0))
    if beyond := {kind: gap for kind, gap in gaps.items() if not gap <= BOUND}:
        raise ConfigError(f"{folder / GRAPH} on {runtime} does not compute what torch computes: {beyond}")
    return gaps


def distances(found: Features, expected: Features) -> dict[str, float]:
    """Largest |f - f0| / |f0| over the vectors of each kind; a vector runs along the channels."""

    def gap(first: Any, second: Any, axis: int) -> float:
        apart, length = (np.linalg.norm(x, axis=axis) for x in (first - second, second))
        return float((apart / np.maximum(length, 1e-12)).max())

    told = {"image": gap(found.image, expected.image, -1)}
    for kind, axis in (("patches", -1), ("tokens", -1), ("stages", 1), ("summaries", -1)):
        given, wanted = getattr(found, kind), getattr(expected, kind)
        told[kind] = max((gap(given[number], value, axis) for number, value in wanted.items()), default=0.0)
    return told
