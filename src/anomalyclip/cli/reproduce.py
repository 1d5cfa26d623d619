"""`anomalyclip reproduce`: `_reproduce_job` runs what its options say."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb


@verb("reproduce", third="some images or cells left out")
def app(given: Given) -> None:
    """Rerun the paper's tables on the data sets below ROOT and print our figures beside the published ones.

    Interrupted (even killed), the same command goes on where it was; data sets that are not there are listed.
    """
    from anomalyclip.cli._reproduce_job import run
    from anomalyclip.reproduction import ReproduceConfig

    values = given.all_but("format", "quiet")
    config = ReproduceConfig(**values | {"auxiliary": given.auxiliary or ()})
    raise click.exceptions.Exit(run(config, given.format, quiet=given.quiet))
