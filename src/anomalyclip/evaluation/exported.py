"""Evaluating what does not run in plain torch float32: an export, another runtime, another precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError
from anomalyclip.runtime.sidecar import find_artefact

if TYPE_CHECKING:
    from anomalyclip.evaluation.models import Detector


def runs_elsewhere(model: str | Path, runtime: str, precision: str | None) -> bool:
    """True for an export, or a runtime or precision that was asked for; measures of a name are torch's otherwise."""
    asked = runtime not in ("auto", "torch") or precision not in (None, "fp32")
    return asked or find_artefact(model) is not None


def open_elsewhere(
    model: str | Path, prompts: str | Path | None, *, class_agnostic: bool, baselines: tuple[str, ...], **options: Any
) -> Detector:
    """A detector of `anomalyclip.runtime` for all classes: its prompts are constants.

    Raises ConfigError for baselines, and for prompts that name the class. What :func:`open_detector` raises.
    """
    from anomalyclip.hub import resolve_prompts
    from anomalyclip.prompts import NAMES, load_prompts
    from anomalyclip.runtime import open_detector

    wanted = "" if prompts is None else str(prompts)
    if wanted == "winclip" or wanted.startswith(baselines):
        raise ConfigError(f"{wanted} runs in torch float32 only; leave --runtime and --precision out")
    if wanted and not class_agnostic:
        by_class = wanted in NAMES or load_prompts(resolve_prompts(wanted)).settings.object_aware
        if by_class:
            raise ConfigError(
                f"the prompts {wanted} name the class, and other runtimes have one pair of prompts built in: add "
                "--class-agnostic, or use --runtime torch"
            )
    return open_detector(model, prompts=prompts, **options)
