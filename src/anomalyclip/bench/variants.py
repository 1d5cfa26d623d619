"""The ways to run a model, as one table, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from anomalyclip.bench.reference import Reference
from anomalyclip.detector import Detector
from anomalyclip.embedded import find_light
from anomalyclip.encoders.formats import FormatName, Precision, RuntimeName, installed
from anomalyclip.errors import ConfigError
from anomalyclip.native import why_not
from anomalyclip.opening import open_detector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Variant:
    """One way to run a model.

    Attributes:
        name: in tables and on the command line.
        label: for people.
        runtime: what runs it.
        precision: what it computes in.
        format: what has to be exported first; None takes the model as it is.
        embedded: only the embedded model runs so.
    """

    name: str
    label: str
    runtime: RuntimeName = "torch"
    precision: Precision = "fp32"
    format: FormatName | None = None
    embedded: bool = False

    @property
    def missing(self) -> str | None:
        """None if it can run here, else what to do about it."""
        if self.runtime == "native":
            return why_not("int8" if self.precision == "int8" else "fp32")
        return None if installed(self.runtime) else f"pip install 'anomalyclip[{self.runtime}]'"


VARIANTS: dict[str, Variant] = {
    each.name: each
    for each in (
        Variant("reference", "the authors' computation, torch"),
        Variant("torch", "torch fp32"),
        Variant("native", "our kernels, fp32", "native", embedded=True),
        Variant("onnx", "onnxruntime fp32", "onnx", format="onnx"),
        Variant("openvino", "OpenVINO fp32", "openvino", format="openvino"),
        Variant("onnx-int8", "onnxruntime int8", "onnx", "int8", "onnx"),
        Variant("openvino-int8", "OpenVINO int8", "openvino", "int8", "openvino"),
        Variant("native-int8", "our kernels, int8", "native", "int8"),
    )
}


def parse_variants(given: str | None, model: str = "pocket") -> tuple[Variant, ...]:
    """Names separated by commas, in the order given; None takes every variant of the model whose runtime is installed.

    Raises:
        ConfigError: an unknown name, one whose runtime is missing, or one that only the embedded model has.
    """
    embedded = find_light(model, None, {}) is not None
    if given is None:
        return tuple(each for each in VARIANTS.values() if each.missing is None and each.embedded <= embedded)
    names = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in names if name not in VARIANTS]
    if unknown or not names:
        raise ConfigError(f"unknown variants {unknown or given!r}; expected some of {','.join(VARIANTS)}")
    missing = [f"{name} cannot run here: {remedy}" for name in names if (remedy := VARIANTS[name].missing)]
    missing += [f"{name} runs pocket alone" for name in names if VARIANTS[name].embedded > embedded]
    if missing:
        raise ConfigError("; ".join(missing))
    return tuple(VARIANTS[name] for name in dict.fromkeys(names))


class Runner(Protocol):
    """What is timed and compared: a detector, or the reference, which is none."""

    def preprocess(self, image: Image) -> NDArray[Any]:
        """RGB image -> (3, S, S)."""

    def predict(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(B, 3, S, S) -> scores (B,), maps (B, S, S)."""


def open_variant(
    variant: Variant,
    model: Detector,
    exports: Path,
    *,
    threads: int,
    calibration: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Runner:
    """The detector; a missing export is made in ``exports`` and kept there for the next time.

    Raises:
        ConfigError, OutputError, InputError: see :func:`anomalyclip.export.making.export_model`.
    """
    if variant.embedded:
        size = model.settings.image_size
        return open_detector(model.name, runtime="native", precision="fp32", threads=threads, image_size=size)
    if variant.runtime == "native":
        from anomalyclip.bench.ceiling import tower_of
        from anomalyclip.encoders.native import NativeEncoder

        encoder = NativeEncoder(tower_of(model), threads, name=model.name, weights_sha256=model.weights_sha256)
        return Detector(encoder, model.judge, model.settings)
    if variant.format is None:
        return Reference(model) if variant.name == "reference" else model
    folder = artefact(variant, model, exports, calibration=calibration, tell=tell)
    return open_detector(folder, device="cpu", threads=threads)


def artefact(
    variant: Variant,
    model: Detector,
    exports: Path,
    *,
    calibration: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Folder of the variant's export, made where there is none of this model, settings and recipe."""
    from anomalyclip.encoders.exported import find_artefact
    from anomalyclip.encoders.sidecar import read_artefact
    from anomalyclip.export.conversions import RECIPE
    from anomalyclip.export.making import ExportOptions, export_model

    if variant.format is None:
        raise ConfigError(f"{variant.name} runs without an export")
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in model.name)
    folder = exports / f"{name}-{model.settings.image_size}-{variant.name}-{RECIPE}"
    if find_artefact(folder) is not None and read_artefact(folder).provenance == model.provenance():
        return folder
    precise = variant.precision != "int8"
    options = ExportOptions(
        format=variant.format, precision=variant.precision, calibration=None if precise else calibration
    )
    exports.mkdir(parents=True, exist_ok=True)
    export_model(model, folder, options, overwrite=True, tell=lambda line: tell(f"{variant.name}: {line}"))
    return folder
