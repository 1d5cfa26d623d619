"""`anomalyclip train`: the options and their meaning; `anomalyclip.training` does the work."""

from __future__ import annotations

import os
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anomalyclip.cli._checks import check_device, parse_layers
from anomalyclip.cli._console import note, progress_bar
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from anomalyclip.training import TrainConfig, TrainResult
    from anomalyclip.training.reporter import Reporter

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_DONE, _SOME_FAILED, _INTERRUPTED = 0, 3, 130
_MODEL, _LEARNING, _CACHE, _MACHINE = "Model and prompts", "Learning", "Feature cache", "Machine"


class MethodChoice(str, Enum):
    """What is trained."""

    anomalyclip = "anomalyclip"
    object_aware = "object-aware"
    coop = "coop"
    vand = "vand"


class LevelChoice(str, Enum):
    """Which terms of the loss are trained."""

    both = "both"
    image = "image"
    pixel = "pixel"


class DtypeChoice(str, Enum):
    """How features are kept."""

    fp16 = "fp16"
    fp32 = "fp32"


class MissingChoice(str, Enum):
    """What to do with an anomalous image that has no mask."""

    error = "error"
    image_only = "image-only"


class LoggerChoice(str, Enum):
    """Where figures are logged besides metrics.csv."""

    csv = "csv"
    tensorboard = "tensorboard"
    mlflow = "mlflow"
    wandb = "wandb"


