"""`anomalyclip export`: model -> graph -> file -> verified against torch -> a folder with its sidecar, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.encoders.formats import OPSET, ExportFormat, FormatName, Precision, export_format
from anomalyclip.encoders.graph_io import Pixels, describe_input, outputs_of
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.sidecar import (
    Artefact,
    FeatureRecord,
    record_files,
    write_sidecar,
)
from anomalyclip.errors import ConfigError
from anomalyclip.export.folder import check_room, new_folder
from anomalyclip.extras import require
from anomalyclip.hub.registry import POCKET, POCKET_VERSION
from anomalyclip.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomalyclip.detector import Detector
    from anomalyclip.export.graph import DetectorGraph

    Images = Sequence[NDArray[np.uint8]]

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino", "nncf", "numpy", "pillow")
VERDICT_ALONE = FeatureRequest(verdict=True)
MEMORY = "memory.safetensors"
"""The file of a profile's memory in an export."""


@dataclass(frozen=True)
class ExportOptions:
    """What to make.

    Attributes:
        format, precision: see :data:`anomalyclip.encoders.formats.FORMATS`.
        pixels: what the graph takes.
        calibration: a folder of typical images for int8; None renders some.
        calibration_images: how many.
        verification_images: rendered ones on which the export is compared with torch.
        profile: a calibration profile of this very model to put into the sidecar, JSON-ready.
        memory: the bytes of its memory, which becomes :data:`MEMORY` beside the graph; `gives` must hold its features.
        gives: what the graph gives; scores and maps alone, unless features are asked for as well or instead.
    """

    format: FormatName = "onnx"
    precision: Precision = "fp32"
    pixels: Pixels = "uint8"
    calibration: Path | None = None
    calibration_images: int = 32
    verification_images: int = 4
    profile: Mapping[str, Any] | None = None
    memory: bytes | None = None
    gives: FeatureRequest = VERDICT_ALONE

    @property
    def spec(self) -> ExportFormat:
        """The format's row of the table; ConfigError where it lacks the precision."""
        return export_format(self.format, self.precision)


def with_features(model: Detector, kinds: Sequence[str]) -> FeatureRequest:
    """Scores and maps, and the named kinds of features beside them, of the layers and in the way the model is set to.

    Raises ConfigError where the encoder has none of a kind.
    """
    settings, wanted = model.settings, FeatureRequest(verdict=True)
    if "image" in kinds:
        wanted |= FeatureRequest(image=True, post_norm_class=model.request.post_norm_class, glance=model.request.glance)
    layers = tuple(settings.layers)
    if "patches" in kinds:
        wanted |= FeatureRequest(patches=layers, dpam=settings.dpam, dpam_blocks=settings.dpam_blocks)
    if "tokens" in kinds:
        wanted |= FeatureRequest(tokens=layers)
    if "stages" in kinds:
        if not (stages := tuple(model.encoder.facts.stages)):
            raise ConfigError(f"--features stages: {model.name} has no convolutional stem; leave it out")
        wanted |= FeatureRequest(stages=stages)
    return wanted


def check_options(options: ExportOptions) -> None:
    """Everything that can be refused before a model is loaded; raises ConfigError."""
    require("torch", *options.spec.makers, *(("nncf",) if options.precision == "int8" else ()))
    if options.precision == "int8" and options.pixels != "uint8":
        raise ConfigError("int8 graphs take uint8 images; leave --input out")
    if options.precision != "int8" and options.calibration is not None:
        raise ConfigError(f"--calibration is for --precision int8, not for {options.precision}")
    if options.memory is not None and options.precision != "fp32":
        raise ConfigError(
            f"a memory holds features as fp32 computes them, and {options.precision} rounds them otherwise: leave "
            "--precision out, or export without --profile and calibrate with the export"
        )
    if options.calibration_images < 1 or options.verification_images < 1:
        raise ConfigError("at least one image is needed to calibrate and one to verify")


