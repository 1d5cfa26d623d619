"""`anomalyclip export`: one graph with the prompts built in, for programs with or without this package."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalyclip.cli._checks import check_ranges, parse_layers
from anomalyclip.cli._console import note

if TYPE_CHECKING:
    from anomalyclip.runtime import Artefact

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_MODEL, _INT8 = "Model", "Int8"


class Format(str, Enum):
    """Kinds of files."""

    onnx = "onnx"
    openvino = "openvino"
    torchscript = "torchscript"
    torch_export = "torch-export"


class Precision(str, Enum):
    """What the graph computes in."""

    fp32 = "fp32"
    fp16 = "fp16"
    int8 = "int8"


class Input(str, Enum):
    """What the graph takes."""

    uint8 = "uint8"
    normalised = "normalised"


@app.command(epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 130 interrupted.")
def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A name of `anomalyclip models list`, a weights file, a run folder."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="A new folder for the files and anomalyclip.json."),
    ],
    fmt: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.onnx,
    precision: Annotated[
        Precision, typer.Option(help="int8: onnx and openvino only. fp16 of openvino: weights only.")
    ] = Precision.fp32,
    pixels: Annotated[
        Input, typer.Option("--input", help="uint8: RGB (B, S, S, 3). normalised: float32 (B, 3, S, S).")
    ] = Input.uint8,
    profile: Annotated[
        str | None,
        typer.Option(help="A profile of `anomalyclip calibrate` to put into anomalyclip.json.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in DIR.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors and warnings only.")] = False,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Typical images to quantise with (default: rendered ones).",
            rich_help_panel=_INT8,
            show_default=False,
        ),
    ] = None,
    calibration_images: Annotated[int, typer.Option(help="How many of them.", rich_help_panel=_INT8)] = 32,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="A prompt file or name; default: the model's own.", rich_help_panel=_MODEL, show_default=False
        ),
    ] = None,
    class_name: Annotated[
        str, typer.Option(help="Fills hand-written prompts such as `--prompts clip`.", rich_help_panel=_MODEL)
    ] = "object",
    layers: Annotated[
        str | None,
        typer.Option(help="Blocks that make the map, such as 6,12,18,24.", rich_help_panel=_MODEL, show_default=False),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side in pixels of the graph's input.", rich_help_panel=_MODEL, show_default=False),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(
            help="Smoothing of the map in pixels of --image-size.", rich_help_panel=_MODEL, show_default=False
        ),
    ] = None,
    map_weight: Annotated[
        float | None,
        typer.Option(
            help="Share of the map's peak in the image score, 0 to 1.", rich_help_panel=_MODEL, show_default=False
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_MODEL)] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads (default: all).", show_default=False)] = None,
) -> None:
    """Write a model as one graph: an image in, its score and anomaly map out.

    The text side is computed once and built in. The export is compared with torch on rendered images before it is
    kept; one that is wrong is not written.
    """
    from anomalyclip.runtime.export import ExportOptions, check_options, check_output, export_model

    values = {"--image-size": image_size, "--sigma": sigma, "--map-weight": map_weight, "--threads": threads}
    check_ranges({**values, "--calibration-images": calibration_images})
    options = ExportOptions(
        format=fmt.value,
        precision=precision.value,
        pixels=pixels.value,
        calibration=calibration,
        calibration_images=calibration_images,
        profile=profile,
    )
    check_options(options)
    check_output(output, overwrite)
    from anomalyclip.model import load

    loaded = load(
        model,
        prompts=prompts,
        device="cpu",
        layers=parse_layers(layers),
        image_size=image_size,
        sigma=sigma,
        map_weight=map_weight,
        threads=threads,
        offline=offline,
        class_name=class_name,
    )
    artefact = export_model(loaded, output, options, overwrite=overwrite, tell=_teller(quiet))
    if not quiet:
        _report(artefact, output)


def _teller(quiet: bool) -> Callable[[str], None]:
    def tell(line: str) -> None:
        warning = line.startswith("warning")
        if warning or not quiet:
            note(line, style="yellow" if warning else "")

    return tell


def _report(artefact: Artefact, output: Path) -> None:
    from anomalyclip.io.names import printable

    total = sum(record.bytes for record in artefact.files.values())
    note(f"{printable(output)}: {', '.join(artefact.files)} ({total / 1e6:,.1f} MB), anomalyclip.json")
    found = artefact.verification
    if found is not None:
        note(
            f"against torch fp32 on {found.images} images: score differs by at most {found.score:.2g}, a pixel by "
            f"{found.map:.2g} (mean {found.map_mean:.2g}), maps correlate by {found.correlation:.6f}"
        )
