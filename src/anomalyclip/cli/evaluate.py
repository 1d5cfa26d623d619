"""`anomalyclip evaluate`: what its options mean together; `_evaluate_job` runs them."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb("evaluate", third="some images left out")
def app(given: Given) -> None:
    """Measure a model on labelled images: AUROC, AP, F1-max and AUPRO per class, and their mean.

    Images that cannot be used are reported and left out; a metric that is undefined is empty, with the reason.
    """
    from anomalyclip.cli._checks import check_output
    from anomalyclip.cli._evaluate_job import EvaluateJob

    check_output(given, "plots")
    if given.cache is False and given.cache_dir is not None:
        raise ConfigError("--no-cache and --cache-dir contradict each other; leave one out")
    if given.mutual and (said := given.said("cache", "cache_dir")):
        raise ConfigError(f"--mutual keeps what it sees itself: leave {' and '.join(said)} out")
    raise click.exceptions.Exit(EvaluateJob(given).run())
