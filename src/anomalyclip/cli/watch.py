"""`anomalyclip watch`: the options and their meaning; `_watch_job` runs them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.cli import _geometry_options as layout
from anomalyclip.cli import _model_options as common
from anomalyclip.cli._checks import check_device, check_ranges, open_profile, parse_layers
from anomalyclip.cli._runtime_options import PrecisionOption, Runtime, RuntimeOption, chosen
from anomalyclip.cli._watch_job import WatchJob
from anomalyclip.errors import ConfigError


class Format(str, Enum):
    """What is shown of every image."""

    lines = "lines"
    jsonl = "jsonl"
    csv = "csv"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_FILES, _TELLING, _LOOKING = "Output", "On an anomaly", "What to look at, and when"


@app.command(
    epilog="Exit codes: 0 ended by Ctrl-C or SIGTERM, or all done; 1 cannot write; 2 cannot use the call or its input; "
    "3 all done, some failed."
)
def watch(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="A folder, a video file, camera:0, or rtsp://... .", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel=_FILES,
            show_default=False,
            help="Results, evidence and the journal; give the same again to continue.",
        ),
    ],
    threshold: Annotated[
        float | None, typer.Option(help="Call an image anomalous from this score on (0 to 1).", show_default=False)
    ] = None,
    pixel_threshold: Annotated[
        float | None,
        typer.Option(
            help="Report regions where the map reaches this value (0 to 1); default: --threshold.", show_default=False
        ),
    ] = None,
    min_area: Annotated[int, typer.Option(help="Leave out regions with fewer pixels.")] = 1,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="FILE[:NAME]",
            help="Take both thresholds from `anomalyclip calibrate`, add p-values, warn of drift.",
            show_default=False,
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Subfolders too.", rich_help_panel=_LOOKING)
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="Score what is there and stop.", rich_help_panel=_LOOKING)
    ] = False,
    interval: Annotated[
        float, typer.Option(help="Seconds between two looks into a folder.", rich_help_panel=_LOOKING)
    ] = 1.0,
    settle: Annotated[
        float,
        typer.Option(
            help="Seconds without a change that make a file complete (0: files appear by renaming only).",
            rich_help_panel=_LOOKING,
        ),
    ] = 1.0,
    every: Annotated[
        int, typer.Option(help="Of a video or camera: every so many frames.", rich_help_panel=_LOOKING)
    ] = 1,
    fps: Annotated[
        float | None,
        typer.Option(
            help="Of a video or camera: so many frames per second at most.",
            rich_help_panel=_LOOKING,
            show_default=False,
        ),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="POST a JSON message there, until it is taken.",
            rich_help_panel=_TELLING,
            show_default=False,
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="LINE",
            help="Run this program (no shell); {path}, {score}, {evidence}, {id}, {time}, {source} are filled in.",
            rich_help_panel=_TELLING,
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds that one message or program may take.", rich_help_panel=_TELLING)
    ] = 10.0,
    keep: Annotated[int, typer.Option(help="Anomalies whose pictures are kept.", rich_help_panel=_TELLING)] = 1000,
    keep_mb: Annotated[
        float, typer.Option(help="Megabytes that these pictures may take together.", rich_help_panel=_TELLING)
    ] = 1000.0,
    fmt: Annotated[
        Format,
        typer.Option(
            "--format",
            help="A line per image on stderr, or rows on stdout.",
            rich_help_panel=_FILES,
        ),
    ] = Format.lines,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Nothing but troubles and rows.", rich_help_panel=_FILES)
    ] = False,
    model: common.Model = "pocket",
    prompts: common.Prompts = None,
    class_name: common.ClassName = "object",
    device: common.Device = "auto",
    layers: common.Layers = None,
    image_size: common.ImageSize = None,
    sigma: common.Sigma = None,
    map_weight: common.MapWeight = None,
    offline: common.Offline = False,
    tile: layout.Tile = None,
    overlap: layout.Overlap = None,
    scales: layout.Scales = None,
    keep_aspect: layout.KeepAspect = False,
    roi: layout.Roi = None,
    ignore_mask: layout.IgnoreMask = None,
    batch_size: common.BatchSize = None,
    workers: common.Workers = 2,
    threads: common.Threads = None,
    runtime: RuntimeOption = Runtime.auto,
    precision: PrecisionOption = None,
    max_pixels: common.MaxPixels = None,
) -> None:
    """Score new images of a folder, or frames of a video or camera, as they appear; tell of anomalies.

    Each image is scored once, through restarts and crashes, and every anomaly reported at least once: the journal in
    --output knows. Ctrl-C and SIGTERM finish the image under way.
    """
    check_ranges(
        {
            "--threshold": threshold,
            "--pixel-threshold": pixel_threshold,
            "--min-area": min_area,
            "--interval": interval,
            "--settle": settle,
            "--every": every,
            "--fps": fps,
            "--timeout": timeout,
            "--keep": keep,
            "--keep-mb": keep_mb,
            "--batch-size": batch_size,
            "--image-size": image_size,
            "--sigma": sigma,
            "--map-weight": map_weight,
            "--workers": workers,
            "--threads": threads,
            "--max-pixels": max_pixels,
        }
    )
    _check_sense(deciding=threshold is not None or profile is not None, telling=bool(webhook or command))
    if fps is not None and every != 1:
        raise ConfigError("--every counts frames and --fps seconds: give only one of them")
    calibrated = open_profile(profile, {"--threshold": threshold, "--pixel-threshold": pixel_threshold})
    if calibrated is not None:
        threshold, pixel_threshold = calibrated.image_threshold, calibrated.pixel_threshold
    job = WatchJob(
        target=target,
        output=output,
        threshold=threshold,
        pixel_threshold=threshold if pixel_threshold is None else pixel_threshold,
        min_area=min_area,
        profile=calibrated,
        recursive=recursive,
        once=once,
        interval=interval,
        settle=settle,
        every=every,
        fps=fps,
        webhook=webhook,
        command=command,
        timeout=timeout,
        keep=keep,
        keep_bytes=round(keep_mb * 1e6),
        fmt=fmt.value,
        quiet=quiet,
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
            "offline": offline,
            **chosen(runtime, precision),
        },
        geometry=layout.parse_geometry(tile, overlap, scales, keep_aspect),
        areas=layout.open_areas(roi, ignore_mask),
        batch_size=batch_size,
        workers=workers,
        max_pixels=max_pixels,
    )
    raise typer.Exit(job.run())


def _check_sense(*, deciding: bool, telling: bool) -> None:
    if telling and not deciding:
        raise ConfigError(
            "--webhook and --command tell of anomalies, and nothing says what one is: add --threshold or --profile"
        )
