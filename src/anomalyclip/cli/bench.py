"""`anomalyclip bench`: the options and their meaning; :mod:`anomalyclip.bench` measures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anomalyclip.errors import ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_ACCURACY, _COMMAND, _FILES = "Accuracy", "The command, end to end", "Files"


@app.command(epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 130 interrupted.")
def bench(
    model: Annotated[
        str,
        typer.Option(help="A name or file as for detect, or random:vit-l-14-336 (true architecture, random weights)."),
    ] = "pocket",
    variants: Annotated[
        str | None,
        typer.Option(
            help="Some of reference,torch,onnx,openvino,onnx-int8,openvino-int8; default: all that are installed.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[str, typer.Option(help="Images per forward pass, such as 1,8.")] = "1",
    image_size: Annotated[
        str | None, typer.Option(help="Sides in pixels, such as 320,518; default: the model's.", show_default=False)
    ] = None,
    threads: Annotated[
        str | None, typer.Option(help="CPU threads, such as 1,2; default: all cores.", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(help="Timed rounds; in each every variant runs once.", min=1)] = 5,
    operators: Annotated[bool, typer.Option(help="Profile torch's operators.")] = True,
    renders: Annotated[
        int, typer.Option(help="Compare accuracy on so many labelled renders.", min=0, rich_help_panel=_ACCURACY)
    ] = 40,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A data set, or a folder of them, to compare accuracy on.",
            show_default=False,
            rich_help_panel=_ACCURACY,
        ),
    ] = None,
    data_images: Annotated[
        int, typer.Option(help="At most so many images of each data set.", min=1, rich_help_panel=_ACCURACY)
    ] = 100,
    calibration: Annotated[
        Path | None,
        typer.Option(
            help="Typical images to quantise with; default: rendered ones.",
            show_default=False,
            rich_help_panel=_ACCURACY,
        ),
    ] = None,
    detect_images: Annotated[
        int, typer.Option(help="Run `anomalyclip detect` on so many images.", min=0, rich_help_panel=_COMMAND)
    ] = 0,
    exports: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep the exports here for the next time; default: thrown away.",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write bench.json, bench.md and bench.png there.",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
) -> None:
    """Time every way to run a model side by side, and say what each costs in accuracy and memory.

    The variant `reference` restates the authors' computation; ratios are to it, measured in the same rounds.
    """
    if detect_images == 1:
        raise ConfigError("--detect-images 1 gives no rate: take 2 or more, or 0 for none")
    from anomalyclip.bench.files import write_bench
    from anomalyclip.bench.report import markdown
    from anomalyclip.bench.run import Plan, run_bench
    from anomalyclip.bench.variants import parse_variants
    from anomalyclip.cli._console import note

    plan = Plan(
        model=model,
        variants=parse_variants(variants),
        batches=_numbers("--batch", batch),
        image_sizes=_numbers("--image-size", image_size) if image_size else (None,),
        threads=_numbers("--threads", threads) if threads else (None,),
        rounds=rounds,
        renders=renders,
        data=data,
        data_images=data_images,
        detect_images=detect_images,
        operators=operators,
        exports=exports,
        calibration=calibration,
    )
    record = run_bench(plan, note).record()
    typer.echo(markdown(record), nl=False)
    if output is not None:
        for path in write_bench(output, record):
            note(f"wrote {path}")


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """`1,8` -> (1, 8). Raises ConfigError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) <= 8192 for part in parts):
        raise ConfigError(f"{option} {text!r}: expected whole numbers from 1 to 8192, separated by commas, such as 1,8")
    return tuple(dict.fromkeys(map(int, parts)))
