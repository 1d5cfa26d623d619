"""`anomalyclip detect`: what its options mean together; `_detect_job` runs them."""

from __future__ import annotations

import typer

from anomalyclip.cli._checks import check_output
from anomalyclip.cli._decisions import Decisions
from anomalyclip.cli._declared import Given, options_of
from anomalyclip.cli._detect_job import DetectJob
from anomalyclip.cli._opening import open_layout
from anomalyclip.cli._ray_job import check_engine, ray_job
from anomalyclip.errors import ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, 3 some failed, 130 interrupted."
)
@options_of("detect")
def detect(given: Given) -> None:
    """Score images for anomalies: image score, heat map, regions and, with a threshold, a decision.

    A file that cannot be read gets a row with the reason, and the others go on.
    """
    files = ("overlay", "maps", "report", "findings")
    check_engine(given, *files)
    check_output(given, *files)
    decisions = Decisions.of(given)
    if given.findings is not None and decisions.pixel_threshold is None:
        raise ConfigError(
            "--findings needs to know where regions begin: add --pixel-threshold, --threshold or --profile"
        )
    job = DetectJob(given, decisions, *open_layout(given))
    raise typer.Exit((ray_job(job) if given.engine == "ray" else job).run())
