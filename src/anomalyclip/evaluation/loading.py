"""From what `--prompts` says to what judges images: AnomalyCLIP, a baseline, one model for all or one per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.evaluation.exported import open_elsewhere, runs_elsewhere
from anomalyclip.evaluation.models import Detector, EncoderDetector, PerClass
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    import torch

    from anomalyclip.clip.attention import DPAMMode
    from anomalyclip.clip.model import CLIP
    from anomalyclip.encoders.formats import Precision, RuntimeChoice
    from anomalyclip.model import AnomalyCLIP
    from anomalyclip.model_settings import ModelSettings
    from anomalyclip.settings import Preset
    from anomalyclip.text_embeddings import TextEmbeddings

#: what may stand before a path, and the method its file must then be of (None: any)
PREFIXES: dict[str, str | None] = {
    "learned:": None,
    "coop:": "coop",
    "vand:": "vand",
    "object-aware:": "object-aware",
}
WINCLIP = "winclip"
OBJECT = "object"


@dataclass(frozen=True)
class _Options:
    """How the encoder is run; None leaves it to what comes with the prompts."""

    device: str
    layers: Sequence[int] | None
    image_size: int | None
    sigma: float | None
    dpam: DPAMMode | None
    map_weight: float | None

    def refuse(self, method: str, *names: str) -> None:
        """Raise ConfigError for a setting that this method does not have."""
        for name in names:
            if (value := getattr(self, name)) is not None:
                raise ConfigError(f"{method} has no {name} to choose, got {value!r}; leave it out")

    def on(self) -> torch.device:
        from anomalyclip.model import pick_device

        return pick_device(self.device)

    def settings(self, clip: CLIP, preset: Preset) -> ModelSettings:
        from anomalyclip.model_settings import settings_for

        return settings_for(
            clip.config.vision,
            preset,
            layers=self.layers,
            image_size=self.image_size,
            dpam=self.dpam,
            sigma=self.sigma,
            map_weight=self.map_weight,
        )


@dataclass(frozen=True)
class _Call:
    """What a builder needs: the weights, their name, the class names that fill prompts, and how the encoder is run."""

    weights: Path
    name: str
    classes: tuple[str, ...]
    options: _Options


@dataclass(frozen=True)
class _Built:
    """A detector for the first class, everyone's embeddings, and what the prompts are called in results."""

    base: EncoderDetector
    embeddings: Mapping[str, TextEmbeddings]
    prompts: str
    names_classes: bool = True


def load_for(
    classes: Sequence[str],
    model: str | Path = "pocket",
    *,
    prompts: str | Path | None = None,
    class_agnostic: bool = False,
    device: str = "auto",
    layers: Sequence[int] | None = None,
    image_size: int | None = None,
    sigma: float | None = None,
    dpam: DPAMMode | None = None,
    map_weight: float | None = None,
    threads: int | None = None,
    offline: bool = False,
    runtime: RuntimeChoice = "auto",
    precision: Precision | None = None,
) -> Detector | PerClass:
    """Load what judges images of `classes`; the encoder is in memory once, whatever the number of classes.

    Args:
        classes: class names, which fill prompts that name the object.
        model: as for `anomalyclip.load`.
        prompts: a prompt file, a run folder or a known name, as for `anomalyclip.load`; hand-written words (`clip`,
            `clip-ac`, `winclip-ensemble`, `april-gan-ensemble`); `winclip`, the whole of WinCLIP; or `coop:PATH`,
            `vand:PATH`, `object-aware:PATH`, `learned:PATH`, where the word before the path must be the file's method.
            None takes the model's own.
        class_agnostic: fill what names the object with "object" for every class.
        device, layers, image_size, sigma, dpam, map_weight, threads, offline: as for `anomalyclip.load`.
        runtime, precision: as for `anomalyclip.runtime.open_detector`, but "auto" is torch unless `model` is an export;
            elsewhere than in torch float32 there are neither baselines nor prompts that name the class.

    Raises:
        HubError, WeightsError, ConfigError: as `anomalyclip.load`.
        PromptError: also where a file is of another method than `prompts` says, or was learned on another backbone.
    """
    import torch

    from anomalyclip.hub import meter, resolve_model, resolve_prompts
    from anomalyclip.prompts import NAMES

    if runs_elsewhere(model, runtime, precision):
        return open_elsewhere(
            model,
            prompts,
            class_agnostic=class_agnostic,
            baselines=tuple(PREFIXES),
            device=device,
            layers=layers,
            image_size=image_size,
            sigma=sigma,
            dpam=dpam,
            map_weight=map_weight,
            threads=threads,
            offline=offline,
            runtime=runtime,
            precision=precision,
        )
    files = resolve_model(model, offline=offline, meter=meter)
    wanted = str(prompts) if prompts is not None else files.prompts_or_error()
    if threads is not None:
        torch.set_num_threads(threads)
    options = _Options(device, layers, image_size, sigma, dpam, map_weight)
    call = _Call(files.weights, files.name, (OBJECT,) if class_agnostic else tuple(classes), options)
    if wanted == WINCLIP:
        built = _winclip(call)
    elif wanted in NAMES:
        built = _words(call, wanted)
    else:
        prefix, path = _split(wanted)
        built = _from_file(call, resolve_prompts(path, offline=offline, meter=meter), PREFIXES[prefix])
    if class_agnostic or not built.names_classes:
        return built.base
    return PerClass(built.base, built.prompts, built.embeddings)


