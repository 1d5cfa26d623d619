"""`anomalyclip evaluate`: the options and their meaning; `_evaluate_job` runs them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.cli._checks import check_device, check_output, check_ranges, parse_layers
from anomalyclip.cli._evaluate_job import EvaluateJob
from anomalyclip.cli._runtime_options import PrecisionOption, Runtime, RuntimeOption, chosen
from anomalyclip.errors import ConfigError


class At(str, Enum):
    """Where maps and masks are compared."""

    model = "model"
    native = "native"


class Format(str, Enum):
    """What is printed on stdout."""

    table = "table"
    markdown = "markdown"
    latex = "latex"
    json = "json"


class Dtype(str, Enum):
    """How features are kept."""

    fp16 = "fp16"
    fp32 = "fp32"


class Dpam(str, Enum):
    """Attention of the local path."""

    vv = "vv"
    qq = "qq"
    kk = "kk"
    qk = "qk"


class Missing(str, Enum):
    """What an anomalous image without a mask is, in a data set that has masks."""

    error = "error"
    image_only = "image-only"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_MODEL, _FILES, _METRICS, _SPEED = "Model", "Output", "Metrics", "Speed and limits"


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some images left out, "
    "130 interrupted."
)
def evaluate(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A data set's folder, a meta.json or a CSV.", show_default=False)
    ],
    name: Annotated[
        str | None, typer.Option(help="Which known data set DATA is (default: found out).", show_default=False)
    ] = None,
    split: Annotated[str, typer.Option(help="test or train.")] = "test",
    missing_masks: Annotated[
        Missing, typer.Option(help="Anomalous images without a mask: refuse, or leave out of pixel metrics.")
    ] = Missing.error,
    model: Annotated[
        str,
        typer.Option(help="A name of `anomalyclip models list`, a weights file, an export.", rich_help_panel=_MODEL),
    ] = "pocket",
    prompts: Annotated[
        str | None,
        typer.Option(
            help="A prompt file, run folder or name; a baseline: clip, clip-ac, winclip, coop:PATH, vand:PATH; or "
            "hand-written words alone: winclip-ensemble, april-gan-ensemble; default: the model's own.",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    class_agnostic: Annotated[
        bool,
        typer.Option(
            "--class-agnostic", help='Fill prompts that name the class with "object".', rich_help_panel=_MODEL
        ),
    ] = False,
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
    dpam: Annotated[
        Dpam | None,
        typer.Option(
            help="Attention of the maps' local path; qk: plain CLIP's own (default: what comes with the prompts).",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_MODEL)] = False,
    resolution: Annotated[
        At,
        typer.Option(
            help="Compare pixels at the model's size, as published, or at each image's own.", rich_help_panel=_METRICS
        ),
    ] = At.model,
    exact_pixels: Annotated[
        bool,
        typer.Option(
            "--exact-pixels",
            help="Keep every pixel of a class (4 bytes each) instead of a fine histogram.",
            rich_help_panel=_METRICS,
        ),
    ] = False,
    fpr_limit: Annotated[
        float, typer.Option(help="AUPRO up to this false-positive rate.", rich_help_panel=_METRICS)
    ] = 0.3,
    resamples: Annotated[
        int, typer.Option(help="Bootstrap resamples of the 95% intervals; 0: none.", rich_help_panel=_METRICS)
    ] = 1000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", rich_help_panel=_METRICS)] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel=_FILES,
            show_default=False,
            help="Write metrics.json, per_image.csv, metrics.md and metrics.tex there.",
        ),
    ] = None,
    plots: Annotated[
        bool | None,
        typer.Option(
            "--plots/--no-plots",
            help="ROC, precision-recall, score histograms and a gallery of maps in DIR/plots (default: yes where "
            "matplotlib is installed).",
            rich_help_panel=_FILES,
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an earlier run in DIR: skip finished classes.", rich_help_panel=_FILES),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace an earlier run in DIR; other files stay.", rich_help_panel=_FILES),
    ] = False,
    fmt: Annotated[Format, typer.Option("--format", help="On stdout.", rich_help_panel=_FILES)] = Format.table,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress or notes; errors only.", rich_help_panel=_FILES)
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
        int, typer.Option(help="Threads that read images, and as many that compare maps.", rich_help_panel=_SPEED)
    ] = 2,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of the model (default: all).", rich_help_panel=_SPEED, show_default=False),
    ] = None,
    runtime: RuntimeOption = Runtime.auto,
    precision: PrecisionOption = None,
    cache: Annotated[
        bool | None,
        typer.Option(
            "--cache/--no-cache",
            help="Use the encoder's features of earlier runs and keep new ones (default: only with --cache-dir).",
            rich_help_panel=_SPEED,
            show_default=False,
        ),
    ] = None,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where features are kept (train's too).", rich_help_panel=_SPEED, show_default=False
        ),
    ] = None,
    cache_dtype: Annotated[
        Dtype, typer.Option(help="fp32 takes twice the disk and changes no number.", rich_help_panel=_SPEED)
    ] = Dtype.fp16,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            help="Refuse larger images (default: 89 million pixels).", rich_help_panel=_SPEED, show_default=False
        ),
    ] = None,
) -> None:
    """Measure a model on labelled images: AUROC, AP, F1-max and AUPRO per class, and their mean.

    Images that cannot be used are reported and left out; a metric that is undefined is empty, with the reason.
    """
    check_ranges(
        {
            "--batch-size": batch_size,
            "--image-size": image_size,
            "--sigma": sigma,
            "--map-weight": map_weight,
            "--workers": workers,
            "--threads": threads,
            "--max-pixels": max_pixels,
        }
    )
    needing = {"--plots": plots, "--resume": resume, "--overwrite": overwrite}
    check_output(output, resume and overwrite, [option for option, given in needing.items() if given])
    job = EvaluateJob(
        data=data,
        opening={"name": name, "split": split, "missing_masks": missing_masks.value},
        loading={
            "model": model,
            "prompts": prompts,
            "class_agnostic": class_agnostic,
            "device": check_device(device),
            "layers": parse_layers(layers),
            "image_size": image_size,
            "sigma": sigma,
            "map_weight": map_weight,
            "dpam": dpam.value if dpam is not None else None,
            "threads": threads,
            **chosen(runtime, precision),
            "offline": offline,
        },
        measuring={
            "resolution": resolution.value,
            "exact_pixels": exact_pixels,
            "fpr_limit": fpr_limit,
            "resamples": resamples,
            "seed": seed,
        },
        running={"batch_size": batch_size, "workers": workers, "max_pixels": max_pixels},
        caching={"folder": cache_dir, "dtype": cache_dtype.value} if _cached(cache, cache_dir) else None,
        output=output,
        plots=plots,
        mode="resume" if resume else "overwrite" if overwrite else "new",
        fmt=fmt.value,
        quiet=quiet,
    )
    raise typer.Exit(job.run())


def _cached(cache: bool | None, folder: Path | None) -> bool:
    """`--cache-dir` alone switches the cache on; with `--no-cache` it is a contradiction."""
    if cache is False and folder is not None:
        raise ConfigError("--no-cache and --cache-dir contradict each other; leave one out")
    return bool(cache) or folder is not None
