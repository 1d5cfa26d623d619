"""Options that choose a model and its pace, shared by verbs whose other options differ."""

from __future__ import annotations

from typing import Annotated

import typer

MODEL, SPEED = "Model", "Speed and limits"

Model = Annotated[
    str, typer.Option(help="A name of `anomalyclip models list`, or a weights file.", rich_help_panel=MODEL)
]
Prompts = Annotated[
    str | None,
    typer.Option(help="A prompt file or name; default: the model's own.", rich_help_panel=MODEL, show_default=False),
]
ClassName = Annotated[
    str, typer.Option(help="Fills hand-written prompts such as `--prompts clip`.", rich_help_panel=MODEL)
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.", rich_help_panel=MODEL)]
Layers = Annotated[
    str | None,
    typer.Option(help="Blocks that make the map, such as 6,12,18,24.", rich_help_panel=MODEL, show_default=False),
]
ImageSize = Annotated[
    int | None,
    typer.Option(help="Side in pixels that images are resized to.", rich_help_panel=MODEL, show_default=False),
]
Sigma = Annotated[
    float | None,
    typer.Option(help="Smoothing of the map in pixels of --image-size.", rich_help_panel=MODEL, show_default=False),
]
MapWeight = Annotated[
    float | None,
    typer.Option(
        help="Share of the map's peak in the image score, 0 to 1 (the paper's score: 0).",
        rich_help_panel=MODEL,
        show_default=False,
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=MODEL)]
BatchSize = Annotated[
    int | None,
    typer.Option(
        help="Images per forward pass (default: 8 on a GPU, 1 on a CPU).", rich_help_panel=SPEED, show_default=False
    ),
]
Workers = Annotated[int, typer.Option(help="Threads that read images, and as many that write.", rich_help_panel=SPEED)]
Threads = Annotated[
    int | None, typer.Option(help="CPU threads of the model (default: all).", rich_help_panel=SPEED, show_default=False)
]
MaxPixels = Annotated[
    int | None,
    typer.Option(help="Refuse larger images (default: 89 million pixels).", rich_help_panel=SPEED, show_default=False),
]
