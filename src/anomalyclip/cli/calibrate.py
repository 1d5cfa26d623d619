"""`anomalyclip calibrate`: the options and their meaning; `_calibrate_job` runs them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.cli import _model_options as common
from anomalyclip.cli._calibrate_job import CalibrateJob
from anomalyclip.cli._checks import check_device, check_ranges, parse_layers
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
from anomalyclip.cli._runtime_options import PrecisionOption, Runtime, RuntimeOption, chosen
from anomalyclip.errors import ConfigError


class Rule(str, Enum):
    """What --pixel-fpr is a share of."""

    image = "image"
    pixel = "pixel"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_FILES, _ANOMALIES = "Output", "With labelled anomalies"


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some images skipped, "
    "130 interrupted."
)
def calibrate(
    normals: Annotated[
        list[str],
        typer.Argument(metavar="NORMALS", help="Images, folders or globs without any defect.", show_default=False),
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Look into subfolders of folders.")] = False,
    fpr: Annotated[float, typer.Option(help="Share of normal images that may be called anomalous.")] = 0.01,
    pixel_fpr: Annotated[
        float | None, typer.Option(help="The same for regions in the map; default: --fpr.", show_default=False)
    ] = None,
    pixel_rule: Annotated[
        Rule, typer.Option(help="--pixel-fpr counts normal images with any region, or pixels of normal images.")
    ] = Rule.image,
    name: Annotated[str, typer.Option(help="Of the camera or product; letters, digits and _ . @ + -")] = "default",
    anomalies: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Images, a folder or a glob with defects; may be repeated.",
            rich_help_panel=_ANOMALIES,
            show_default=False,
        ),
    ] = None,
    min_recall: Annotated[
        float | None,
        typer.Option(
            help="Decide so that this share of anomalies is found.", rich_help_panel=_ANOMALIES, show_default=False
        ),
    ] = None,
    cost_miss: Annotated[
        float | None,
        typer.Option(
            help="Decide by cost: what a missed anomaly costs.", rich_help_panel=_ANOMALIES, show_default=False
        ),
    ] = None,
    cost_false_alarm: Annotated[
        float | None, typer.Option(help="What a false alarm costs.", rich_help_panel=_ANOMALIES, show_default=False)
    ] = None,
    anomaly_share: Annotated[
        float | None,
        typer.Option(
            help="Share of anomalies among the images to come, needed for costs.",
            rich_help_panel=_ANOMALIES,
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The profile, JSON.", rich_help_panel=_FILES)
    ] = Path("profile.json"),
    add: Annotated[
        bool, typer.Option("--add", help="Put the profile beside others in FILE.", rich_help_panel=_FILES)
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace FILE; with --add, a profile of that name.", rich_help_panel=_FILES),
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot/--no-plot", help="A histogram beside FILE, as PNG.", rich_help_panel=_FILES)
    ] = True,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress or summary; errors only.", rich_help_panel=_FILES)
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
    tile: Tile = None,
    overlap: Overlap = None,
    scales: Scales = None,
    keep_aspect: KeepAspect = False,
    roi: Roi = None,
    ignore_mask: IgnoreMask = None,
    batch_size: common.BatchSize = None,
    workers: common.Workers = 2,
    threads: common.Threads = None,
    runtime: RuntimeOption = Runtime.auto,
    precision: PrecisionOption = None,
    max_pixels: common.MaxPixels = None,
) -> None:
    """Learn from normal images where to draw the line, with a false-positive rate that holds.

    Use images of the camera and product to come, not those a result will be reported on.
    """
    check_ranges(
        {
            "--image-size": image_size,
            "--sigma": sigma,
            "--map-weight": map_weight,
            "--batch-size": batch_size,
            "--workers": workers,
            "--threads": threads,
            "--max-pixels": max_pixels,
        }
    )
    costs = {"--cost-miss": cost_miss, "--cost-false-alarm": cost_false_alarm, "--anomaly-share": anomaly_share}
    _check_wishes(anomalies, min_recall, costs)
    job = CalibrateJob(
        normals=normals,
        anomalies=anomalies or [],
        recursive=recursive,
        rate=fpr,
        pixel_rate=pixel_fpr,
        pixel_rule=pixel_rule.value,
        recall=min_recall,
        costs=tuple(value for value in costs.values() if value is not None),
        name=name,
        output=output,
        add=add,
        overwrite=overwrite,
        plot=plot,
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
            **chosen(runtime, precision),
            "offline": offline,
        },
        geometry=parse_geometry(tile, overlap, scales, keep_aspect),
        areas=open_areas(roi, ignore_mask),
        batch_size=batch_size,
        workers=workers,
        max_pixels=max_pixels,
    )
    raise typer.Exit(job.run())


def _check_wishes(anomalies: list[str] | None, recall: float | None, costs: dict[str, float | None]) -> None:
    """Raises ConfigError for halves of a wish, or two of them."""
    given = [option for option, value in costs.items() if value is not None]
    missing = [option for option, value in costs.items() if value is None]
    if given and missing:
        raise ConfigError(
            f"{', '.join(given)} needs {' and '.join(missing)}, too: a cost is weighed by how often it falls due"
        )
    if given and recall is not None:
        raise ConfigError(f"--min-recall and {given[0]} both choose the threshold: give one of them")
    if anomalies and not given and recall is None:
        raise ConfigError("--anomalies needs what to choose by: --min-recall, or --cost-miss with --cost-false-alarm")
    if not anomalies and (given or recall is not None):
        raise ConfigError(f"{given[0] if given else '--min-recall'} needs images with defects: add --anomalies PATH")
