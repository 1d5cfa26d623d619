"""The embedded model without torch: whether a call can be answered by the graph beside the weights, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from anomalyclip.detector import Detector
from anomalyclip.encoders.embedded import Embedded, EmbeddedEncoder, find_embedded
from anomalyclip.errors import ConfigError
from anomalyclip.extras import missing, present
from anomalyclip.hub.registry import MODELS, PROMPTS
from anomalyclip.judges.heads import Heads
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.prompts.bounded import header_texts, read_bounded
from anomalyclip.prompts.heads import HeadsFile, load_heads
from anomalyclip.prompts.metadata import HEADS_KEY
from anomalyclip.settings import ModelSettings

#: settings that are built into the graph, as far as they are not the prompts' own
_BUILT_IN = ("layers", "dpam", "dpam_blocks", "post_norm_class")
_PREFIX = "heads:"


class Light(NamedTuple):
    """A graph that answers a call, and the heads that judge what it gives; None: the prompts that it knows do."""

    graph: Embedded
    heads: HeadsFile | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the graph, as the heads change them."""
        own = {} if self.heads is None else vars(self.heads.metadata.preset)
        return {**self.graph.settings, **{name: value for name, value in own.items() if value is not None}}


def find_light(model: str | Path, prompts: str | Path | None, settings: Mapping[str, Any]) -> Light | None:
    """What answers for a model that lies here, with these prompts and settings; None: nothing without torch does.

    Args:
        model: a known name, or the path of weights or of the folder that holds them.
        prompts: None is the model's own.
        settings: those that were chosen by hand.

    Raises:
        WeightsError: the graph, or a file that it was made from, was changed. PromptError: heads that are damaged.
    """
    from anomalyclip.hub import resolve_model

    name = str(model)
    entry = MODELS.get(name)
    if entry is not None and entry.embedded is None:
        return None
    if entry is not None:
        weights = Path(resolve_model(name, offline=True).weights)
    else:
        weights = Path(name).expanduser()
        weights = weights / "model.safetensors" if weights.is_dir() else weights
    found = find_embedded(weights) if weights.is_file() else None
    if found is None:
        return None
    spec = resolve_model(name, offline=True).default_prompts if prompts is None else prompts
    light = Light(found) if spec is None else _with_prompts(found, spec)
    if light is None:
        return None
    asked = {**light.settings, **settings}
    return light if all(_same(asked[key], found.settings[key]) for key in _BUILT_IN) else None


def _with_prompts(found: Embedded, prompts: str | Path) -> Light | None:
    """With the prompts whose embeddings are stored, or with heads that were learned on these weights."""
    where = str(prompts).removeprefix(_PREFIX)
    entry, path = PROMPTS.get(where), Path(where).expanduser()
    if entry is not None:
        from anomalyclip.hub import resolve_prompts

        if entry.embedded is None:
            return None
        path = resolve_prompts(entry.name, offline=True)
    if not path.is_file():
        return None
    if found.has_prompts(path):
        return None if str(prompts).startswith(_PREFIX) else Light(found)
    if HEADS_KEY not in header_texts(read_bounded(path)):
        return None
    heads = load_heads(path, own=entry is not None)
    return Light(found, heads) if heads.metadata.weights_sha256 == found.weights_sha256 else None


def _same(asked: Any, built_in: Any) -> bool:
    return list(asked) == list(built_in) if isinstance(built_in, (list, tuple)) else bool(asked == built_in)


def refuse_without_torch(what: str, check: Callable[[], object] = int) -> None:
    """Raises ConfigError that names the extra where torch is not installed.

    check: what is to be found fault with before, e.g. a misspelt name, which is not to be told as a missing package.
    """
    if not present("torch"):
        check()
        raise ConfigError(f"{missing('torch', what)} (without it pocket runs with its own prompts, and exports run)")


def open_light(
    found: Light,
    name: str,
    prompts: str,
    settings: Mapping[str, Any],
    runtime: str | None = None,
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
    told, graph = {**found.settings, **settings}, found.graph
    chosen = ModelSettings(**told | {"layers": tuple(told["layers"])})
    encoder = EmbeddedEncoder(graph, name=name, runtime=runtime, threads=threads, streams=streams)
    if found.heads is not None:
        return Detector(encoder, Heads(found.heads, chosen, prompts.removeprefix(_PREFIX)), chosen)
    text = TextEmbeddings(graph.text, prompts, graph.prompts_sha256, graph.method)
    return Detector(encoder, Words(text, chosen), chosen)
