"""`anomalyclip watch`: what its options mean together; `_watch_job` runs them."""

from __future__ import annotations

import typer

from anomalyclip.cli._decisions import Decisions
from anomalyclip.cli._declared import Given, options_of
from anomalyclip.cli._opening import open_layout
from anomalyclip.cli._watch_job import WatchJob
from anomalyclip.errors import ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(
    epilog="Exit codes: 0 ended by Ctrl-C or SIGTERM, or all done; 1 cannot write; 2 cannot use the call or its input; "
    "3 all done, some failed."
)
@options_of("watch")
def watch(given: Given) -> None:
    """Score new images of a folder, or frames of a video or camera, as they appear; tell of anomalies.

    Each image is scored once, through restarts and crashes, and every anomaly reported at least once: the journal in
    --output knows. Ctrl-C and SIGTERM finish the image under way.
    """
    if (given.webhook or given.command) and given.threshold is None and given.profile is None:
        raise ConfigError(
            "--webhook and --command tell of anomalies, and nothing says what one is: add --threshold or --profile"
        )
    if given.fps is not None and given.every != 1:
        raise ConfigError("--every counts frames and --fps seconds: give only one of them")
    raise typer.Exit(WatchJob(given, Decisions.of(given), *open_layout(given)).run())
