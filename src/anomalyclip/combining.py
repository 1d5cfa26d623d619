"""What cannot be combined, in one table that every verb asks: judge x encoder x geometry, each row with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError
from anomalyclip.settings.scoring import NAMES as SCORING

if TYPE_CHECKING:
    from anomalyclip.encoders.base import Encoder, EncoderFacts
    from anomalyclip.encoders.sidecar import Artefact
    from anomalyclip.geometry import Geometry
    from anomalyclip.judges.base import Judge
    from anomalyclip.judges.memory.source import Source
    from anomalyclip.settings import ModelSettings


@dataclass(frozen=True)
class Combination:
    """What somebody wants to combine, as far as it is known; None and "" are not known, or not asked for.

    Attributes:
        runtime, precision, device, compiled: how the encoder is to run; "auto" counts as not asked for.
        export, export_name: the graph that is to run, and what it is called.
        method: of the judge, where its prompts say so.
        settings: the settings that were chosen by hand, by name.
        aligned, augment: of a memory: the radius of a same-place search; turned copies.
        resizes, name: of the encoder. whole_batch: of the judge. geometry: of the images.
    """

    runtime: str = "auto"
    precision: str | None = None
    device: str = "auto"
    compiled: bool = False
    export: Artefact | None = None
    export_name: str = ""
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    resizes: bool = True
    whole_batch: bool = False
    geometry: Geometry | None = None
    aligned: int | None = None
    augment: bool = False


@dataclass(frozen=True)
class Row:
    """One thing that cannot be: when it is asked for, and what to say then."""

    when: Callable[[Combination], Any]
    say: Callable[[Combination], str]


#: Settings of an export that are built into its graph.
BUILT_IN = ("prompts", *SCORING)
#: Settings of the judges that have no words of their own for blocks, paths and peaks.
_FEW = ("image_size", "sigma", "tau", "post_norm_class")
#: method -> settings that its judge does not have
LACKING = dict.fromkeys(("winclip", "vand"), tuple(name for name in SCORING if name not in _FEW))

TABLE: tuple[Row, ...] = (
    Row(
        lambda c: c.export and (set(BUILT_IN) & set(c.settings)),
        lambda c: (
            f"{', '.join(name for name in BUILT_IN if name in c.settings)} of the export {c.export_name} cannot be "
            "changed: export the model again with them"
        ),
    ),
    Row(
        lambda c: c.export and c.precision not in (None, c.export.precision),
        lambda c: f"{c.export_name} was exported in {_export(c).precision}, not in {c.precision}; leave it out",
    ),
    Row(
        lambda c: c.export and c.runtime == "auto" and _format(c).trusted_only,
        lambda c: (
            f"{c.export_name} is a {_format(c).name} file: reading one can run code that is in it. If you made it or "
            "trust who did, say so with --runtime torch; else use an ONNX or OpenVINO export"
        ),
    ),
    Row(
        lambda c: c.export and c.runtime not in ("auto", _format(c).runtime),
        lambda c: f"{c.export_name} runs on {_format(c).runtime}, not on {c.runtime}; leave --runtime out",
    ),
    Row(
        lambda c: c.runtime == "native" and c.precision not in (None, "int8"),
        lambda c: (
            f"the native runtime computes in int8, not in {c.precision} (in fp32 it runs pocket alone, with its own "
            "prompts, layers and paths); leave --precision out, or use --runtime torch"
        ),
    ),
    Row(
        lambda c: c.runtime == "native" and c.device.partition(":")[0] not in ("auto", "cpu"),
        lambda c: f"the native runtime runs on the CPU, not on {c.device!r}; leave --device out, or use torch",
    ),
    Row(
        lambda c: c.compiled and c.runtime not in ("auto", "torch"),
        lambda c: f"only the torch runtime is compiled by torch; leave compile out for {c.runtime}",
    ),
    Row(
        lambda c: [name for name in LACKING.get(c.method, ()) if name in c.settings],
        lambda c: _lacking(c),
    ),
    Row(
        lambda c: c.method == "winclip" and c.runtime in ("native", "openvino", "onnx"),
        lambda c: (
            f"winclip runs the tower on hundreds of windows of a picture, each with few patches, and graphs of "
            f"{c.runtime} hold whole pictures: use --runtime torch (fp32, or fp16 and bf16 on a GPU)"
        ),
    ),
    Row(
        lambda c: c.geometry is not None and c.geometry.resizes and not c.resizes,
        lambda c: (
            f"{c.name or 'this export'} takes one input size only, so neither other proportions nor other scales of "
            "the whole image: use tiles (--tile, with --scales if wanted), or the torch runtime"
        ),
    ),
    Row(
        lambda c: c.whole_batch and c.geometry is not None and c.geometry.several,
        lambda c: "a judge of whole batches compares pictures, not several views of one; leave --tile and --scales out",
    ),
    Row(
        lambda c: c.aligned is not None and c.geometry is not None and not c.geometry.plain,
        lambda c: "--aligned compares the same places of whole pictures; leave tiles, scales and proportions out",
    ),
    Row(
        lambda c: c.aligned is not None and c.augment,
        lambda c: "--augment turns good pictures and --aligned compares their places: give only one of them",
    ),
)


def check(combination: Combination) -> None:
    """Raises :class:`ConfigError` with the first row of the table that the combination is."""
    for row in TABLE:
        if row.when(combination):
            raise ConfigError(row.say(combination))


def memory_source(encoder: Encoder, judge: Judge, recipe: str, aligned: int | None) -> tuple[Source, str | None]:
    """What a memory of this recipe keeps with an encoder, and why the two cannot be combined; None where they can."""
    from anomalyclip.judges.memory.source import source_for

    source = source_for(encoder.facts, recipe, aligned)
    if judge.whole_batch:
        return source, "its judge looks at whole batches; a memory judges pictures one by one"
    try:
        return source, encoder.offers(judge.needs(encoder) | source.request)
    except ConfigError as error:
        return source, str(error)


def check_memory_options(geometry: Geometry, *, aligned: int | None, augment: bool) -> None:
    """:func:`check` for what a memory is asked to compare, and how pictures are laid out."""
    check(Combination(geometry=geometry, aligned=aligned, augment=augment))


def check_geometry(encoder: Encoder, judge: Judge, geometry: Geometry) -> None:
    """:func:`check` for a detector's two parts and a geometry."""
    facts = encoder.facts
    name = facts.name if encoder.runtime == "torch" else f"{facts.name} on {encoder.runtime}"
    check(Combination(name=name, resizes=facts.resizes, whole_batch=judge.whole_batch, geometry=geometry))


def _export(combination: Combination) -> Artefact:
    assert combination.export is not None
    return combination.export


def _format(combination: Combination) -> Any:
    from anomalyclip.encoders.formats import FORMATS

    return FORMATS[_export(combination).format]


def _lacking(combination: Combination) -> str:
    name = next(name for name in LACKING[combination.method] if name in combination.settings)
    return f"{combination.method} has no {name} to choose, got {combination.settings[name]!r}; leave it out"


def doubts_of(facts: EncoderFacts, settings: ModelSettings) -> list[str]:
    """What can be combined, and is better not: one sentence each, see :meth:`anomalyclip.detector.Detector.doubts`."""
    found, patch, side = [], facts.patch_size, settings.image_size
    if rest := side % patch:
        found.append(
            f"image_size {side} is no multiple of the patch ({patch} pixels): the last {rest} rows and columns are "
            f"not seen, and maps are stretched over them; {side - rest} and {side - rest + patch} are multiples."
        )
    return found
