"""`anomalyclip calibrate`: what its options mean together; `_calibrate_job` runs them."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb("calibrate", third="some images skipped")
def app(given: Given) -> None:
    """Learn from normal images where to draw the line, with a false-positive rate that holds.

    Use images of the camera and product to come, not those a result will be reported on.
    """
    from anomalyclip.cli._calibrate_job import CalibrateJob
    from anomalyclip.cli._opening import open_layout

    if not given.inputs and given.again is None:
        raise ConfigError("calibrate needs pictures without defects: a folder, or --again FILE for those of a profile")
    _check_wishes(given)
    raise click.exceptions.Exit(CalibrateJob(given, *open_layout(given)).run())


def _check_wishes(given: Given) -> None:
    """Raises ConfigError for halves of a wish, or two of them."""
    costs = given.flags("cost_miss", "cost_false_alarm", "anomaly_share")
    said = [option for option, value in costs.items() if value is not None]
    missing = [option for option in costs if option not in said]
    recall = given.min_recall is not None
    if said and missing:
        raise ConfigError(
            f"{', '.join(said)} needs {' and '.join(missing)}, too: a cost is weighed by how often it falls due"
        )
    if said and recall:
        raise ConfigError(f"--min-recall and {said[0]} both choose the threshold: give one of them")
    if given.anomalies and not said and not recall:
        raise ConfigError("--anomalies needs what to choose by: --min-recall, or --cost-miss with --cost-false-alarm")
    if not given.anomalies and (said or recall):
        raise ConfigError(f"{said[0] if said else '--min-recall'} needs images with defects: add --anomalies PATH")
