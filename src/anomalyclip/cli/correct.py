"""`anomalyclip correct`: what its options mean together; `_correct_job` runs them."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb("correct", third="some pictures could not be used", several=("--normal", "--faulty"))
def app(given: Given) -> None:
    """Say of results what is wrong: a false alarm joins the profile's good pictures, a fault sets where it decides.

    NAME is a path or file name of a row; NAME#region=2 is its second region alone. Every correction is journalled
    beside the profile and can be undone.
    """
    from anomalyclip.cli._correct_job import CorrectJob

    said = given.said("normal", "faulty", "said_in")
    if given.undo and said:
        raise ConfigError(f"--undo takes the last correction back: leave {' and '.join(said)} out")
    if not said and not given.undo and given.export is None:
        raise ConfigError(
            "nothing to correct: add --normal NAME, --faulty NAME, --said-in FILE, --undo, or --export FILE"
        )
    if given.export is not None and given.export.suffix.lower() not in (".csv", ".json"):
        raise ConfigError(f"--export {given.export}: the ending says the format: .csv, or .json for COCO")
    raise click.exceptions.Exit(CorrectJob(given).run())
