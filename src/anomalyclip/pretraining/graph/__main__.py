"""Make a model's graph: ``python -m anomalyclip.pretraining.graph [FOLDER]``; with ``--check`` only prove it right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import anomalyclip
from anomalyclip.encoders.embedded import quickest
from anomalyclip.encoders.formats import installed
from anomalyclip.encoders.graph_sessions import GRAPH_RUNTIMES
from anomalyclip.errors import AnomalyClipError
from anomalyclip.pretraining.graph.making import make_graph, verify_graph

POCKET = Path(anomalyclip.__file__).parent / "assets" / "pocket"

app = typer.Typer(add_completion=False)


@app.command()
def main(
    folder: Annotated[Path, typer.Argument(help="Holds model.safetensors and prompts.safetensors.")] = POCKET,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; compare what is there with torch.")] = False,
) -> None:
    """Write graph.onnx and graph.json, and compare them with torch on every runtime that can run here."""
    try:
        if not check:
            make_graph(folder)
        there = {"native": quickest() == "native", **{name: installed(name) for name in GRAPH_RUNTIMES}}  # type: ignore[arg-type]
        for runtime, usable in there.items():
            if usable:
                gaps = verify_graph(folder, runtime)
                typer.echo(f"{runtime}: " + ", ".join(f"{kind} {gap:.1e}" for kind, gap in gaps.items()))
    except AnomalyClipError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    app()
