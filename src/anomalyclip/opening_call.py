"""One call of the door, step by step: what was asked for -> the encoder and the judge that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.clip.facts import Given
from anomalyclip.combining import BUILT_IN, Combination, check
from anomalyclip.detector import Detector
from anomalyclip.embedded import Light, find_light, open_light, refuse_without_torch
from anomalyclip.encoders.choosing import choose_runtime
from anomalyclip.encoders.exported import SIDECAR, find_artefact
from anomalyclip.encoders.formats import RUNTIMES, Precision, RuntimeChoice, RuntimeName, check_runtime
from anomalyclip.encoders.graph_sessions import GRAPH_RUNTIMES
from anomalyclip.extras import require
from anomalyclip.hub.resolve import check_model_name
from anomalyclip.io.names import printable
from anomalyclip.judges.choosing import OBJECT
from anomalyclip.settings.scoring import settings_from

if TYPE_CHECKING:
    from anomalyclip.clip.model import CLIP
    from anomalyclip.encoders.base import Encoder
    from anomalyclip.encoders.request import FeatureRequest
    from anomalyclip.hub.resolve import ModelFiles
    from anomalyclip.judges.choosing import Choice, Prompts


@dataclass(frozen=True)
class Call:
    """What was asked for; every step from there is taken once, and only where it is needed."""

    model: str | Path
    spec: str | Path | None = None
    asked: RuntimeChoice = "auto"
    precision: Precision | None = None
    compiled: bool = False
    device: str = "auto"
    threads: int | None = None
    streams: int = 1
    offline: bool = False
    classes: tuple[str, ...] = (OBJECT,)
    settings: Mapping[str, Any] = field(default_factory=dict)
    told: Given = field(default_factory=Given)

    def __post_init__(self) -> None:
        check_runtime(self.asked)

    @cached_property
    def artefact(self) -> Path | None:
        return find_artefact(self.model)

    @cached_property
    def files(self) -> ModelFiles:
        from anomalyclip.hub import meter, resolve_model

        return resolve_model(self.model, offline=self.offline, meter=meter, given=self.told)

    @cached_property
    def prompts(self) -> Prompts:
        from anomalyclip.hub import meter, resolve_prompts
        from anomalyclip.judges.choosing import find_prompts

        wanted = self.spec if self.spec is not None else self.files.prompts_or_error()
        return find_prompts(wanted, lambda name: resolve_prompts(name, offline=self.offline, meter=meter))

    @cached_property
    def runtime(self) -> RuntimeName:
        return choose_runtime(
            self.asked, self.precision, self.model, self.device, converted=self._is_converted, offline=self.offline
        )

    @cached_property
    def choice(self) -> Choice:
        from anomalyclip.judges.choosing import choose_judges

        return choose_judges(
            self.files.weights,
            self.files.name,
            self.prompts,
            self.classes,
            self.settings,
            vision=self.runtime == "torch",
        )

    def export(self) -> Detector:
        """The artefact that the model's name is."""
        from anomalyclip.encoders.graph import GraphEncoder
        from anomalyclip.encoders.sidecar import parse_artefact

        assert self.artefact is not None
        told = parse_artefact(self.artefact / SIDECAR)
        chosen = {**self.settings} if self.spec is None else {**self.settings, "prompts": self.spec}
        check(
            Combination(
                runtime=self.asked,
                precision=self.precision,
                export=told,
                export_name=printable(self.artefact),
                settings={name: value for name, value in chosen.items() if name in BUILT_IN},
            )
        )
        return _built_in(GraphEncoder(self.artefact, **self._where))

    @cached_property
    def embedded(self) -> Light | None:
        """The embedded model without torch, where what is asked for is what it does: on a CPU, in float32."""
        own = self.asked == "native" and self.precision == "fp32"
        elsewhere = (not own and self.asked not in ("auto", *GRAPH_RUNTIMES)) or self.device not in ("auto", "cpu")
        told = self.told != Given()  # the graph reads its own weights as they are: told otherwise, torch has to
        if elsewhere or told or self.compiled or self.precision not in (None, "fp32"):
            return None
        return find_light(self.model, self.spec, self.settings)

    def detector(self) -> Detector:
        """The judge of the first class on the encoder."""
        if self.embedded is not None:
            runtime = None if self.asked == "auto" else self.asked
            words = str(self.spec) if self.spec is not None else self.files.prompts_or_error()
            where = self.threads, self.streams
            return open_light(self.embedded, self.files.name, words, self.settings, runtime, *where)
        refuse_without_torch(f"{self.model} in this way", lambda: check_model_name(self.model))
        self._check()
        if self.runtime in ("openvino", "onnx"):
            require(RUNTIMES[self.runtime][0])
            return self._converted()
        encoder = self._tower()
        return Detector(encoder, self.choice.first, self.choice.settings)

    def encoder(self, gives: FeatureRequest) -> Encoder:
        """What gives these features on the runtime asked for; a graph is converted once and kept."""
        if self.runtime not in GRAPH_RUNTIMES:
            return self._tower()
        require(RUNTIMES[self.runtime][0])
        from anomalyclip.encoders.graph import GraphEncoder
        from anomalyclip.export.conversions import convert_once

        folder = convert_once(self.runtime, self.precision or "fp32", self._loading, self._on_torch, gives)
        return GraphEncoder(folder, **self._where)

    def _check(self) -> None:
        asked = Combination(self.asked, self.precision, self.device, self.compiled, settings=self.settings)
        check(asked)  # before the network is used
        if self.asked == "native":
            _require_kernels()
        known = self.asked in ("auto", "openvino", "onnx") and self._is_converted()
        method = "" if known else self.prompts.method
        check(replace(asked, runtime=self.runtime, method=method))

    @property
    def _where(self) -> dict[str, Any]:
        return {"device": self.device, "threads": self.threads, "streams": self.streams}

    @property
    def _loading(self) -> dict[str, Any]:
        """The call as conversions remember it."""
        name = self.classes[0] if len(self.classes) == 1 else None
        reading = {"reading": self.told.words()} if self.told else {}
        return {"model": self.model, "prompts": self.spec, "class_name": name, **self.settings, **reading}

    def _is_converted(self) -> bool:
        from anomalyclip.export.conversions import known_conversion

        runtime: RuntimeName = "onnx" if self.asked == "onnx" else "openvino"
        return known_conversion(runtime, self.precision or "fp32", self._loading) is not None

    def _converted(self) -> Detector:
        """Words of one class live in the graph; every other judge gets its features of it."""
        from anomalyclip.encoders.graph import GraphEncoder
        from anomalyclip.export.conversions import convert_once

        precision = self.precision or "fp32"
        if len(self.classes) == 1 and (self._is_converted() or self._fits_graphs()):
            folder = convert_once(self.runtime, precision, self._loading, self._on_torch)
            return _built_in(GraphEncoder(folder, **self._where))
        gives = self._needs()
        folder = convert_once(self.runtime, precision, self._loading, self._on_torch, gives)
        return Detector(GraphEncoder(folder, **self._where), self.choice.first, self.choice.settings)

    def _fits_graphs(self) -> bool:
        from anomalyclip.judges.choosing import VAND

        return self.prompts.method != VAND

    def _needs(self) -> FeatureRequest:
        from anomalyclip.encoders.torch import TorchEncoder

        tower = TorchEncoder(self.choice.clip.visual, name=self.files.name, weights_sha256="")  # without its weights
        return self.choice.first.needs(tower)

    def _on_torch(self) -> Detector:
        return replace(self, asked="torch", precision=None, device="cpu").detector()

    def _tower(self) -> Encoder:
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)
        if self.runtime == "native":
            _require_kernels()
            from anomalyclip.clip.weights import vision_blocks
            from anomalyclip.encoders.native import NativeEncoder

            clip = self.choice.clip
            return NativeEncoder(
                clip.visual,
                self.threads,
                name=self.files.name,
                weights_sha256=clip.weights_sha256,
                owned=True,
                blocks=vision_blocks(clip, self.files.weights),
            )
        precision = self.precision or "fp32"
        return torch_encoder(self.choice, self.files.name, self.device, precision=precision, compiled=self.compiled)


def torch_encoder(choice: Choice, name: str, device: str, **options: Any) -> Encoder:
    """The vision tower of the chosen weights on torch, frozen; options: of `TorchEncoder`."""
    from anomalyclip.encoders.devices import pick_device
    from anomalyclip.encoders.torch import TorchEncoder

    clip: CLIP = choice.clip
    visual = clip.visual.to(pick_device(device)).eval().requires_grad_(False)
    return TorchEncoder(visual, name=name, weights_sha256=clip.weights_sha256, **options)


def _built_in(encoder: Any) -> Detector:
    """A graph with its own judge and the settings that it was made with."""
    from anomalyclip.judges.built_in import BuiltIn

    recorded: dict[str, Any] = encoder.artefact.provenance
    settings = settings_from(recorded["settings"])
    return Detector(encoder, BuiltIn(recorded, settings.peak), settings)


def _require_kernels() -> None:
    """Raises ConfigError before a gigabyte is loaded."""
    from anomalyclip.encoders.native import ELSEWHERE
    from anomalyclip.errors import ConfigError
    from anomalyclip.native import why_not

    if reason := why_not("int8"):
        raise ConfigError(f"{reason}. {ELSEWHERE}")
