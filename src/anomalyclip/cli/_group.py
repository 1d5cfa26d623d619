"""A command group that knows its verbs from a table and imports one only when it runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

#: verb -> its line in `anomalyclip --help`; `anomalyclip.cli.<verb>` holds a Typer `app`.
VERBS = {
    "detect": "Score images, draw heat maps, write tables and a report.",
    "calibrate": "Learn thresholds from normal images, at a false-alarm rate.",
    "watch": "Score new images of a folder or camera as they appear.",
    "train": "Learn prompts on data sets with anomalies; the encoder runs once.",
    "evaluate": "Measure a model on labelled images, as the paper does.",
    "serve": "Answer over HTTP, with a web page to look at.",
    "reproduce": "Rerun the paper's tables on the data sets at hand.",
    "bench": "Time every way to run a model, and what it costs in accuracy.",
    "export": "Write a model as ONNX, OpenVINO or TorchScript, verified.",
    "data": "List, check, describe and render data sets.",
    "models": "List, fetch, verify and locate models and prompts.",
}


class LazyGroup(TyperGroup):
    """Shows every verb of VERBS without importing it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for verb, line in VERBS.items():
            self.commands[verb] = TyperCommand(name=verb, help=line, callback=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the stub that was found by the verb itself."""
        name, _, rest = super().resolve_command(ctx, args)
        if name not in VERBS:
            return name, _, rest
        command = typer.main.get_command(import_module(f"anomalyclip.cli.{name}").app)
        command.name = name
        return name, command, rest
