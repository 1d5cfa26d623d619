"""The one door: a name, a path or an export; prompts or a baseline; a runtime and a precision -> a Detector.

detect, evaluate, calibrate, serve, watch, Ray, bench, export and `anomalyclip.load` come through here. What judges is
chosen in ``anomalyclip.judges.choosing``, what runs the encoder in ``anomalyclip.encoders.choosing``, and what
cannot be combined stands in ``anomalyclip.combining``; the steps of a call are ``anomalyclip.opening_call``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.by_class import PerClass
from anomalyclip.clip.facts import Given
from anomalyclip.detector import Detector
from anomalyclip.embedded import find_light
from anomalyclip.encoders.exported import find_artefact
from anomalyclip.encoders.formats import Precision, RuntimeChoice
from anomalyclip.errors import KeywordError
from anomalyclip.extras import present
from anomalyclip.judges.choosing import OBJECT
from anomalyclip.opening_call import Call, torch_encoder
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import LOAD
from anomalyclip.settings.keywords import check_keywords, none_is_not_given, spelled_out
from anomalyclip.settings.scoring import ScoringKeywords, check_deciding

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from anomalyclip.clip.config import Activation


@spelled_out(ScoringKeywords)
@none_is_not_given()
def load(
    model: str | Path = "pocket",
    *,
    prompts: str | Path | None = None,
    runtime: RuntimeChoice = "auto",
    precision: Precision | None = None,
    device: str = "auto",
    threads: int | None = None,
    offline: bool = False,
    class_name: str = OBJECT,
    activation: Activation | None = None,
    heads: tuple[int, int] | None = None,
    architecture: str | None = None,
    **settings: Unpack[ScoringKeywords],
) -> Detector:
    """Load a model by name or path, with its prompts: `pocket` from its embedded graph, others on torch.

    Args:
        model: ``pocket`` (embedded), ``vit-l-14-336`` and the other names of ``anomalyclip models list``, or a path.
        prompts: see ``open_detector``; None takes the model's default.
        runtime: see ``open_detector``; here "auto" is torch but for the embedded graph, for exports and for int8.
        precision: see ``open_detector``.
        device: ``auto`` (CUDA, then Apple's MPS, then CPU; the CPU for the embedded graph), or torch's name of one.
        threads: CPU threads of the runtime; None leaves them as they are.
        offline: never touch the network.
        class_name: fills hand-written and object-aware prompts.
        activation, heads, architecture: of weights that do not say how they are to be read: "quick_gelu" or "gelu";
            numbers of heads of the vision and the text tower; the published model it is, as
            "open_clip:ViT-B-16-plus-240".
        settings: override what comes with the prompts, see ``anomalyclip.settings.scoring.ScoringKeywords``.

    Raises:
        HubError: an unknown name, or a file that is not here and cannot be fetched; the message says what to do.
        WeightsError, PromptError, ConfigError: a file cannot be used, the prompts were learned on another backbone, or
            a setting is out of range.
    """
    for name in _OPENING & settings.keys():
        raise KeywordError(f"load takes no {name!r}; anomalyclip.opening.open_detector does")
    own = find_artefact(model) is not None or find_light(model, prompts, _given(settings)) is not None
    return open_detector(
        model,
        prompts=prompts,
        runtime="torch" if runtime == "auto" and not own and precision != "int8" else runtime,
        precision=precision,
        device=device,
        threads=threads,
        offline=offline,
        class_name=class_name,
        activation=activation,
        heads=heads,
        architecture=architecture,
        **settings,
    )


@spelled_out(ScoringKeywords)
@none_is_not_given()
def open_detector(
    model: str | Path = "pocket",
    *,
    prompts: str | Path | None = None,
    runtime: RuntimeChoice = "auto",
    precision: Precision | None = None,
    compiled: bool = False,
    device: str = "auto",
    threads: int | None = None,
    streams: int = 1,
    offline: bool = False,
    class_name: str = OBJECT,
    activation: Activation | None = None,
    heads: tuple[int, int] | None = None,
    architecture: str | None = None,
    **settings: Unpack[ScoringKeywords],
) -> Detector:
    """A detector for a model or an exported artefact, with any prompts, on one of the runtimes.

    Args:
        model: as for ``load``; or the folder of an export, or its main file.
        prompts: a prompt file, a run folder or a known name; hand-written words (`clip`, `clip-ac`,
            `winclip-ensemble`, `april-gan-ensemble`); `winclip`, the whole of WinCLIP; or `coop:PATH`, `vand:PATH`,
            `heads:PATH`, `object-aware:PATH`, `learned:PATH`, where the word before the path must be the file's
            method. None takes the model's own.
        runtime: "torch"; "native", our own kernels: int8, and fp32 for the embedded model; or "openvino" or "onnx",
            for which a model is converted once and kept in the cache, but for the embedded model, which has its graph.
            "auto": an artefact's own; the embedded model on our kernels in fp32, on onnxruntime where they cannot run;
            else ``anomalyclip.encoders.choosing.choose_runtime``.
        precision: None is "fp32" for a model, "int8" for native, and an artefact's own.
        compiled: `torch.compile` the encoder (torch only).
        device: ``auto``, ``cpu``, ``cuda``, ``mps``; ``xpu`` is OpenVINO's GPU.
        threads: CPU threads of the runtime; None leaves it to the runtime.
        streams: images of a batch that OpenVINO works on at once, for throughput; the others have one stream.
        offline: never touch the network.
        class_name: fills prompts that name the object.
        activation, heads, architecture: see ``load``.
        settings: override what comes with the prompts, see ``anomalyclip.settings.scoring.ScoringKeywords``;
            None does not.

    Raises:
        ConfigError: a runtime that is not installed, or options that cannot be combined; the message has the remedy.
        InputError: an artefact that is damaged.
        HubError, WeightsError, PromptError: see ``load``.
    """
    told = Given(activation, heads, architecture)
    asked = {"device": device, "threads": threads, "class_name": class_name, "offline": offline}
    check_keywords(asked, settings_of(LOAD))
    device = str(device)  # torch.device, too
    call = Call(
        model,
        prompts,
        runtime,
        precision,
        compiled,
        device,
        threads,
        streams,
        offline,
        (class_name,),
        _given(settings),
        told,
    )
    return call.export() if call.artefact is not None else call.detector()


def open_for(
    classes: Sequence[str],
    model: str | Path = "pocket",
    *,
    class_agnostic: bool = False,
    runtime: RuntimeChoice = "auto",
    precision: Precision | None = None,
    **options: Any,
) -> Detector | PerClass:
    """What judges images of ``classes``; the encoder is in memory once, whatever the number of classes.

    Args:
        classes: class names, which fill prompts that name the object.
        model, precision, options: as for ``open_detector``.
        class_agnostic: fill what names the object with "object" for every class.
        runtime: "auto" is torch in float32 unless ``model`` is an export, or torch is not installed: measures of a name
            are torch's where they can be.

    Raises:
        As ``open_detector``.
    """
    if runtime == "auto" and find_artefact(model) is None and precision in (None, "fp32") and present("torch"):
        runtime = "torch"
    names = (OBJECT,) if class_agnostic else tuple(classes)
    options["spec"] = options.pop("prompts", None)
    running = {name: options.pop(name) for name in _RUNNING if name in options}
    told = Given(*(options.pop(name, None) for name in ("activation", "heads", "architecture")))
    call = Call(
        model, asked=runtime, precision=precision, classes=names, settings=_given(options), told=told, **running
    )
    if call.artefact is not None:
        return call.export()
    if class_agnostic or call.embedded is not None or not call.prompts.by_class:
        return replace(call, classes=names[:1]).detector()
    base = call.detector()
    return PerClass(base, call.choice.prompts, call.choice.judges)


@spelled_out(ScoringKeywords)
@none_is_not_given()
def from_files(
    clip: str | Path,
    prompts: str | Path,
    *,
    class_name: str = OBJECT,
    device: str = "cpu",
    name: str | None = None,
    **settings: Unpack[ScoringKeywords],
) -> Detector:
    """A detector on torch from a CLIP weights file and a prompt file; every setting by hand.

    Args:
        clip: weights in any format of ``anomalyclip.clip.weights.load_clip``.
        prompts: as for ``open_detector``, but files by path alone.
        class_name: for hand-written and object-aware prompts.
        device: where to run.
        name: what to call the weights in results; default is the path.
        settings: those of ``open_detector``. None takes what comes with the prompts (see
            ``anomalyclip.settings.Preset``), then the method's default (last layer; 518 px for 14-pixel patches,
            else the size the weights were trained at; "vv" over 19 of 24 blocks in proportion; sigma 4; tau 0.07; no
            LN_post on the class token, but for hand-written prompts; no share of the map in the score). ``clip`` and
            ``clip-ac`` are baselines of plain CLIP and come with ``dpam`` "qk".

    Raises:
        WeightsError, PromptError, ConfigError: a file cannot be used, the prompts were learned on another backbone, or
            a setting is out of range.
    """
    from anomalyclip.judges.choosing import choose_judges, find_prompts

    name = name or str(clip)
    choice = choose_judges(clip, name, find_prompts(prompts, Path), (class_name,), _given(settings))
    return Detector(torch_encoder(choice, name, device), choice.first, choice.settings)


#: keywords of `Call` that `open_for` hands on
_RUNNING = ("spec", "compiled", "device", "threads", "streams", "offline")

#: keywords that a misspelt one may have meant
_OPENING = {"compiled", "streams"}
_HINTS = (
    "model",
    "prompts",
    "runtime",
    "precision",
    "compiled",
    "device",
    "threads",
    "streams",
    "offline",
    "class_name",
)


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As they are read, without those that leave the choice to the prompts.

    Raises KeywordError for one that is none, ConfigError for a value out of its range.
    """
    read = check_deciding(settings, hints=_HINTS)
    return {name: value for name, value in read.items() if value is not None}
