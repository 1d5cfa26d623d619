"""`anomalyclip models`: which models and prompts exist, which are here, fetch them, check them, say where they lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import click

from anomalyclip.cli._console import note, report_error
from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import AnomalyClipError, HubError

if TYPE_CHECKING:
    from anomalyclip.hub import Entry
    from anomalyclip.hub.files import Found

_SOME_FAILED = 3
_STYLES = {"embedded": "green", "cached": "green", "damaged": "red"}

Source = Literal["auto", "openai", "huggingface"]


@verb("models list")
def list_(given: Given) -> None:
    """Show every known name: what it is, its size, its licence and whether it is on this machine."""
    from anomalyclip.hub import MODELS, PROMPTS, home

    rows = [_row(entry) for entry in (*MODELS.values(), *PROMPTS.values())]
    if given.as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    _print_table(rows)
    note(f"cache folder: {home()}")


@verb("models pull")
def pull(given: Given) -> None:
    """Fetch models, with the prompts they use by default, or prompts alone. Cut downloads continue."""
    from anomalyclip.hub import find_entry

    wanted = list(dict.fromkeys(entry for name in given.names for entry in _with_default_prompts(find_entry(name))))
    if len(wanted) == 1:
        click.echo(_pulled(wanted[0], given.source, given.offline))
        return
    # One file that cannot be had must not keep the others from coming.
    failed = [entry for entry in wanted if not _try_pull(entry, given.source, given.offline)]
    if failed:
        raise click.exceptions.Exit(_SOME_FAILED)


@verb("models verify")
def verify(given: Given) -> None:
    """Read every byte again and compare size and checksum. Exit code 3 if a file is damaged or a named one missing."""
    from anomalyclip.hub import MODELS, PROMPTS, find_entry, look

    chosen = [entry for name in given.names or () for entry in find_entry(name)]
    failed = False
    for entry in chosen or (*MODELS.values(), *PROMPTS.values()):
        found = look(entry, rehash=True)
        present = [item for item in found if item.state != "missing"]
        if chosen and not present:
            failed = True
            click.echo(f"{_label(entry)}\t{_state_in_words(found[0])}\t{found[0].path}")
        for item in present:
            failed |= item.state == "damaged"
            click.echo(f"{_label(entry)}\t{_verdict(item)}\t{item.path}")
    if failed:
        note("fetch a damaged or missing file again with: anomalyclip models pull NAME", style="yellow")
        raise click.exceptions.Exit(_SOME_FAILED)


@verb("models path")
def path(given: Given) -> None:
    """Print where a name's file lies on this machine; never downloads."""
    from anomalyclip.hub import find_entry, look

    found = look(find_entry(given.name)[-1 if given.prompts else 0], given.source)
    here = next((item for item in found if item.state in ("embedded", "cached")), None)
    if here is None:
        raise HubError(
            f"{given.name} is {_state_in_words(found[0])}; fetch it with: anomalyclip models pull {given.name}"
        )
    click.echo(str(here.path))


def _with_default_prompts(entries: list[Entry]) -> list[Entry]:
    from anomalyclip.hub import PROMPTS

    defaults = [PROMPTS[entry.default_prompts] for entry in entries if entry.default_prompts in PROMPTS]
    return entries + [entry for entry in defaults if entry not in entries]


def _try_pull(entry: Entry, source: Source, offline: bool) -> bool:
    try:
        click.echo(_pulled(entry, source, offline))
    except AnomalyClipError as error:
        report_error(error)
        return False
    return True


def _pulled(entry: Entry, source: Source, offline: bool) -> str:
    from anomalyclip.hub import meter, obtain

    return f"{entry.name}\t{obtain(entry, source=source, offline=offline, meter=meter)}"


def _row(entry: Entry) -> dict[str, Any]:
    """One entry as plain data; the first usable file stands for it."""
    from anomalyclip.hub import look

    found = look(entry)
    best = next((item for item in found if item.state in ("embedded", "cached")), found[0])
    return {
        "name": entry.name,
        "kind": entry.kind,
        "what": entry.what,
        "licence": entry.licence,
        "default_prompts": entry.default_prompts,
        "state": _state_in_words(best),
        "bytes": _bytes(best),
        "path": str(best.path),
        "files": [_file(item) for item in found if item.file is not None],
    }


def _file(item: Found) -> dict[str, Any]:
    from anomalyclip.hub.http import mirrored

    file = item.file
    if file is None:
        raise HubError(f"{item.path} is embedded and has no source")
    return {
        "source": file.origin,
        "url": mirrored(file.url),
        "bytes": file.size,
        "sha256": file.sha256,
        "git_blob": file.git_blob,
        "state": _state_in_words(item),
        "path": str(item.path),
    }


def _state_in_words(item: Found) -> str:
    if item.state != "missing":
        return item.state
    return "not downloaded" if item.file is not None else "not in this installation"


def _bytes(item: Found) -> int | None:
    if item.file is not None:
        return item.file.size
    return item.path.stat().st_size if item.state == "embedded" else None


def _print_table(rows: list[dict[str, Any]]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from anomalyclip.hub.progress import human_size

    table = Table(box=None, pad_edge=False)
    for title in ("NAME", "KIND", "SIZE", "STATE", "LICENCE", "WHAT"):
        table.add_column(
            title, justify="right" if title == "SIZE" else "left", no_wrap=title not in ("WHAT", "LICENCE")
        )
    for row in rows:
        size = human_size(row["bytes"]) if row["bytes"] is not None else "-"
        state = Text(row["state"], style=_STYLES.get(row["state"], "dim"))
        table.add_row(row["name"], row["kind"], size, state, row["licence"], row["what"])
    Console(markup=False, emoji=False, highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def _label(entry: Entry) -> str:
    return f"{entry.name} ({entry.kind})"


def _verdict(item: Found) -> str:
    """``ok``, ``embedded`` (no checksum to compare with: the package manager verified it), or what is wrong."""
    from anomalyclip.hub.digests import mismatch

    if item.state != "damaged" or item.file is None:
        return "ok" if item.state == "cached" else item.state
    return f"DAMAGED: {mismatch(item.path, item.file)}"


app = click.Group(
    "models",
    commands=[list_, pull, verify, path],
    no_args_is_help=True,
    help="List, fetch, verify and locate models and prompts.",
)
