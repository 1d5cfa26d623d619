"""The command `anomalyclip`: one file per verb, each imported only when it runs.

Exit codes of every verb: 0 done; 1 a result could not be written; 2 the call or its input cannot be used;
3 done, but some files failed; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from anomalyclip.cli._console import report_error
from anomalyclip.cli._group import LazyGroup
from anomalyclip.errors import AnomalyClipError, OutputError
from anomalyclip.extras import explained

app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from anomalyclip.version import __version__

        typer.echo(f"anomalyclip {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Zero-shot visual anomaly detection: find defects in images without training on them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; always ends in SystemExit with one of this module's exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name never makes printing fail
    try:
        typer.main.get_command(app).main(args=None if argv is None else list(argv), prog_name="anomalyclip")
    except AnomalyClipError as error:
        report_error(error)
        sys.exit(1 if isinstance(error, OutputError) else 2)
    except ImportError as error:
        told = explained(error)
        if told is None:
            raise
        report_error(told)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
