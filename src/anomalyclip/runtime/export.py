"""`anomalyclip export`: model -> graph -> file -> verified against torch -> a folder with its sidecar, or nothing."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.encoders.formats import OPSET, ExportFormat, FormatName, Precision, export_format, require
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.names import printable
from anomalyclip.model import AnomalyCLIP
from anomalyclip.runtime.graph_io import OUTPUTS, Pixels, describe_input
from anomalyclip.runtime.sidecar import SIDECAR, Artefact, find_artefact, record_files, write_sidecar
from anomalyclip.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomalyclip.runtime.graph import DetectorGraph

    Images = Sequence[NDArray[np.uint8]]

_PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime", "openvino", "nncf", "numpy", "pillow")
_TIMES_WEIGHTS = 3  # room on the disk: the file, and what the exporter writes on the way


@dataclass(frozen=True)
class ExportOptions:
    """What to make.

    Attributes:
        format, precision: see :data:`anomalyclip.encoders.formats.FORMATS`.
        pixels: what the graph takes.
        calibration: a folder of typical images for int8; None renders some.
        calibration_images: how many.
        verification_images: rendered ones on which the export is compared with torch.
        profile: a calibration profile of the model to put into the sidecar.
    """

    format: FormatName = "onnx"
    precision: Precision = "fp32"
    pixels: Pixels = "uint8"
    calibration: Path | None = None
    calibration_images: int = 32
    verification_images: int = 4
    profile: str | Path | None = None

    @property
    def spec(self) -> ExportFormat:
        """The format's row of the table; ConfigError where it lacks the precision."""
        return export_format(self.format, self.precision)


def check_options(options: ExportOptions) -> None:
    """Everything that can be refused before a model is loaded; raises ConfigError."""
    require(*options.spec.makers, *(("nncf",) if options.precision == "int8" else ()))
    if options.precision == "int8" and options.pixels != "uint8":
        raise ConfigError("int8 graphs take uint8 images; leave --input out")
    if options.precision != "int8" and options.calibration is not None:
        raise ConfigError(f"--calibration is for --precision int8, not for {options.precision}")
    if options.calibration_images < 1 or options.verification_images < 1:
        raise ConfigError("at least one image is needed to calibrate and one to verify")


