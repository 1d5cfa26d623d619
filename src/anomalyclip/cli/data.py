"""`anomalyclip data`: which data sets are known, what lies in a folder, and the rendered auxiliary set."""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomalyclip.cli._console import note, progress_bar
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.data import Dataset, Known, Report

app = typer.Typer(no_args_is_help=True, help="List, check, describe and render data sets.")

_PROBLEMS_FOUND = 3
_SHOWN = 50


class Split(str, Enum):
    """Parts of a data set."""

    test = "test"
    train = "train"


class Missing(str, Enum):
    """What becomes of anomalous images without a mask."""

    error = "error"
    image_only = "image-only"


Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A data set's folder, meta.json or CSV.", show_default=False)
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Which known data set it is, if its folder's name does not tell.")
]
MissingOption = Annotated[Missing, typer.Option(help="Anomalous images without a mask: refuse, or use without pixels.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts: JSON on stdout.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show the 17 data sets of the paper: classes, levels, licence and source. None is downloaded."""
    from anomalyclip.data import KNOWN

    rows = [_facts(known) for known in KNOWN.values()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    columns = ("name", "domain", "classes", "levels", "licence", "source")
    short = [{**row, "classes": str(len(row["classes"])), "levels": ", ".join(row["levels"])} for row in rows]
    _print_table(columns, short)


@app.command()
def info(
    name: Annotated[str, typer.Argument(help="A name of `anomalyclip data list`.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Tell all about one known data set, with the folder layouts that are read."""
    from anomalyclip.data import find_known

    facts = _facts(find_known(name))
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        for number, line in enumerate(value if key == "layouts" else [_in_words(value)]):
            typer.echo(f"{key if number == 0 else '':<10}{line}")


@app.command()
def check(
    folder: Folder,
    name: NameOption = None,
    split: Annotated[Split, typer.Option(help="Which part.")] = Split.test,
    missing_masks: MissingOption = Missing.error,
    max_pixels: Annotated[
        int | None,
        typer.Option("--max-pixels", min=1, help="Refuse images with more pixels (default: 89,478,485)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count a data set, decode every image and mask, report problems. Exit code 3 if there are any."""
    from anomalyclip.data import check_dataset, open_dataset

    dataset = open_dataset(folder, name=name, split=split.value, missing_masks=_policy(missing_masks))
    with progress_bar(shown=True) as bar:
        task = bar.add_task("checking", total=len(dataset.items))
        report = check_dataset(dataset, lambda: bar.advance(task), max_pixels=max_pixels)
    if as_json:
        typer.echo(json.dumps(_report_facts(dataset, report), indent=2))
    else:
        _print_report(dataset, report)
    if report.problems:
        raise typer.Exit(_PROBLEMS_FOUND)


@app.command()
def meta(
    folder: Folder,
    name: NameOption = None,
    missing_masks: MissingOption = Missing.error,
) -> None:
    """Write meta.json (the authors' format) for any layout into its folder, replacing an older one."""
    from anomalyclip.data import open_dataset, write_meta
    from anomalyclip.errors import InputError

    policy = _policy(missing_masks)
    test = open_dataset(folder, name=name, missing_masks=policy, use_meta=False)
    splits = [test]
    try:
        splits.insert(0, open_dataset(folder, name=name, split="train", missing_masks=policy, use_meta=False))
    except InputError as error:
        note(f"no train split: {error}")
    target = test.root / "meta.json"
    write_meta(target, *splits)
    typer.echo(str(target))
    for problem in dict.fromkeys(problem for dataset in splits for problem in dataset.problems):
        note(problem, style="yellow")


@app.command()
def make(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)],
    images: Annotated[int, typer.Option(help="How many pictures, half of them with defects.")] = 1000,
    size: Annotated[int, typer.Option(help="Side in pixels, 32 to 1024.")] = 256,
    seed: Annotated[int, typer.Option(help="The same seed renders the same set.")] = 0,
    families: Annotated[
        str | None, typer.Option(help="Materials and objects, separated by commas; default: all.", show_default=False)
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="Instead, stand-ins of known data sets in their published layouts, below OUT: names, or all.",
            show_default=False,
        ),
    ] = None,
    per_class: Annotated[int, typer.Option(help="With --layout: pictures per class.")] = 8,
    classes: Annotated[
        int | None, typer.Option(help="With --layout: at most so many classes (default: all).", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run, or add pictures.")] = False,
) -> None:
    """Render the synthetic auxiliary set in MVTec's layout, with masks and meta.json; or stand-ins of known sets."""
    from anomalyclip.data import make_dataset

    if layout is not None:
        if families is not None:
            raise ConfigError("--layout chooses the families itself; leave out --families, or --layout")
        _make_standins(out, layout.split(","), per_class, classes, size=size, seed=seed, resume=resume)
        return
    chosen = [part.strip() for part in families.split(",")] if families is not None else None
    with progress_bar(shown=True) as bar:
        task = bar.add_task("rendering", total=images)
        dataset = make_dataset(
            out, images, size=size, seed=seed, families=chosen, resume=resume, advance=lambda: bar.advance(task)
        )
    typer.echo(f"{out}: {len(dataset.items)} images of {len(dataset.classes)} classes")


def _make_standins(out: Path, names: list[str], per_class: int, classes: int | None, **options: Any) -> None:
    from anomalyclip.data.standins import chosen_layouts, count_pictures, make_standin

    layouts = chosen_layouts([name.strip() for name in names])
    counts = {name: count_pictures(name, per_class, classes) for name in layouts}
    with progress_bar(shown=True) as bar:
        task = bar.add_task("rendering", total=sum(counts.values()))
        for name in layouts:
            folder = make_standin(out, name, per_class, classes=classes, **options, advance=lambda: bar.advance(task))
            bar.console.print(f"{name}: {counts[name]} images in {printable(folder)}", soft_wrap=True)


def _policy(missing: Missing) -> Literal["error", "image-only"]:
    return "error" if missing is Missing.error else "image-only"


def _facts(known: Known) -> dict[str, Any]:
    return {
        "name": known.name,
        "domain": known.domain,
        "classes": list(known.classes),
        "levels": sorted(known.levels),
        "images": {"normal": known.images[0], "anomalous": known.images[1]} if known.images else None,
        "layouts": [layout.words for layout in known.layouts],
        "licence": known.licence,
        "source": known.source,
        "folders": list(known.folders),
    }


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return ", ".join(value) if isinstance(value, list) else "not published" if value is None else str(value)


def _report_facts(dataset: Dataset, report: Report) -> dict[str, Any]:
    rows = {name: {**vars(row), "levels": sorted(row.levels)} for name, row in report.classes.items()}
    facts = {"name": dataset.name, "split": dataset.split, "levels": sorted(dataset.levels)}
    return {**facts, "classes": rows, "notes": report.notes, "problems": report.problems}


def _print_report(dataset: Dataset, report: Report) -> None:
    total = report.total
    rows = [*report.classes.items(), *([("total", total)] if len(report.classes) > 1 else [])]
    columns = ("class", "normal", "anomalous", "masks", "unreadable", "levels")
    cells = [
        {
            **{key: str(value) for key, value in vars(row).items()},
            "class": name,
            "levels": ", ".join(sorted(row.levels)),
        }
        for name, row in rows
    ]
    typer.echo(f"{printable(dataset.name)}, {dataset.split} split, {len(dataset.items)} images")
    _print_table(columns, cells)
    if "image" not in dataset.levels and not total.normal:
        typer.echo("anomalous images only: image-level metrics are undefined, pixel metrics are not")
    for line in report.notes:
        typer.echo(f"note: {line}")
    for problem in report.problems[:_SHOWN]:
        typer.echo(f"problem: {problem}")
    if len(report.problems) > _SHOWN:
        typer.echo(f"and {len(report.problems) - _SHOWN} more problems (--json lists all)")
    typer.echo(f"{len(report.problems)} problems" if report.problems else "no problems")


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        numeric = column in ("normal", "anomalous", "masks", "unreadable")
        table.add_column(column.upper(), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(printable(row[column]) for column in columns))
    Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
