"""What a profile is made of: thresholds with the scores that they come from, checked as they are read."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from anomalyclip.errors import ConfigError

#: "image": at most `rate` of normal images show any pixel above the threshold. "pixel": at most `rate` of the pixels
#: of normal images lie above it, on average over images.
PixelRule = Literal["image", "pixel"]


def _ascending(values: tuple[float, ...]) -> tuple[float, ...]:
    if any(later < earlier for earlier, later in pairwise(values)):
        raise ValueError("the values must ascend")
    return values


Value = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Threshold = Annotated[float, Field(ge=0, le=1.000001, allow_inf_nan=False)]  # just above 1: nothing reaches it
Rate = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
Values = Annotated[tuple[Value, ...], Field(min_length=1), AfterValidator(_ascending)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@+-]{1,100}$")]


def check_name(name: str) -> str:
    """Raises ConfigError for what cannot be a profile's name."""
    try:
        return TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise ConfigError(
            f"--name {name!r}: expected up to 100 letters, digits and _ . @ + -, such as camera-3"
        ) from error


class Part(BaseModel):
    """Immutable, and refuses fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageLevel(Part):
    """The conformal threshold for image scores. scores: of the normal images, ascending."""

    rate: Rate
    threshold: Threshold
    scores: Values


class PixelLevel(Part):
    """The threshold for anomaly maps. peaks: the highest map value of every normal image, ascending."""

    rule: PixelRule
    rate: Rate
    threshold: Threshold
    peaks: Values


class OperatingPoint(Part):
    """A threshold chosen with labelled anomalies; it takes the place of the conformal one for decisions.

    by: "recall" (wanted: share of anomalies to find) or "cost" (wanted: the expected cost per image there).
    recall, false_positive_rate: (estimate, lower end, upper end), the interval at 95%.
    guaranteed: whether the anomalies are many enough for the wanted recall to be more than an estimate.
    """

    by: Literal["recall", "cost"]
    wanted: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    threshold: Threshold
    anomalies: Annotated[int, Field(ge=1)]
    recall: tuple[Value, Value, Value]
    false_positive_rate: tuple[Value, Value, Value]
    guaranteed: bool


class Moved(Part):
    """Thresholds that a person moved; they take the place of all others for decisions. at: UTC; by: who."""

    image: Threshold
    pixel: Threshold
    at: str
    by: Annotated[str, Field(max_length=100)]


class PaintedFault(Part):
    """One fault that was painted on a good picture, and what the picture scores with it.

    size: share of the picture's shorter side that it reaches over. contrast: share of the grey scale.
    """

    kind: Annotated[str, Field(max_length=100)]
    size: Value
    contrast: Value
    score: Value


class SelfTest(Part):
    """Painted faults that the line finds: how many were painted, and the share found, of all and by kind.

    tried: each of them; profiles made by an older version have none.
    """

    faults: Annotated[int, Field(ge=1)]
    found: Value
    kinds: dict[str, Value]
    tried: Annotated[tuple[PaintedFault, ...], Field(max_length=1000)] = ()


class SettingPicture(Part):
    """One of the good pictures that set the line. score: its own. without: where the threshold would lie without it.
    picture: its number in the memory, None where that does not hold it."""

    name: Annotated[str, Field(max_length=4096)]
    score: Value
    without: Threshold
    picture: Annotated[int, Field(ge=0)] | None = None


class Corrections(Part):
    """What people said of results: how many false alarms joined the good pictures, how many regions of pictures the
    memory, how many pictures were faulty. numbers: of the entries in the journal that are in force."""

    numbers: tuple[Annotated[int, Field(ge=1)], ...] = ()
    false_alarms: Annotated[int, Field(ge=0)] = 0
    regions: Annotated[int, Field(ge=0)] = 0
    faulty: Annotated[int, Field(ge=0)] = 0
