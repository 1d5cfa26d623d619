"""`anomalyclip evaluate`: what its options mean together; `_evaluate_job` runs them."""

from __future__ import annotations

import typer

from anomalyclip.cli._checks import check_output
from anomalyclip.cli._declared import Given, options_of
from anomalyclip.cli._evaluate_job import EvaluateJob
from anomalyclip.errors import ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some images left out, "
    "130 interrupted."
)
@options_of("evaluate")
def evaluate(given: Given) -> None:
    """Measure a model on labelled images: AUROC, AP, F1-max and AUPRO per class, and their mean.

    Images that cannot be used are reported and left out; a metric that is undefined is empty, with the reason.
    """
    check_output(given, "plots")
    if given.cache is False and given.cache_dir is not None:
        raise ConfigError("--no-cache and --cache-dir contradict each other; leave one out")
    raise typer.Exit(EvaluateJob(given).run())
