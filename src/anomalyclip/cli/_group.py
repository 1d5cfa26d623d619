"""A command group that knows its verbs from a table and imports one only when it runs."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

#: words of other tools -> the verb that was meant
MEANT = {
    **dict.fromkeys(("predict", "infer", "inference", "score", "run", "scan", "inspect"), "detect"),
    **dict.fromkeys(("fit", "learn"), "train"),
    **dict.fromkeys(("test", "eval"), "evaluate"),
    **dict.fromkeys(("benchmark", "profile"), "bench"),
    **dict.fromkeys(("convert", "quantize"), "export"),
    **dict.fromkeys(("server", "api", "gui", "ui", "web"), "serve"),
    **dict.fromkeys(("download", "pull"), "models pull"),
    **dict.fromkeys(("threshold", "thresholds"), "calibrate"),
    **dict.fromkeys(("info", "env", "version"), "doctor"),
}

#: verb -> its line in `anomalyclip --help`; `anomalyclip.cli.<verb>` holds its command, `app`.
VERBS = {
    "detect": "Score images, draw heat maps, write tables and a report.",
    "calibrate": "Learn thresholds from normal images, at a false-alarm rate.",
    "watch": "Score new images of a folder or camera as they appear.",
    "train": "Learn prompts on data sets with anomalies; the encoder runs once.",
    "evaluate": "Measure a model on labelled images, as the paper does.",
    "compare": "Put finished runs side by side, with intervals and ranks.",
    "correct": "Tell a profile its false alarms and what is really faulty.",
    "serve": "Answer over HTTP, with a web page to look at.",
    "reproduce": "Rerun the paper's tables on the data sets at hand.",
    "bench": "Time every way to run a model, and what it costs in accuracy.",
    "export": "Write a model as ONNX, OpenVINO or TorchScript, verified.",
    "validate": "Hold an export against the model it came from.",
    "data": "List, check, describe and render data sets.",
    "doctor": "Tell what is installed, what works and what is missing.",
    "models": "List, fetch, verify and locate models and prompts.",
}


class LazyGroup(click.Group):
    """Shows every verb of VERBS without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"anomalyclip.cli.{cmd_name}").app
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(click.style("Verbs", bold=True)):
            formatter.write_dl(list(VERBS.items()))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            verb = next((one for one in args if one in VERBS), None)
            if verb is None:
                raise
            after = f"Options come after the verb: anomalyclip {verb} {error.option_name}"
            raise click.UsageError(f"{error.message} {after}", error.ctx) from error

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args[0] == "help":  # as git has it
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
            args = [args[1], "--help"]
        if args[0] not in VERBS:
            near = [MEANT[args[0]]] if args[0] in MEANT else get_close_matches(args[0], VERBS, n=1)
            meant = f" Did you mean {near[0]}?" if near else f" There are {', '.join(VERBS)}."
            ctx.fail(f"No such verb {args[0]!r}.{meant}")
        return super().resolve_command(ctx, args)
