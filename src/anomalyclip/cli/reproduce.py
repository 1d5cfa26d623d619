"""`anomalyclip reproduce`: `_reproduce_job` runs what its options say."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb

INTERRUPTED = 130


@verb("reproduce", third="some images or cells left out")
def app(given: Given) -> None:
    """Rerun the paper's tables on the data sets below ROOT and print our figures beside the published ones.

    Interrupted (even killed), the same command goes on where it was; data sets that are not there are listed.
    """
    from anomalyclip.cli._reproduce_job import run, run_few_shot
    from anomalyclip.reproduction import ReproduceConfig
    from anomalyclip.reproduction.few_shot import TABLE

    values = given.all_but("format", "quiet") | {"auxiliary": given.auxiliary or ()}
    papers = tuple(name for name in given.tables if name != TABLE)
    alone = TABLE in given.tables and not papers
    config = ReproduceConfig(**values | ({"tables": ("1",)} if alone else {"tables": papers}))
    code = 0 if alone else run(config, given.format, quiet=given.quiet)
    if TABLE in given.tables and code != INTERRUPTED:
        code = max(code, run_few_shot(config, given.format, quiet=given.quiet))
    raise click.exceptions.Exit(code)
