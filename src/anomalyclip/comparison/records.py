"""What runs recorded of themselves, checked as it is read: files that somebody edited are refused by the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.json_objects import loads_once
from anomalyclip.io.names import printable
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import DETECT
from anomalyclip.settings.scoring import DECIDING

_SHOWN = 3  # faults that are named of one file
_DECLARED = {one.name: one for one in (*DECIDING, settings_of(DETECT)["min_area"])}
_THRESHOLDS = {"threshold", "pixel_threshold"}
_NOT_LAYOUT = {"few_shot", "features"}
_ABOVE_ALL = 1.000001  # what a threshold is that nothing reaches


def _as_declared(settings: dict[str, Any]) -> dict[str, Any]:
    for name, value in settings.items():
        if name in _DECLARED and value is None:
            raise ValueError(f"{name} is null")
        if name in _DECLARED:
            try:
                _DECLARED[name].value(value)
            except (ConfigError, TypeError) as error:
                raise ValueError(str(error)) from error
        if (name.endswith("sha256") or name in ("version", "method")) and not isinstance(value, str):
            raise ValueError(f"{name} {value!r} is no text")
        if name in _THRESHOLDS and value is not None and not _is_share(value, _ABOVE_ALL):
            raise ValueError(f"{name} {value!r} is no number from 0 to 1")
    return settings


def _is_share(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


class Record(BaseModel):
    """Takes JSON's own types only: no text for a number, no number for a yes. Later versions may say more."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow")


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Settings = Annotated[dict[str, Any], AfterValidator(_as_declared)]


class Detector(Record):
    """What `Detector.provenance` gives."""

    model: Annotated[str, Field(min_length=1)]
    prompts: str
    settings: Settings
    method: str = ""
    weights_sha256: str = ""
    prompts_sha256: str = ""
    version: str = ""


class PerClass(Record):
    """The same where every class has a model of its own."""

    classes: Annotated[dict[str, Detector], Field(min_length=1)]


class Measured(Record):
    """How an evaluation measured: `EvaluationSettings`; later fields have defaults."""

    resolution: Literal["model", "native"] = "model"
    exact_pixels: bool = False
    fpr_limit: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.3
    resamples: Count = 0
    seed: Count = 0
    threshold: Share | None = None

    @property
    def layout(self) -> dict[str, Any]:
        """How images were laid out and read before the model: tiles, regions, scales."""
        return {name: value for name, value in (self.model_extra or {}).items() if name not in _NOT_LAYOUT}


class EvaluateRun(Record):
    """run.json of `evaluate`."""

    verb: Literal["evaluate"]
    model: Detector | PerClass
    settings: Measured
    files: str


class DetectRun(Record):
    """run.json of `detect` and `watch`."""

    model: Annotated[str, Field(min_length=1)]
    prompts: str
    settings: Settings
    cwd: str | None
    files: dict[str, Any] = Field(default_factory=dict)
    passed_over: dict[str, Any] = Field(default_factory=dict)


T = TypeVar("T", bound=Record)


def read_record(path: Path, model: type[T], verb: str) -> T:
    """One of the records above. verb: the command that writes it.

    Raises InputError that names the file and what in it is not as that command writes it.
    """
    again = f"run {verb} again"
    try:
        content = loads_once(path.read_bytes(), parse_constant=_no_number)
        return model.model_validate(content)
    except ValidationError as error:
        faults = [_fault(one) for one in error.errors(include_url=False)[:_SHOWN]]
        raise InputError(f"{printable(path)} does not fit what {verb} writes ({'; '.join(faults)}); {again}") from error
    except (OSError, ValueError, RecursionError, InputError) as error:
        raise InputError(f"{printable(path)} cannot be read ({error}); {again}") from error


def _fault(error: Any) -> str:
    place = printable(".".join(str(name) for name in error["loc"]))
    said = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = f", it is {printable(json.dumps(given))}" if isinstance(given, str | int | float | bool | None) else ""
    return ": ".join(filter(None, (place, f"{said}{shown}")))


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
