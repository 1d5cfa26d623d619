"""From what `--prompts` says to the judges that it means: one for all pictures, or one per class name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anomalyclip.errors import PromptError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.clip.model import CLIP
    from anomalyclip.judges.base import TextJudge
    from anomalyclip.judges.text import TextEmbeddings
    from anomalyclip.settings import ModelSettings, Preset

#: what may stand before a path, and the method its file must then be of (None: any)
PREFIXES: dict[str, str | None] = {
    "learned:": None,
    "coop:": "coop",
    "vand:": "vand",
    "heads:": "heads",
    "object-aware:": "object-aware",
}
WINCLIP, VAND, HEADS = "winclip", "vand", "heads"
OBJECT = "object"


class Prompts(NamedTuple):
    """What `--prompts` names.

    where: a known name, or a path. file: where that lies; None for hand-written words. method: of the judge: "winclip",
    the name of the words, or what the file was learned by. by_class: whether they name the object.
    """

    where: str
    file: Path | None
    method: str
    by_class: bool


def find_prompts(spec: str | Path, resolve: Callable[[str], Path]) -> Prompts:
    """What ``spec`` names.

    spec: a prompt file, a run folder or a known name; hand-written words (`clip`, `clip-ac`, `winclip-ensemble`,
    `april-gan-ensemble`); `winclip`, the whole of WinCLIP; or `coop:PATH`, `vand:PATH`, `heads:PATH`,
    `object-aware:PATH`, `learned:PATH`, where the word before the path must be the file's method. resolve: name or
    path -> file.

    Raises:
        PromptError: the file cannot be read, or is of another method than ``spec`` says. And what ``resolve`` raises.
    """
    from anomalyclip.prompts import NAMES, PromptFile
    from anomalyclip.prompts.kinds import load_any
    from anomalyclip.prompts.linear import LinearFile

    wanted = str(spec)
    if wanted == WINCLIP or wanted in NAMES:
        return Prompts(wanted, None, wanted, by_class=True)
    prefix = next((prefix for prefix in PREFIXES if wanted.startswith(prefix)), "")
    where = wanted.removeprefix(prefix)
    path, demanded = resolve(where), PREFIXES.get(prefix)
    read = load_any(path)
    found = read.metadata.method
    by_class = read.settings.object_aware if isinstance(read, PromptFile) else isinstance(read, LinearFile)
    if demanded is not None and found != demanded:
        raise PromptError(
            f"{printable(path)} was learned by the method {found}, not {demanded}; name it {found}:PATH, or just PATH"
        )
    return Prompts(where, path, found, by_class)


@dataclass(frozen=True)
class Choice:
    """Judges by class name, the settings they share, what the prompts are called, and the CLIP they are of (without its
    text tower)."""

    judges: Mapping[str, TextJudge]
    settings: ModelSettings
    prompts: str
    clip: CLIP

    @property
    def first(self) -> TextJudge:
        """Of the first class."""
        return next(iter(self.judges.values()))


def choose_judges(
    weights: str | os.PathLike[str],
    name: str,
    prompts: Prompts,
    classes: Sequence[str],
    chosen: Mapping[str, Any],
    *,
    vision: bool = True,
) -> Choice:
    """The judges of ``prompts`` for ``classes``.

    Args:
        weights: the CLIP's file. name: what it is called.
        chosen: settings that were chosen by hand (those of ModelSettings); the rest comes with the prompts.
        vision: load the vision tower as well.

    Raises:
        WeightsError, PromptError, ConfigError: see :func:`anomalyclip.judges.embeddings.class_embeddings`, and
            settings that this encoder does not have.
    """
    call = _Call(weights, name, prompts, tuple(classes), chosen, vision)
    if prompts.method == WINCLIP:
        return _winclip(call)
    if prompts.file is None:
        return _words(call)
    return {VAND: _vand, HEADS: _heads}.get(prompts.method, _words)(call)


@dataclass(frozen=True)
class _Call:
    weights: str | os.PathLike[str]
    name: str
    prompts: Prompts
    classes: tuple[str, ...]
    chosen: Mapping[str, Any]
    vision: bool

    def embeddings(self, words: str | Path) -> tuple[dict[str, TextEmbeddings], CLIP, Preset]:
        """Named as the user did: where a package or cache lies is nobody's business."""
        from anomalyclip.judges.embeddings import class_embeddings

        found, clip, preset = class_embeddings(
            self.weights, words, self.classes, backbone=self.name, vision=self.vision
        )
        short = self.prompts.where
        return {one: replace(t, name=t.name.replace(str(words), short)) for one, t in found.items()}, clip, preset

    def settings(self, clip: CLIP, preset: Preset) -> ModelSettings:
        from anomalyclip.settings.resolving import check_settings, settings_for

        settings = settings_for(clip.config.vision, preset, **self.chosen)
        check_settings(settings, clip.config.vision)
        return settings


def _words(call: _Call) -> Choice:
    from anomalyclip.judges.words import Words

    found, clip, preset = call.embeddings(call.prompts.where if call.prompts.file is None else call.prompts.file)
    settings = call.settings(clip, preset)
    return Choice({one: Words(text, settings) for one, text in found.items()}, settings, call.prompts.where, clip)


def _winclip(call: _Call) -> Choice:
    from anomalyclip.judges.windows import ENSEMBLE, WinCLIP

    call = replace(call, prompts=call.prompts._replace(where=ENSEMBLE))
    found, clip, preset = call.embeddings(ENSEMBLE)
    preset = replace(preset, image_size=clip.config.vision.image_size, dpam="qk", sigma=0.0)
    settings = call.settings(clip, preset)
    return Choice({one: WinCLIP(text, settings) for one, text in found.items()}, settings, WINCLIP, clip)


def _vand(call: _Call) -> Choice:
    from anomalyclip.judges import linear
    from anomalyclip.prompts import Backbone
    from anomalyclip.prompts.linear import check_linear, load_linear

    assert call.prompts.file is not None
    where = call.prompts.where
    file = replace(load_linear(call.prompts.file), path=where)
    words = replace(call, prompts=call.prompts._replace(where=file.ensemble))
    found, clip, _ = words.embeddings(file.ensemble)
    check_linear(file, Backbone.of(clip, call.name))
    settings = call.settings(clip, file.metadata.preset)
    first = linear.VAND(file, next(iter(found.values())), settings)  # its layers are in memory once
    judges = {one: first.with_text(text) for one, text in found.items()}
    return Choice(judges, settings, f"{where} with {file.ensemble}", clip)


def _heads(call: _Call) -> Choice:
    from anomalyclip.clip.weights import load_clip
    from anomalyclip.judges.heads import Heads
    from anomalyclip.prompts import Backbone
    from anomalyclip.prompts.heads import check_heads, load_heads

    assert call.prompts.file is not None
    where = call.prompts.where
    file = replace(load_heads(call.prompts.file), path=where)
    clip = load_clip(call.weights, text=False, vision=call.vision)  # no words: the text tower is not read
    check_heads(file, Backbone.of(clip, call.name))
    settings = call.settings(clip, file.metadata.preset)
    return Choice(dict.fromkeys(call.classes, Heads(file, settings, where)), settings, where, clip)
