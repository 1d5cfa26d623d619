"""`anomalyclip data`: which data sets are known, what lies in a folder, and the rendered auxiliary set."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import AnomalyClipError, ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.data import Dataset, Known, Report

_PROBLEMS_FOUND = 3
_SHOWN = 50


@verb("data list")
def list_(given: Given) -> None:
    """Show the 17 data sets of the paper: classes, levels, licence and source. None is downloaded."""
    from anomalyclip.data import KNOWN

    rows = [_facts(known) for known in KNOWN.values()]
    if given.as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = ("name", "domain", "classes", "levels", "licence", "source")
    short = [{**row, "classes": str(len(row["classes"])), "levels": ", ".join(row["levels"])} for row in rows]
    _print_table(columns, short)


@verb("data info")
def info(given: Given) -> None:
    """Tell all about one known data set, with the folder layouts that are read."""
    from anomalyclip.data import find_known

    facts = _facts(find_known(given.known))
    if given.as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        for number, line in enumerate(value if key == "layouts" else [_in_words(value)]):
            click.echo(f"{key if number == 0 else '':<10}{line}")


@verb("data check")
def check(given: Given) -> None:
    """Count data sets, decode every image and mask, report problems. Exit code 3 if there are any."""
    if len(given.folders) == 1:
        dataset, report = _checked(given.folders[0], given)
        found = [_report_facts(dataset, report)]
    else:
        found = []
        for number, folder in enumerate(given.folders):  # one that cannot be read does not hide the others
            if number and not given.as_json:
                click.echo()
            try:
                found.append(_report_facts(*_checked(folder, given)))
            except AnomalyClipError as error:
                found.append({"name": folder.name, "problems": [str(error)]})
                click.echo(f"problem: {error}", err=given.as_json)
    if given.as_json:
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    if any(facts["problems"] for facts in found):
        raise click.exceptions.Exit(_PROBLEMS_FOUND)


def _checked(folder: Path, given: Given) -> tuple[Dataset, Report]:
    """One data set, and its report, which is printed unless JSON is asked for."""
    from anomalyclip.cli._opening import reading_of
    from anomalyclip.data import check_dataset, open_dataset

    dataset = open_dataset(folder, name=given.name, split=given.split, missing_masks=given.missing_masks)
    with progress_bar(shown=True) as bar:
        task = bar.add_task("checking", total=len(dataset.items))
        report = check_dataset(dataset, lambda: bar.advance(task), reading=reading_of(given))
    if not given.as_json:
        _print_report(dataset, report)
    return dataset, report


@verb("data meta")
def meta(given: Given) -> None:
    """Write meta.json (the authors' format) for any layout into its folder, replacing an older one."""
    from anomalyclip.data import open_dataset, write_meta
    from anomalyclip.errors import InputError

    named = {"name": given.name, "missing_masks": given.missing_masks, "use_meta": False}
    test = open_dataset(given.folder, **named)
    splits = [test]
    try:
        splits.insert(0, open_dataset(given.folder, split="train", **named))
    except InputError as error:
        note(f"no train split: {error}")
    target = test.root / "meta.json"
    write_meta(target, *splits)
    click.echo(str(target))
    for problem in dict.fromkeys(problem for dataset in splits for problem in dataset.problems):
        note(problem, style="yellow")


@verb("data make")
def make(given: Given) -> None:
    """Render the synthetic auxiliary set in MVTec's layout, with masks and meta.json; or stand-ins of known sets."""
    from anomalyclip.data import make_dataset

    rendering = {"size": given.size, "seed": given.seed, "resume": given.resume}
    if given.layout is not None:
        if given.families is not None:
            raise ConfigError("--layout chooses the families itself; leave out --families, or --layout")
        _make_standins(given.out, given.layout.split(","), given.per_class, given.classes, **rendering)
        return
    everything = given.families in (None, "all")
    chosen = None if everything else [part.strip() for part in given.families.split(",")]
    with progress_bar(shown=True) as bar:
        task = bar.add_task("rendering", total=given.images)
        dataset = make_dataset(given.out, given.images, families=chosen, advance=lambda: bar.advance(task), **rendering)
    images, classes = len(dataset.items), len(dataset.classes)
    click.echo(f"{given.out}: {images:,} image{'s' * (images != 1)} of {classes} class{'es' * (classes != 1)}")


def _make_standins(out: Path, names: list[str], per_class: int, classes: int | None, **options: Any) -> None:
    from anomalyclip.data.standins import chosen_layouts, count_pictures, make_standin

    layouts = chosen_layouts([name.strip() for name in names])
    counts = {name: count_pictures(name, per_class, classes) for name in layouts}
    with progress_bar(shown=True) as bar:
        task = bar.add_task("rendering", total=sum(counts.values()))
        for name in layouts:
            folder = make_standin(out, name, per_class, classes=classes, **options, advance=lambda: bar.advance(task))
            bar.console.print(f"{name}: {counts[name]} images in {printable(folder)}", soft_wrap=True)


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
    click.echo(f"{printable(dataset.name)}, {dataset.split} split, {len(dataset.items)} images")
    _print_table(columns, cells)
    if "image" not in dataset.levels and not total.normal:
        click.echo("anomalous images only: image-level metrics are undefined, pixel metrics are not")
    for line in report.notes:
        click.echo(f"note: {line}")
    for problem in report.problems[:_SHOWN]:
        click.echo(f"problem: {problem}")
    if len(report.problems) > _SHOWN:
        click.echo(f"and {len(report.problems) - _SHOWN} more problems (--json lists all)")
    click.echo(f"{len(report.problems)} problems" if report.problems else "no problems")


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


app = click.Group(
    "data",
    commands=[list_, info, check, meta, make],
    no_args_is_help=True,
    help="List, check, describe and render data sets.",
)
