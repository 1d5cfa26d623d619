"""`anomalyclip detect`: the options and their meaning; `_detect_job` runs them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.cli._checks import check_device, check_output, check_ranges, open_profile, parse_layers
from anomalyclip.cli._detect_job import DetectJob
from anomalyclip.cli._geometry_options import (
    IgnoreMask,
    KeepAspect,
    Overlap,
    Roi,
    Scales,
    Tile,
    open_areas,
    parse_geometry,
)
from anomalyclip.cli._ray_options import Address, BlockSize, Engine, EngineOption, check_engine, ray_job
from anomalyclip.cli._runtime_options import PrecisionOption, Runtime, RuntimeOption, chosen
from anomalyclip.errors import ConfigError


class Maps(str, Enum):
    """Formats of raw anomaly maps."""

    tiff = "tiff"
    npz = "npz"
    none = "none"


class Findings(str, Enum):
    """Formats of regions with their outlines."""

    coco = "coco"
    geojson = "geojson"


class Format(str, Enum):
    """What is printed on stdout."""

    table = "table"
    jsonl = "jsonl"
    csv = "csv"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_MODEL, _FILES, _SPEED = "Model", "Output", "Speed and limits"


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some failed, 130 interrupted."
)
def detect(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Images, folders or globs.", show_default=False)],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into subfolders of folders.")] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Call an image anomalous from this score on (0 to 1).", show_default=False)
    ] = None,
    pixel_threshold: Annotated[
        float | None,
        typer.Option(
            help="Report regions where the map reaches this value (0 to 1); default: --threshold.", show_default=False
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:NAME]",
            help="Take both thresholds from `anomalyclip calibrate`, add p-values, warn of drift.",
            show_default=False,
        ),
    ] = None,
    min_area: Annotated[int, typer.Option(help="Leave out regions with fewer pixels.")] = 1,
    model: Annotated[
        str,
        typer.Option(help="A name of `anomalyclip models list`, a weights file, an export.", rich_help_panel=_MODEL),
    ] = "pocket",
    prompts: Annotated[
        str | None,
        typer.Option(
            help="A prompt file or name; default: the model's own.", rich_help_panel=_MODEL, show_default=False
        ),
    ] = None,
    class_name: Annotated[
        str, typer.Option(help="Fills hand-written prompts such as `--prompts clip`.", rich_help_panel=_MODEL)
    ] = "object",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=_MODEL)] = "auto",
    layers: Annotated[
        str | None,
        typer.Option(help="Blocks that make the map, such as 6,12,18,24.", rich_help_panel=_MODEL, show_default=False),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side in pixels that images are resized to.", rich_help_panel=_MODEL, show_default=False),
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
            help="Share of the map's peak in the image score, 0 to 1 (the paper's score: 0).",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_MODEL)] = False,
    tile: Tile = None,
    overlap: Overlap = None,
    scales: Scales = None,
    keep_aspect: KeepAspect = False,
    roi: Roi = None,
    ignore_mask: IgnoreMask = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel=_FILES,
            show_default=False,
            help="Write results.csv, results.jsonl, report.html, overlays/ and maps/ there.",
        ),
    ] = None,
    overlay: Annotated[
        bool | None,
        typer.Option(
            "--overlay/--no-overlay",
            help="Heat map over each image (default: yes).",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    maps: Annotated[
        Maps | None,
        typer.Option(
            help="Raw float32 maps at the image's size (default: tiff).", rich_help_panel=_FILES, show_default=False
        ),
    ] = None,
    findings: Annotated[
        Findings | None,
        typer.Option(
            help="Regions with their outlines, for other tools (default: none).",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        bool | None,
        typer.Option(
            "--report/--no-report",
            help="The gallery report.html (default: yes).",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue an earlier run in DIR: skip what is done, retry what failed.",
            rich_help_panel=_FILES,
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace an earlier run in DIR; other files stay.", rich_help_panel=_FILES),
    ] = False,
    fmt: Annotated[
        Format,
        typer.Option(
            "--format",
            help="On stdout: a table (beyond 50 images the 20 highest scores), or every row.",
            rich_help_panel=_FILES,
        ),
    ] = Format.table,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, table or summary; errors only.", rich_help_panel=_FILES)
    ] = False,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Images per forward pass (default: 8 on a GPU, 1 on a CPU).",
            rich_help_panel=_SPEED,
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads that read images, and as many that write (default: 2); with --engine ray: workers, each with "
            "a model (default: as many as have room).",
            rich_help_panel=_SPEED,
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of the model (default: all).", rich_help_panel=_SPEED, show_default=False),
    ] = None,
    runtime: RuntimeOption = Runtime.auto,
    precision: PrecisionOption = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            help="Refuse larger images (default: 89 million pixels).", rich_help_panel=_SPEED, show_default=False
        ),
    ] = None,
    engine: EngineOption = Engine.local,
    address: Address = None,
    block_size: BlockSize = None,
) -> None:
    """Score images for anomalies: image score, heat map, regions and, with a threshold, a decision.

    A file that cannot be read gets a row with the reason, and the others go on.
    """
    check_ranges(
        {
            "--threshold": threshold,
            "--pixel-threshold": pixel_threshold,
            "--min-area": min_area,
            "--batch-size": batch_size,
            "--image-size": image_size,
            "--sigma": sigma,
            "--map-weight": map_weight,
            "--workers": workers,
            "--threads": threads,
            "--max-pixels": max_pixels,
            "--block-size": block_size,
        }
    )
    needing = {"--overlay": overlay, "--maps": maps and maps is not Maps.none, "--report": report}
    needing |= {"--findings": findings is not None}
    check_engine(engine, output, needing, {"--address": address, "--block-size": block_size})
    needing |= {"--resume": resume, "--overwrite": overwrite}
    check_output(output, resume and overwrite, [option for option, given in needing.items() if given])
    calibrated = open_profile(profile, {"--threshold": threshold, "--pixel-threshold": pixel_threshold})
    if calibrated is not None:
        threshold, pixel_threshold = calibrated.image_threshold, calibrated.pixel_threshold
    if findings is not None and threshold is None and pixel_threshold is None:
        raise ConfigError(
            "--findings needs to know where regions begin: add --pixel-threshold, --threshold or --profile"
        )
    job = DetectJob(
        inputs=inputs,
        recursive=recursive,
        threshold=threshold,
        pixel_threshold=threshold if pixel_threshold is None else pixel_threshold,
        profile=calibrated,
        min_area=min_area,
        loading={
            "model": model,
            "prompts": prompts,
            "class_name": class_name,
            "device": check_device(device),
            "layers": parse_layers(layers),
            "image_size": image_size,
            "sigma": sigma,
            "map_weight": map_weight,
            "threads": threads,
            **chosen(runtime, precision),
            "offline": offline,
        },
        geometry=parse_geometry(tile, overlap, scales, keep_aspect),
        areas=open_areas(roi, ignore_mask),
        output=output,
        mode="resume" if resume else "overwrite" if overwrite else "new",
        overlay=overlay is not False,
        maps=(maps or Maps.tiff).value,
        findings=findings.value if findings is not None else None,
        report=report is not False,
        fmt=fmt.value,
        quiet=quiet,
        batch_size=batch_size,
        workers=workers or 2,
        max_pixels=max_pixels,
    )
    if engine is Engine.ray:
        raise typer.Exit(ray_job(job, address, block_size, workers).run())
    raise typer.Exit(job.run())