def _split(wanted: str) -> tuple[str, str]:
    """`coop:PATH` into its prefix and the path; `learned:` where there is none."""
    for prefix in PREFIXES:
        if wanted.startswith(prefix):
            return prefix, wanted.removeprefix(prefix)
    return "learned:", wanted


def _from_file(call: _Call, path: Path, method: str | None) -> _Built:
    from anomalyclip.baselines import is_linear_file, read_metadata

    found = read_metadata(path).method
    if method is not None and found != method:
        raise PromptError(
            f"{printable(path)} was learned by the method {found}, not {method}; name it {found}:PATH, or just PATH"
        )
    return _vand(call, path) if is_linear_file(path) else _prompts(call, path)


def _words(call: _Call, ensemble: str) -> _Built:
    embeddings, clip, preset = _embeddings(call, ensemble)
    return _Built(_anomalyclip(call, embeddings, clip, preset), embeddings, ensemble)


def _prompts(call: _Call, path: Path) -> _Built:
    from anomalyclip.prompts import load_prompts

    embeddings, clip, preset = _embeddings(call, path)
    base = _anomalyclip(call, embeddings, clip, preset)
    return _Built(base, embeddings, str(path), load_prompts(path).settings.object_aware)


def _winclip(call: _Call) -> _Built:
    from anomalyclip.baselines.winclip import ENSEMBLE, WinCLIP

    call.options.refuse(WINCLIP, "layers", "dpam", "map_weight")
    embeddings, clip, preset = _embeddings(call, ENSEMBLE)
    preset = replace(preset, image_size=clip.config.vision.image_size, dpam="qk", sigma=0.0)
    first, settings = _first(embeddings), call.options.settings(clip, preset)
    base = WinCLIP(clip.visual, first, settings, name=call.name, weights_sha256=clip.weights_sha256)
    return _Built(base.to(call.options.on()), embeddings, WINCLIP)


def _vand(call: _Call, path: Path) -> _Built:
    from anomalyclip.baselines import VAND, check_linear, load_linear
    from anomalyclip.prompts import Backbone
    from anomalyclip.text_embeddings import preset_of

    call.options.refuse("vand", "layers", "dpam", "map_weight")
    file = load_linear(path)
    embeddings, clip, _ = _embeddings(call, file.ensemble)
    check_linear(file, Backbone.of(clip, call.name))
    first, settings = _first(embeddings), call.options.settings(clip, preset_of(file.metadata))
    base = VAND(clip.visual, file, first, settings, name=call.name, weights_sha256=clip.weights_sha256)
    return _Built(base.to(call.options.on()), embeddings, f"{path} with {file.ensemble}")


def _embeddings(call: _Call, prompts: str | Path) -> tuple[dict[str, TextEmbeddings], CLIP, Preset]:
    from anomalyclip.text_embeddings import class_embeddings

    return class_embeddings(call.weights, prompts, call.classes, backbone=call.name)


def _anomalyclip(call: _Call, embeddings: Mapping[str, TextEmbeddings], clip: CLIP, preset: Preset) -> AnomalyCLIP:
    from anomalyclip.model import AnomalyCLIP

    first, settings = _first(embeddings), call.options.settings(clip, preset)
    model = AnomalyCLIP(clip.visual, first, settings, name=call.name, weights_sha256=clip.weights_sha256)
    return model.to(call.options.on())


def _first(embeddings: Mapping[str, TextEmbeddings]) -> TextEmbeddings:
    return next(iter(embeddings.values()))