class PrecisionChoice(str, Enum):
    """Precision of the trained part."""

    full = "32-true"
    half = "16-mixed"
    bfloat = "bf16-mixed"


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 done but some files were left"
    " out, 130 interrupted."
)
def train(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA", help="Data sets: folders, meta.json or CSV files; or NAME=PATH.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The run folder.", show_default=False)],
    model: Annotated[
        str, typer.Option(help="A name of `anomalyclip models list`, or a weights file.", rich_help_panel=_MODEL)
    ] = "pocket",
    method: Annotated[
        MethodChoice,
        typer.Option(
            help="anomalyclip; object-aware, which names each class; or the paper's baselines coop and vand.",
            rich_help_panel=_MODEL,
        ),
    ] = MethodChoice.anomalyclip,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Blocks whose patch features are trained on, such as 6,12,18,24; default: the last (vand: four).",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side in pixels that images are resized to.", rich_help_panel=_MODEL, show_default=False),
    ] = None,
    dpam: Annotated[
        str | None,
        typer.Option(
            help="Attention of the local path: vv, qq, kk, or qk (plain CLIP); default: vv, of baselines qk.",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    dpam_blocks: Annotated[
        int | None,
        typer.Option(
            help="How many last blocks have a local path; default: 19 of 24.",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    n_ctx: Annotated[
        int | None,
        typer.Option(
            "--length",
            help="Learned vectors per prompt; default: 12 (coop: 16).",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="Text blocks that see learned prompts; default: 9, or all of a shallower tower (coop: 1).",
            rich_help_panel=_MODEL,
            show_default=False,
        ),
    ] = None,
    deep_length: Annotated[int, typer.Option(help="Learned vectors per deep prompt.", rich_help_panel=_MODEL)] = 4,
    level: Annotated[
        LevelChoice | None,
        typer.Option(
            help="Terms of the loss; image needs no masks; default: both (coop: image, vand: pixel).",
            rich_help_panel=_LEARNING,
            show_default=False,
        ),
    ] = None,
    missing_masks: Annotated[
        MissingChoice,
        typer.Option(help="An anomalous image without mask: stop, or train on its label.", rich_help_panel=_LEARNING),
    ] = MissingChoice.error,
    split: Annotated[
        str, typer.Option(help="Which images of each data set; the paper's is test.", rich_help_panel=_LEARNING)
    ] = "test",
    epochs: Annotated[int, typer.Option(help="Passes over the data.", rich_help_panel=_LEARNING)] = 15,
    batch_size: Annotated[int, typer.Option(help="Images per step.", rich_help_panel=_LEARNING)] = 8,
    learning_rate: Annotated[float, typer.Option("--lr", help="Of Adam.", rich_help_panel=_LEARNING)] = 1e-3,
    seed: Annotated[int, typer.Option(help="Of the initial prompts and the order.", rich_help_panel=_LEARNING)] = 111,
    validation: Annotated[
        float,
        typer.Option(
            help="Share held out to keep prompts_best.safetensors too; 0 is the paper's rule.",
            rich_help_panel=_LEARNING,
        ),
    ] = 0.0,
    cache: Annotated[
        bool,
        typer.Option("--cache/--no-cache", help="Encode once, or anew in every epoch.", rich_help_panel=_CACHE),
    ] = True,
    cache_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where features are kept.", rich_help_panel=_CACHE, show_default=False),
    ] = None,
    cache_dtype: Annotated[
        DtypeChoice, typer.Option(help="fp32 takes twice the disk and equals --no-cache.", rich_help_panel=_CACHE)
    ] = DtypeChoice.fp16,
    logger: Annotated[
        list[LoggerChoice] | None,
        typer.Option(
            help="Log there too; may be repeated. metrics.csv is always written.",
            rich_help_panel=_MACHINE,
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=_MACHINE)] = "auto",
    devices: Annotated[int, typer.Option(help="How many devices.", rich_help_panel=_MACHINE)] = 1,
    strategy: Annotated[str, typer.Option(help="Lightning's, such as ddp.", rich_help_panel=_MACHINE)] = "auto",
    precision: Annotated[
        PrecisionChoice, typer.Option(help="Of the trained part.", rich_help_panel=_MACHINE)
    ] = PrecisionChoice.full,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads (default: all).", rich_help_panel=_MACHINE, show_default=False),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_MACHINE)] = (
        False
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run in DIR.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress; problems and errors only.")] = False,
) -> None:
    """Learn prompts on data sets that have anomalies, for use on anything else.

    The frozen encoder sees every image once; then only the prompts are trained. Interrupted (even killed), the same
    command goes on where it was.
    """
    from anomalyclip.training import TrainConfig

    config = TrainConfig(
        data=tuple(data),
        output=str(output),
        model=model,
        split=split,
        missing_masks=missing_masks.value,
        method=method.value,
        level=level.value if level is not None else None,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        layers=parse_layers(layers),
        image_size=image_size,
        dpam=dpam,
        dpam_blocks=dpam_blocks,
        n_ctx=n_ctx,
        depth=depth,
        deep_length=deep_length,
        validation=validation,
        cache=cache,
        cache_dir=cache_dir,
        cache_dtype=cache_dtype.value,
        device=check_device(device),
        devices=devices,
        strategy=strategy,
        precision=precision.value,
        loggers=("csv", *(choice.value for choice in logger or ())),
        threads=threads,
        offline=offline,
        overwrite=overwrite,
    )
    raise typer.Exit(_run(config, quiet))


def _run(config: TrainConfig, quiet: bool) -> int:
    check_extra()
    from anomalyclip.training import train as run_training

    try:
        with progress_bar(shown=not quiet) as bar:
            result = run_training(config, reporter=_reporter(bar, quiet))
    except KeyboardInterrupt:
        note("Interrupted. What is done is kept: the same command goes on from there.", style="yellow")
        return _INTERRUPTED
    if not quiet and os.environ.get("LOCAL_RANK", "0") == "0":  # Lightning starts other devices with the same call
        _summarise(result)
    return _SOME_FAILED if result.problems else _DONE


def check_extra() -> None:
    """Raises ConfigError with the pip command before torch is loaded."""
    from importlib.util import find_spec

    missing = [name for name in ("lightning", "matplotlib", "yaml") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"anomalyclip train needs {', '.join(missing)}: pip install 'anomalyclip[train]'")


def _reporter(bar: Progress, quiet: bool) -> Reporter:
    """Bars on a terminal; elsewhere one line per stage and epoch, so that logs stay readable."""
    from anomalyclip.io.names import printable
    from anomalyclip.training.reporter import Reporter

    class Terminal(Reporter):
        def __init__(self) -> None:
            self._task: TaskID | None = None

        def stage(self, name: str, total: int, done: int = 0) -> None:
            if self._task is not None:
                bar.remove_task(self._task)
            self._task = bar.add_task(name, total=total, completed=done)
            if not quiet and not sys.stderr.isatty():
                self.note(f"{name}: {total - done:,} images")

        def advance(self, images: int) -> None:
            if self._task is not None:
                bar.update(self._task, advance=images)

        def note(self, line: str) -> None:
            if not quiet:
                bar.console.print(printable(line), soft_wrap=True)

        def problem(self, line: str) -> None:
            bar.console.print(printable(line), style="yellow", soft_wrap=True)

    return Terminal()


def _summarise(result: TrainResult) -> None:
    from anomalyclip.io.names import printable

    last = result.history[-1]
    note(f"{result.images:,} images, {len(result.history)} epochs, loss {last['loss']:.4f}")
    if result.problems:
        note(f"{len(result.problems):,} files left out or used in part: {printable(result.folder / 'problems.txt')}")
    best = f", best: {printable(result.best)}" if result.best is not None else ""
    note(f"Prompts: {printable(result.prompts)}{best}")
