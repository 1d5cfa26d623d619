"""`anomalyclip doctor`: what is installed here, what works, what is missing, and a bundle for bug reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given, verb
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.cli._diagnosis import Facts

NOT_WORKING = 3


@verb("doctor", third="the main job does not work here")
def app(given: Given) -> None:
    """Tell what is installed, which runtimes and kernels work, and how to get what is missing; try the main job."""
    from anomalyclip.cli._diagnosis import diagnose, scrubbed, works

    facts = diagnose()
    if given.as_json:
        click.echo(json.dumps(facts, indent=2))
    elif not given.quiet:
        _show(facts)
    if given.bundle is not None:
        from anomalyclip.io.atomic import write_bytes

        write_bytes(given.bundle, (json.dumps(scrubbed(facts), indent=2) + "\n").encode())
        what = "without paths, user and machine names; look it through, then attach it"
        note(f"Bundle: {printable(given.bundle)}, {what}.")
    if not works(facts):
        raise click.exceptions.Exit(NOT_WORKING)


def _show(facts: Facts) -> None:
    click.echo(f"anomalyclip {facts['anomalyclip']}")
    for section in ("machine", "runtimes", "cache"):
        _section(section, facts[section])
    packages = facts["packages"]
    if isinstance(packages, dict):
        packages = {"": ", ".join(f"{name} {version}" for name, version in packages.items() if version)}
    _section("packages", packages)
    if facts["environment"]:
        _section("environment", facts["environment"], as_they_are=True)
    _section("main job, on one picture", facts["check"])
    missing = facts["missing"]
    if isinstance(missing, dict):
        missing = {extra: f"{told['for']}: {told['install']}" for extra, told in missing.items()} or "nothing"
    _section("not installed", missing)


def _section(title: str, told: Any, *, as_they_are: bool = False) -> None:
    click.echo(f"\n{title}")
    if not isinstance(told, dict):
        click.echo(f"  {printable(str(told))}")
        return
    width = max(map(len, told), default=0)
    for key, value in told.items():
        shown = (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
        name = f"{key if as_they_are else key.replace('_', ' '):<{width}}  " if key else ""
        click.echo(f"  {name}{printable(shown)}")