def export_model(
    model: AnomalyCLIP,
    output: Path,
    options: ExportOptions,
    *,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Artefact:
    """Write an artefact folder and return its sidecar. `model` must be on the CPU in float32.

    tell: gets a line per step, and warnings about differences beyond what is expected of the precision.

    Raises:
        ConfigError: options that contradict each other, a package that is missing, a profile of another model, or an
            export whose results are wrong. OutputError: the folder exists, or cannot be written.
    """
    from anomalyclip.runtime.pictures import rendered_images
    from anomalyclip.runtime.verify import score_with_torch

    check_options(options)
    profile = _profile(options, model)
    with _new_folder(output, overwrite) as folder:
        tell("scoring images with torch")
        images = list(rendered_images(model.image_size, options.verification_images))
        reference = score_with_torch(model, images)
        quantisation = _write(model, folder, options, tell)
        artefact = Artefact(
            format=options.format,
            precision=options.precision,
            image_size=model.image_size,
            pixels=options.pixels,
            input=describe_input(options.pixels, model.image_size),
            outputs=OUTPUTS,
            opset=OPSET if options.format == "onnx" else None,
            files=record_files(folder),
            provenance=model.provenance(),
            made_with=package_versions(),
            quantisation=quantisation,
            verification=_verify(folder, options, images, reference, tell),
            profile=profile,
        )
        write_sidecar(folder, artefact)
    return artefact


def package_versions() -> dict[str, str]:
    """Versions of what makes and runs exports, as far as it is installed."""
    found = {"anomalyclip": __version__}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _profile(options: ExportOptions, model: AnomalyCLIP) -> dict[str, Any] | None:
    if options.profile is None:
        return None
    from anomalyclip.calibration import read_profile

    profile = read_profile(options.profile)
    profile.check_model(model.provenance())
    return profile.model_dump(mode="json")


def _write(
    model: AnomalyCLIP, folder: Path, options: ExportOptions, tell: Callable[[str], None]
) -> dict[str, Any] | None:
    """Write the graph's files; what the sidecar says about quantisation."""
    from anomalyclip.runtime import convert
    from anomalyclip.runtime.graph import DetectorGraph

    # OpenVINO's fp16 is a way to store weights: its CPU plug-in computes in float32 whatever they are kept in.
    half = options.precision == "fp16" and options.format != "openvino"
    graph = DetectorGraph(model, options.pixels, half=half).eval()
    _check_room(folder, convert.weight_bytes(graph))
    path = folder / options.spec.file
    tell(f"converting to {options.format}")
    if options.format == "torchscript":
        convert.write_torchscript(graph, path)
    elif options.format == "torch-export":
        convert.write_torch_export(graph, path)
    elif options.format == "onnx":
        convert.write_onnx(graph, path)
        return _quantise_onnx(path, options, graph.side, tell) if options.precision == "int8" else None
    else:
        return _write_openvino(graph, path, options, tell)
    return None


def _write_openvino(
    graph: DetectorGraph, path: Path, options: ExportOptions, tell: Callable[[str], None]
) -> dict[str, Any] | None:
    from anomalyclip.runtime import convert
    from anomalyclip.runtime.quantise import quantise_openvino

    model, quantisation = convert.openvino_model(graph), None
    if options.precision == "int8":
        images, quantisation = _calibration(options, graph.side, tell)
        model = quantise_openvino(model, images)
    convert.write_openvino(model, path, half=options.precision == "fp16")
    return quantisation


def _quantise_onnx(path: Path, options: ExportOptions, side: int, tell: Callable[[str], None]) -> dict[str, Any] | None:
    import onnx

    from anomalyclip.runtime.quantise import quantise_onnx

    images, quantisation = _calibration(options, side, tell)
    model = quantise_onnx(onnx.load(str(path)), images)
    for left in path.parent.iterdir():
        left.unlink()
    onnx.save(model, str(path))
    return quantisation


def _calibration(options: ExportOptions, side: int, tell: Callable[[str], None]) -> tuple[Images, dict[str, Any]]:
    """The images, and what the sidecar says of them."""
    from anomalyclip.runtime.pictures import folder_images, rendered_images
    from anomalyclip.runtime.quantise import KEPT

    count = options.calibration_images
    images: Images
    if options.calibration is not None:
        images, source = folder_images(options.calibration, side, count), str(options.calibration)
    else:  # none of those it is verified with
        images, source = list(rendered_images(side, count, skip=options.verification_images)), "rendered"
    tell(f"quantising with {len(images)} images ({source})")
    return images, {"by": "nncf", "images": len(images), "source": source, "kept_in_float": list(KEPT)}


def _verify(folder: Path, options: ExportOptions, images: Images, reference: Any, tell: Callable[[str], None]) -> Any:
    """Differences against torch; warns through `tell`, raises ConfigError where the export is wrong."""
    import torch

    from anomalyclip.data.transforms import normalise
    from anomalyclip.runtime.sessions import open_session
    from anomalyclip.runtime.verify import EXPECTED, REFUSED, beyond, compare, score_with_session

    tell("verifying against torch")
    run, _ = open_session(options.format, folder, device="cpu")
    given: Any = images
    if options.pixels == "normalised":
        given = [normalise(torch.from_numpy(image)).numpy() for image in images]
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


def _check_room(folder: Path, weights: int) -> None:
    free, needed = shutil.disk_usage(folder).free, _TIMES_WEIGHTS * weights
    if free < needed:
        raise OutputError(
            f"cannot write {printable(folder.parent)}: an export needs about {needed / 1e6:,.0f} MB there, "
            f"{free / 1e6:,.0f} MB are free; free some space or choose another disk"
        )


@contextlib.contextmanager
def _new_folder(output: Path, overwrite: bool) -> Iterator[Path]:
    """A folder to fill beside `output`, which takes its place when all went well and vanishes otherwise."""
    check_output(output, overwrite)
    target = output.absolute()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if target.exists():
            target.rename(old)
        temporary.rename(target)
    except OSError as error:
        raise output_error(output, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def check_output(output: Path, overwrite: bool) -> None:
    """OutputError where `output` is taken: by a file, by other files, or by an export that may not be replaced."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not output.is_dir() or find_artefact(output) is None:
        raise OutputError(f"cannot write {printable(output)}: it exists and is no export; choose a new folder")
    if not overwrite:
        raise OutputError(f"{printable(output)} holds an export already ({SIDECAR}); add --overwrite to replace it")
