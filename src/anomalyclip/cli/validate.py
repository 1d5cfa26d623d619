"""`anomalyclip validate`: an export against the model it came from."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import click

from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.comparison.drift import Drift

DRIFTED = 3
_SHOWN = 5


@verb("validate", third="the export drifts beyond what its precision is expected to cost")
def app(given: Given) -> None:
    """Score images with an export and with the model it came from, and say how scores, maps and decisions drift.

    The model is opened again by what the export records; other weights or prompts of the same name are refused.
    """
    from anomalyclip.calibration.files import carried_profile
    from anomalyclip.comparison.drift import drift
    from anomalyclip.detect import iter_inputs
    from anomalyclip.detect.pipeline import file_reader
    from anomalyclip.encoders.exported import find_artefact
    from anomalyclip.encoders.sidecar import read_artefact
    from anomalyclip.extras import present
    from anomalyclip.opening import open_detector
    from anomalyclip.reopening import reopen

    folder = find_artefact(given.artefact)
    if folder is None:
        raise InputError(f"{printable(given.artefact)} holds no export (anomalyclip.json); name the folder of one")
    told = read_artefact(folder)
    items = list(islice(iter_inputs(list(given.inputs)), given.most))
    threads = {} if given.threads is None else {"threads": given.threads}
    anew = f"export anew what is here now (anomalyclip export {told.provenance.get('model')} --overwrite)"
    model = reopen(told.provenance, anew=anew, **({"runtime": "torch"} if present("torch") else {}), **threads)
    export = open_detector(folder, **threads)
    profile = carried_profile(folder)
    if profile is not None:
        export, model = profile.judged(export), profile.judged(model)
    decided = 0.5 if profile is None else profile.image_threshold
    threshold = decided if given.threshold is None else given.threshold
    with progress_bar(shown=not given.quiet) as bar:
        task = bar.add_task("validate", total=len(items))
        found = drift(
            export,
            model,
            items,
            precision=told.precision,
            threshold=threshold,
            read=file_reader(),
            advance=lambda: bar.update(task, advance=1),
        )
    for path, reason in found.failed[:_SHOWN]:
        note(f"left out: {printable(path)}: {printable(reason)}", style="yellow")
    problems = found.problems(given.most_flipped)
    if given.as_json:
        click.echo(json.dumps(found.to_dict(given.most_flipped), indent=2))
    elif not given.quiet:
        _show(found, f"{told.format}, {told.precision}")
    for problem in problems:
        note(f"drift: {problem}", style="red")
    if problems:
        raise click.exceptions.Exit(DRIFTED)
    if not given.quiet and not given.as_json:
        click.echo("Within what this precision is expected to cost.")


def _show(found: Drift, what: str) -> None:
    worst = found.worst()
    click.echo(f"{len(found.images)} images, {what}, against the model it came from")
    for name, label in (
        ("score", "largest difference of a score"),
        ("score_mean", "mean difference of scores"),
        ("map", "largest difference of a pixel"),
        ("map_mean", "mean difference of pixels"),
        ("correlation", "least correlation of two maps"),
    ):
        click.echo(f"  {label:<32}{worst[name]:.5f}")
    click.echo(f"  {f'decisions that differ at {found.threshold:.4g}':<32}{len(found.flipped)}")
    ordered = sorted(found.images, key=lambda one: -abs(one.score - one.reference))
    for one in ordered[:_SHOWN]:
        flip = ", decided otherwise" if one.flipped else ""
        click.echo(f"    {printable(one.path)}: {one.score:.4f}, model {one.reference:.4f}{flip}")
