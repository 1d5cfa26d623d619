"""`anomalyclip reproduce`: the options and their meaning; `_reproduce_job` runs them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.cli._checks import check_device, check_ranges


class Format(str, Enum):
    """What is printed on stdout."""

    table = "table"
    markdown = "markdown"
    latex = "latex"
    json = "json"


class Missing(str, Enum):
    """What an anomalous image without a mask is, in a data set that has masks."""

    error = "error"
    image_only = "image-only"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_PROTOCOL, _TRAINING, _SPEED = "Protocol", "Training", "Speed and limits"


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some images or cells left out, "
    "130 interrupted."
)
def reproduce(
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="The folder below which the data sets lie.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Tables, cells and trainings go there.", show_default=False),
    ],
    table: Annotated[
        str,
        typer.Option(
            help="Which, separated by commas: 1, 2, 3, 4, 5, dpam, length, depth, figure5; or all.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = "1,2",
    methods: Annotated[
        str,
        typer.Option(
            help="For Tables 1 to 3, separated by commas: anomalyclip, clip, clip-ac, winclip, vand, coop; or all.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = "anomalyclip",
    model: Annotated[
        str,
        typer.Option(
            help="A name of `anomalyclip models list`, or a weights file; the paper's is vit-l-14-336.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = "pocket",
    datasets: Annotated[
        str | None,
        typer.Option(
            help="Only these targets, separated by commas (default: the table's).",
            rich_help_panel=_PROTOCOL,
            show_default=False,
        ),
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Judge Tables 1 and 2 with these (default: the published ones by the paper's protocol for its "
            "backbone, else the model's own).",
            rich_help_panel=_PROTOCOL,
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train",
            help="Learn the prompts of Tables 1 and 2 here: on MVTec AD, for MVTec AD itself on VisA.",
            rich_help_panel=_TRAINING,
        ),
    ] = False,
    auxiliary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SET",
            help="Learn on this instead, a data set's name or path; may be repeated.",
            rich_help_panel=_TRAINING,
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="The paper's are 15.", rich_help_panel=_TRAINING)] = 15,
    seed: Annotated[int, typer.Option(help="Of trainings.", rich_help_panel=_TRAINING)] = 111,
    batch_size: Annotated[int, typer.Option(help="Of trainings.", rich_help_panel=_TRAINING)] = 8,
    image_size: Annotated[
        int | None,
        typer.Option(help="Side in pixels that images are resized to.", rich_help_panel=_PROTOCOL, show_default=False),
    ] = None,
    missing_masks: Annotated[
        Missing,
        typer.Option(
            help="Anomalous images without a mask: refuse the data set, or leave out of pixel metrics.",
            rich_help_panel=_PROTOCOL,
        ),
    ] = Missing.error,
    cache: Annotated[
        bool,
        typer.Option("--cache", help="Keep the features of test images for the next cell.", rich_help_panel=_SPEED),
    ] = False,
    cache_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Where features are kept.", rich_help_panel=_SPEED, show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=_SPEED)] = "auto",
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of the model (default: all).", rich_help_panel=_SPEED, show_default=False),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Threads that read images, and as many that compare maps.", rich_help_panel=_SPEED)
    ] = 2,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_SPEED)] = False,
    fmt: Annotated[Format, typer.Option("--format", help="On stdout.")] = Format.table,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress or notes; errors only.")] = False,
) -> None:
    """Rerun the paper's tables on the data sets below ROOT and print our figures beside the published ones.

    Interrupted (even killed), the same command goes on where it was; data sets that are not there are listed.
    """
    from anomalyclip.cli._reproduce_job import run
    from anomalyclip.reproduction import ReproduceConfig

    check_ranges({"--image-size": image_size, "--threads": threads, "--workers": workers})
    config = ReproduceConfig(
        root=root,
        output=output,
        tables=_names(table),
        methods=_names(methods),
        model=model,
        prompts=prompts,
        train=train,
        auxiliary=tuple(auxiliary or ()),
        datasets=_names(datasets or ""),
        epochs=epochs,
        seed=seed,
        batch_size=batch_size,
        image_size=image_size,
        missing_masks=missing_masks.value,
        cache=cache,
        cache_dir=cache_dir,
        device=check_device(device),
        threads=threads,
        workers=workers,
        offline=offline,
    )
    raise typer.Exit(run(config, fmt.value, quiet=quiet))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)
