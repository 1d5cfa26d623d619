"""`anomalyclip watch`: what its options mean together; `_watch_job` runs them."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb(
    "watch",
    epilog="Exit codes: 0 ended by Ctrl-C or SIGTERM, or all done; 1 cannot write; 2 cannot use the call or its input; "
    "3 all done, some failed.",
)
def app(given: Given) -> None:
    """Score new images of a folder, or frames of a video or camera, as they appear; tell of anomalies.

    Each image is scored once, through restarts and crashes, and every anomaly reported at least once: the journal in
    --output knows. Ctrl-C and SIGTERM finish the image under way.
    """
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._opening import open_layout
    from anomalyclip.cli._watch_job import WatchJob

    tells = given.webhook or given.command or given.mqtt or given.gate
    if tells and given.threshold is None and given.profile is None:
        raise ConfigError(
            "--webhook, --command, --mqtt and --gate tell of anomalies, and nothing says what one is: add --threshold "
            "or --profile"
        )
    if given.fps is not None and given.every != 1:
        raise ConfigError("--every counts frames and --fps seconds: give only one of them")
    raise click.exceptions.Exit(WatchJob(given, Decisions.of(given), *open_layout(given)).run())
