"""`anomalyclip detect`: what its options mean together; `_detect_job` runs them."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb("detect", third="some failed")
def app(given: Given) -> None:
    """Score images for anomalies: image score, heat map, regions and, with a threshold, a decision.

    A file that cannot be read gets a row with the reason, and the others go on.
    """
    from anomalyclip.cli._checks import check_output
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._detect_job import DetectJob
    from anomalyclip.cli._opening import open_layout
    from anomalyclip.cli._ray_job import check_engine, ray_job

    files = ("overlay", "maps", "report", "findings")
    check_engine(given, *files)
    check_output(given, *files)
    decisions = Decisions.of(given)
    if given.findings is not None and decisions.pixel_threshold is None:
        raise ConfigError(
            "--findings needs to know where regions begin: add --pixel-threshold, --threshold or --profile"
        )
    if given.aligned is not None and not given.mutual:
        raise ConfigError(
            "--aligned says how the pictures of a batch are compared: add --mutual. A line's memory has its own "
            "(anomalyclip calibrate --aligned)"
        )
    if given.mutual:
        from anomalyclip.cli._mutual_job import MutualJob, check_mutual

        check_mutual(given, decisions, layout := open_layout(given))
        if given.engine == "ray":
            raise click.exceptions.Exit(ray_job(DetectJob(given, decisions, *layout)).run())
        raise click.exceptions.Exit(MutualJob(given, decisions, *layout).run())
    job = DetectJob(given, decisions, *open_layout(given))
    raise click.exceptions.Exit((ray_job(job) if given.engine == "ray" else job).run())