def export_model(
    model: Detector,
    output: Path,
    options: ExportOptions,
    *,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Artefact:
    """Write an artefact folder and return its sidecar. `model` must be on the CPU in float32.

    tell: gets a line per step, and warnings about differences beyond what is expected of the precision.

    Raises:
        ConfigError: options that contradict each other, a package that is missing, or an export whose results are
            wrong. OutputError: the folder exists, or cannot be written.
    """
    from anomalyclip.export.pictures import rendered_images
    from anomalyclip.export.verify import score_with_torch

    check_options(options)
    graph = _graph(model, options)
    with new_folder(output, overwrite) as folder:
        tell("scoring images with torch")
        images = list(rendered_images(model.image_size, options.verification_images))
        reference = score_with_torch(model, images) if options.gives.verdict else None
        quantisation = _write(graph, folder, options, tell)
        if options.memory is not None:
            (folder / MEMORY).write_bytes(options.memory)
        artefact = Artefact(
            format=options.format,
            precision=options.precision,
            image_size=model.image_size,
            pixels=options.pixels,
            input=describe_input(options.pixels, model.image_size, model.encoder.facts.preprocessing),
            outputs=outputs_of(options.gives),
            opset=OPSET if options.format == "onnx" else None,
            files=record_files(folder),
            provenance=model.provenance(),
            made_with=package_versions() | ({POCKET: POCKET_VERSION} if model.name == POCKET else {}),
            quantisation=quantisation,
            verification=None
            if reference is None
            else _verify(folder, options, images, reference, model.encoder.facts.preprocessing, tell),
            profile=None if options.profile is None else dict(options.profile),
            features=_features(model, options),
        )
        write_sidecar(folder, artefact)
        if artefact.features is not None:
            _verify_features(model, folder, images)
    return artefact


def package_versions() -> dict[str, str]:
    """Versions of what makes and runs exports, as far as it is installed."""
    found = {"anomalyclip": __version__}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _graph(model: Detector, options: ExportOptions) -> DetectorGraph:
    from anomalyclip.export.graph import DetectorGraph

    # OpenVINO's fp16 is a way to store weights: its CPU plug-in computes in float32 whatever they are kept in.
    half = options.precision == "fp16" and options.format != "openvino"
    return DetectorGraph(model, options.pixels, gives=options.gives, half=half).eval()


def _features(model: Detector, options: ExportOptions) -> FeatureRecord | None:
    """What the sidecar says of features; None where the graph gives none."""
    gives = replace(options.gives, verdict=False)
    if not gives.kinds:
        return None
    told = asdict(model.encoder.facts)
    facts = {name: told[name] for name in ("patch_size", "layers", "width", "embed_dim", "stages")}
    return FeatureRecord(request={name: value for name, value in asdict(gives).items() if value}, facts=facts)


def _write(
    graph: DetectorGraph, folder: Path, options: ExportOptions, tell: Callable[[str], None]
) -> dict[str, Any] | None:
    """Write the graph's files; what the sidecar says about quantisation."""
    from anomalyclip.export import convert
    from anomalyclip.export.quantise import quantise_openvino

    check_room(folder, convert.weight_bytes(graph))
    path = folder / options.spec.file
    # Read first: a folder without pictures must not be told of after a minute's conversion.
    calibration = _calibration(options, graph.side) if options.precision == "int8" else None
    tell(f"converting to {options.format}")
    if options.format == "torchscript":
        convert.write_torchscript(graph, path)
    elif options.format == "torch-export":
        convert.write_torch_export(graph, path)
    elif options.format == "onnx":
        convert.write_onnx(graph, path)
        if calibration is not None:
            tell(f"quantising with {calibration.words}")
            _quantise_onnx(path, calibration.images)
    else:
        model = convert.openvino_model(graph)
        if calibration is not None:
            tell(f"quantising with {calibration.words}")
            model = quantise_openvino(model, calibration.images)
        convert.write_openvino(model, path, half=options.precision == "fp16")
    return None if calibration is None else calibration.record


def _quantise_onnx(path: Path, images: Images) -> None:
    import onnx

    from anomalyclip.export.quantise import quantise_onnx

    model = quantise_onnx(onnx.load(str(path)), images)
    for left in path.parent.iterdir():
        left.unlink()
    onnx.save(model, str(path))


class _Calibration(NamedTuple):
    """The images of an int8 export, in words, and what the sidecar says of them."""

    images: Images
    words: str
    record: dict[str, Any]


def _calibration(options: ExportOptions, side: int) -> _Calibration:
    from anomalyclip.export.pictures import folder_images, rendered_images
    from anomalyclip.export.quantise import KEPT

    count = options.calibration_images
    images: Images
    if options.calibration is not None:
        images, source = folder_images(options.calibration, side, count), str(options.calibration)
    else:  # none of those it is verified with
        images, source = list(rendered_images(side, count, skip=options.verification_images)), "rendered"
    record = {"by": "nncf", "images": len(images), "source": source, "kept_in_float": list(KEPT)}
    return _Calibration(images, f"{len(images)} images ({source})", record)


def _verify(
    folder: Path,
    options: ExportOptions,
    images: Images,
    reference: Any,
    how: Preprocessing,
    tell: Callable[[str], None],
) -> Any:
    """Differences against torch; warns through `tell`, raises ConfigError where the export is wrong."""
    from anomalyclip.data.transforms import normalise
    from anomalyclip.encoders.sessions import open_session
    from anomalyclip.export.verify import EXPECTED, REFUSED, beyond, compare, score_with_session

    tell("verifying against torch")
    run, _ = open_session(options.format, folder, tuple(outputs_of(options.gives)), device="cpu")
    given: Any = images
    if options.pixels == "normalised":
        given = [normalise(image, how) for image in images]
    differences = compare(reference, score_with_session(run, given))
    if wrong := beyond(differences, REFUSED[options.precision]):
        remedy = "give typical images with --calibration" if options.precision == "int8" else "please report this"
        raise ConfigError(
            f"the {options.precision} {options.format} export does not compute what torch computes: {'; '.join(wrong)}."
            f" Nothing was written; {remedy}"
        )
    for problem in beyond(differences, EXPECTED[options.precision]):
        tell(f"warning: {problem}")
    return differences


def _verify_features(model: Detector, folder: Path, images: Images) -> None:
    """Raises ConfigError where the features of the finished artefact are further from torch's than its bound."""
    from PIL import Image

    from anomalyclip.encoders.graph import GraphEncoder
    from anomalyclip.export.verify import feature_distance

    encoder = GraphEncoder(folder, device="cpu")
    wanted = replace(encoder.given, verdict=False)
    for pixels in images:
        image = Image.fromarray(pixels)
        expected = model.features(model.preprocess(image)[None], wanted)
        found = encoder.encode(encoder.preprocess(image)[None], wanted)
        if (distance := feature_distance(expected, found)) > encoder.facts.bound:
            raise ConfigError(
                f"a feature of this export is {distance:.2g} from torch's (of its length; at most "
                f"{encoder.facts.bound:g} is expected). Nothing was written; please report this"
            )
