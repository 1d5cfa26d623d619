"""`anomalyclip reproduce`: `_reproduce_job` runs what its options say."""

from __future__ import annotations

import typer

from anomalyclip.cli._declared import Given, options_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some images or cells left out, "
    "130 interrupted."
)
@options_of("reproduce")
def reproduce(given: Given) -> None:
    """Rerun the paper's tables on the data sets below ROOT and print our figures beside the published ones.

    Interrupted (even killed), the same command goes on where it was; data sets that are not there are listed.
    """
    from anomalyclip.cli._reproduce_job import run
    from anomalyclip.reproduction import ReproduceConfig

    values = given.all_but("format", "quiet")
    config = ReproduceConfig(**values | {"auxiliary": given.auxiliary or ()})
    raise typer.Exit(run(config, given.format, quiet=given.quiet))
