"""The embedded model without torch: whether a call can be answered by the graph beside the weights, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalyclip.detector import Detector
from anomalyclip.encoders.embedded import Embedded, EmbeddedEncoder, find_embedded
from anomalyclip.errors import ConfigError
from anomalyclip.extras import missing, present
from anomalyclip.hub.registry import MODELS, PROMPTS
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.settings import ModelSettings

#: settings that are built into the graph, as far as they are not the prompts' own
_BUILT_IN = ("layers", "dpam", "dpam_blocks", "post_norm_class")


def find_light(model: str | Path, prompts: str | Path | None, settings: Mapping[str, Any]) -> Embedded | None:
    """The graph of a model that lies here, if it has one, with these prompts and settings; else None.

    Args:
        model: a known name, or the path of weights or of the folder that holds them.
        prompts: None is the model's own.
        settings: those that were chosen by hand.

    Raises:
        WeightsError: the graph, or a file that it was made from, was changed.
    """
    name = str(model)
    entry = MODELS.get(name)
    if entry is not None and entry.embedded is None:
        return None
    if entry is not None:
        from anomalyclip.hub import resolve_model

        weights = Path(resolve_model(name, offline=True).weights)
    else:
        weights = Path(name).expanduser()
        weights = weights / "model.safetensors" if weights.is_dir() else weights
    found = find_embedded(weights) if weights.is_file() else None
    if found is None or not _own(found, prompts):
        return None
    return found if all(_same(settings[key], found.settings[key]) for key in _BUILT_IN if key in settings) else None


def _own(found: Embedded, prompts: str | Path | None) -> bool:
    """Whether these are the prompts whose embeddings are stored."""
    if prompts is None:
        return True
    entry = PROMPTS.get(str(prompts))
    if entry is None:
        return found.has_prompts(Path(prompts).expanduser())
    from anomalyclip.hub import resolve_prompts

    return entry.embedded is not None and found.has_prompts(resolve_prompts(entry.name, offline=True))


def _same(asked: Any, built_in: Any) -> bool:
    return list(asked) == list(built_in) if isinstance(built_in, (list, tuple)) else bool(asked == built_in)


def refuse_without_torch(what: str) -> None:
    """Raises ConfigError that names the extra where torch is not installed."""
    if not present("torch"):
        raise ConfigError(f"{missing('torch', what)} (without it pocket runs with its own prompts, and exports run)")


def open_light(
    found: Embedded,
    name: str,
    prompts: str,
    settings: Mapping[str, Any],
    runtime: str = "onnx",
    threads: int | None = None,
    streams: int = 1,
) -> Detector:
    """The detector of an embedded graph.

    Args:
        found: from :func:`find_light`.
        name, prompts: what results call the model and its prompts.
        settings: those that were chosen by hand; the rest comes with the prompts.
        runtime, threads, streams: see :class:`EmbeddedEncoder`.
    """
    told = {**found.settings, **settings}
    chosen = ModelSettings(**told | {"layers": tuple(told["layers"])})
    encoder = EmbeddedEncoder(found, name=name, runtime=runtime, threads=threads, streams=streams)
    text = TextEmbeddings(found.text, prompts, found.prompts_sha256, found.method)
    return Detector(encoder, Words(text, chosen), chosen)
