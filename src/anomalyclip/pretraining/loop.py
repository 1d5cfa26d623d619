"""The pretraining loop: resumable, seeded by step, with an exponential moving average of the weights."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.errors import ConfigError
from anomalyclip.io import atomic_write
from anomalyclip.pretraining.lite import fill_stem
from anomalyclip.pretraining.objective import Terms, pretraining_loss
from anomalyclip.pretraining.recipe import Recipe
from anomalyclip.pretraining.shards import batches, make_shards, standardise_stem

_SAVE_EVERY = 100
_LOG_EVERY = 20


@dataclass
class State:
    """All that a checkpoint holds."""

    clip: CLIP
    average: CLIP
    optimiser: torch.optim.Optimizer
    step: int
    seconds: float


def pretrain(recipe: Recipe, folder: Path, *, shards: Path, workers: int = 1) -> CLIP:
    """Run (or go on with) ``recipe`` in ``folder`` and return the averaged CLIP.

    ``folder`` gets ``checkpoint.pt`` every 100 steps and ``log.csv``; ``shards`` the renders, which runs may share.
    Every batch and every random phrase follows from the step number, so a resumed run sees what an uninterrupted one
    would have seen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _start(recipe, folder / "checkpoint.pt")
    make_shards(shards, recipe, state.clip.visual.stem, workers)
    tokenizer = state.clip.tokenizer()
    started = time.monotonic() - state.seconds
    with _progress() as progress, (folder / "log.csv").open("a", newline="") as log:
        task = progress.add_task("pretraining", total=recipe.steps, completed=state.step)
        writer = csv.writer(log)
        recent: list[Terms] = []
        for batch in batches(recipe, shards, state.clip.visual.stem, state.step):
            rng = np.random.default_rng([recipe.seed, state.step])
            _prepare(state, recipe)
            text = state.step % recipe.text_every == 0
            terms = pretraining_loss(
                state.clip, tokenizer, batch, rng, weights=recipe.loss, phrases=recipe.phrases, text=text
            )
            _update(state, terms.total, recipe)
            recent.append(Terms(*(value.detach() for value in terms)))
            state.step += 1
            state.seconds = time.monotonic() - started
            if state.step % _LOG_EVERY == 0:
                means = [float(torch.stack(values).mean()) for values in zip(*recent, strict=True)]
                writer.writerow([state.step, f"{state.seconds:.0f}", *(f"{mean:.4f}" for mean in means)])
                log.flush()
                recent.clear()
                progress.update(task, completed=state.step, description=f"pretraining, loss {means[0]:.3f}")
            if state.step % _SAVE_EVERY == 0 or state.step == recipe.steps:
                _save(state, recipe, folder / "checkpoint.pt")
    return state.average


def _start(recipe: Recipe, checkpoint: Path) -> State:
    clip = random_clip(PRESETS[recipe.architecture], recipe.seed)
    fill_stem(clip.visual.stem)
    for frozen in (clip.visual.stem.first, clip.visual.stem.stages):
        frozen.requires_grad_(False)
    if not checkpoint.is_file():
        standardise_stem(clip.visual.stem, recipe)
    average = random_clip(PRESETS[recipe.architecture], recipe.seed)
    average.load_state_dict(clip.state_dict())
    state = State(clip, average, _optimiser(clip, recipe), 0, 0.0)
    if checkpoint.is_file():
        saved = torch.load(checkpoint, weights_only=True)
        if _decisive(saved["recipe"]) != _decisive(recipe.to_dict()):
            raise ConfigError(f"{checkpoint} belongs to another recipe; choose another folder or remove it")
        clip.load_state_dict(saved["clip"])
        average.load_state_dict(saved["average"])
        state.optimiser.load_state_dict(saved["optimiser"])
        state.step, state.seconds = saved["step"], saved["seconds"]
    return state


def _decisive(recipe: dict[str, Any]) -> dict[str, Any]:
    """The part of a recipe that pretraining follows; the rest comes after it."""
    return {name: value for name, value in recipe.items() if name not in ("language", "prompts", "slim", "readout")}


def _save(state: State, recipe: Recipe, path: Path) -> None:
    with atomic_write(path) as temporary:
        torch.save(
            {
                "recipe": recipe.to_dict(),
                "clip": state.clip.state_dict(),
                "average": state.average.state_dict(),
                "optimiser": state.optimiser.state_dict(),
                "step": state.step,
                "seconds": state.seconds,
            },
            temporary,
        )


def _optimiser(clip: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    trained = [parameter for parameter in clip.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    plain = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.cycles[0].learning_rate, betas=(0.9, 0.98))


def _prepare(state: State, recipe: Recipe) -> None:
    """Set the step's learning rate; a new cycle goes on from the average, which is better than the last step."""
    cycle, step = recipe.cycle_at(state.step)
    if step == 0 and state.step > 0:
        state.clip.load_state_dict(state.average.state_dict())
    for group in state.optimiser.param_groups:
        group["lr"] = cycle.rate(step)


def _update(state: State, loss: Tensor, recipe: Recipe) -> None:
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(state.clip.parameters(), 1.0)
    state.optimiser.step()
    decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for average, current in zip(state.average.parameters(), state.clip.parameters(), strict=True):
            if current.requires_grad:
                average.lerp_(current, 1 - decay)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns)
