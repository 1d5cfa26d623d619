"""The shapes of bodies and answers, as the OpenAPI description shows them."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model

from anomalyclip.errors import ConfigError
from anomalyclip.settings import Setting, settings_of
from anomalyclip.settings.deciding import NAME_PATTERN as NAME_PATTERN
from anomalyclip.settings.faces import REST, REST_CALIBRATE, REST_CORRECT

MapFormat = Literal["png", "tiff16", "npz"]

# A 1 x 1 pixel PNG: the smallest body that works.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"


_SHOWN = 100  # characters of what was given, in refusals


def drawn(name: str, face: str) -> type[BaseModel]:
    """Query parameters with the settings that are declared for `face`; unknown ones are refused."""
    fields: dict[str, Any] = {one.name: _field(one) for one in settings_of(face).values()}
    return create_model(name, __config__=ConfigDict(extra="forbid"), __doc__=f"Query parameters of `{face}`.", **fields)


def _field(setting: Setting) -> tuple[Any, Any]:
    kind: Any = Literal[setting.choices] if setting.choices else str if setting.read else setting.type
    optional = setting.default is None and not setting.required
    bounds: dict[str, Any] = {}
    if (held := setting.range) is not None and setting.read is None:  # what is read checks itself
        bounds |= {"gt": held.low, "lt": held.high} if held.open else {"ge": held.low, "le": held.high}
    default = ... if setting.required else setting.default
    if setting.pattern is not None:
        kind = Annotated[kind, StringConstraints(pattern=setting.pattern)]
    if setting.read is not None:
        kind = Annotated[kind, AfterValidator(partial(_read, setting))]
    if setting.pattern is not None and setting.read is not None:
        kind = Annotated[kind, BeforeValidator(partial(_in_words, setting))]
    return (kind | None if optional else kind), Field(default=default, description=setting.help, **bounds)


def _read(setting: Setting, given: str) -> Any:
    try:
        return setting.value(given)
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _in_words(setting: Setting, given: Any) -> Any:
    """Of what the pattern would refuse, the setting's own words on it, where it has any."""
    if isinstance(given, str) and not re.fullmatch(setting.pattern or "", given):
        _read(setting, given[:_SHOWN])
    return given


class EncodedImage(BaseModel):
    """One image file as text."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(
        default=None, max_length=4096, description="Comes back as `path`.", examples=["part-0001.png"]
    )
    data: str = Field(description="The file's bytes in base64, or a `data:` URI.", examples=[PIXEL])


class ImagesBody(BaseModel):
    """The JSON body of a request with images."""

    model_config = ConfigDict(extra="forbid")

    images: list[EncodedImage] = Field(min_length=1)


if TYPE_CHECKING:

    class DetectOptions(BaseModel):
        """Query parameters of `POST /v1/detect`; drawn from the declarations below."""

        def __getattr__(self, name: str) -> Any: ...

    class CalibrateOptions(DetectOptions):
        """Query parameters of `POST /v1/calibrate`; drawn from the declarations below."""

    class CorrectOptions(DetectOptions):
        """Query parameters of `POST /v1/profiles/NAME/corrections`; drawn from the declarations below."""

else:
    DetectOptions = drawn("DetectOptions", REST)
    CalibrateOptions = drawn("CalibrateOptions", REST_CALIBRATE)
    CorrectOptions = drawn("CorrectOptions", REST_CORRECT)


class EncodedMap(BaseModel):
    """An anomaly map as text."""

    format: MapFormat
    width: int
    height: int
    data: str = Field(description="The file's bytes in base64.")


class Row(BaseModel):
    """One image: the keys of a line of `results.jsonl`, and what was asked for besides."""

    model_config = ConfigDict(extra="allow")

    path: str = Field(description="The name the image was sent under.")
    frame: int | None = Field(description="Which picture of a file of several, from 0; null for a file of one.")
    width: int | None
    height: int | None
    score: float | None = Field(description="Image score in [0, 1]; null where the image could not be read.")
    p_value: float | None = Field(description="Share of normal images that score as high; null without a profile.")
    decision: Literal["anomalous", "normal"] | None = Field(description="Null without a threshold.")
    regions: list[dict[str, Any]] = Field(
        description="With a memory each has `nearest`: `patch`, and the good one it was compared with (`number` and "
        "`picture` in the profile, `box`, `distance`)."
    )
    notes: list[str] = Field(default=[], description="What has to be told about how the picture was read.")
    error: str | None = Field(description="Null, or one line that says why this image failed.")
    model: str
    prompts: str
    settings: dict[str, Any]
    map: EncodedMap | None = None
    preview: str | None = Field(default=None, description="A `data:` URI.")
    digest: str | None = Field(
        default=None, description="With a preview: BLAKE2b of the file, 16 bytes in hexadecimal."
    )


class DetectAnswer(BaseModel):
    """One row per image, in the order they were sent."""

    results: list[Row]


class ProfileSummary(BaseModel):
    """A profile without its images' scores."""

    name: str
    made: str
    images: int
    rate: float
    rate_interval: tuple[float, float] = Field(description="Where the true rate of this calibration lies, 95%.")
    image_threshold: float
    pixel_threshold: float
    pixel_rate: float
    pixel_rule: Literal["image", "pixel"]
    remembered: int = Field(description="Good images that it compares others with; 0 for thresholds alone.")
    corrections: dict[str, Any] = Field(
        description="How many `false_alarms`, `regions` and `faulty` pictures it holds; `numbers`: of its corrections."
    )
    moved: dict[str, Any] | None = Field(description="Thresholds that a person chose: `image`, `pixel`, `at`, `by`.")


class Revised(BaseModel):
    """Which version of a name this is."""

    revision: int = Field(description="Grows with every change; 0 for profiles of files.")
    earlier: list[int] = Field(description="Revisions that were replaced and are kept, oldest first.")


class ListedProfile(ProfileSummary, Revised):
    """A profile and its versions."""


class ProfilesAnswer(BaseModel):
    """All profiles, by name."""

    profiles: list[ListedProfile]


class ProfileFile(BaseModel):
    """The content of a file for `--profile`."""

    format: str
    version: int
    profiles: list[dict[str, Any]]
    memories: dict[str, str] = Field(default={}, description="By profile: the file of its memory in base64.")


class Skipped(BaseModel):
    """A normal image that does not count."""

    path: str
    reason: str


class CalibrateAnswer(Revised):
    """What the images so far come to."""

    images: int
    skipped: list[Skipped] = Field(description="Of this request.")
    smallest_rate: float = Field(description="The smallest false-positive rate that so many images support.")
    images_needed: int = Field(description="For the rate that was asked for.")
    profile: ProfileSummary | None = Field(description="Null while the images are too few.")
    kept: ProfileSummary | None = Field(description="The earlier profile of this name, which stays meanwhile.")
    replaced: ProfileSummary | None = Field(description="The profile of other images that this one took the place of.")
    notes: list[str] = Field(description="What has to be told, such as why there is no memory.")


class CorrectedPicture(BaseModel):
    """What was said of one picture, and what it changed."""

    path: str
    said: Literal["false alarm", "faulty"]
    region: list[int] | None = Field(description="X, y, width, height; null is the whole picture.")
    size: list[int] | None
    regions: list[list[int]] = Field(description="What was found in it.")
    score_before: float | None
    score_after: float | None
    digest: str | None = Field(description="BLAKE2b of the file, 16 bytes in hexadecimal: names are not unique.")


class ChangedProfile(Revised):
    """A profile after it was changed."""

    profile: ProfileSummary


class CorrectAnswer(ChangedProfile):
    """A profile that learned."""

    number: int = Field(description="Of the correction, for taking it back.")
    pictures: list[CorrectedPicture]
    skipped: list[Skipped]


class SelfTestAnswer(ChangedProfile):
    """Which painted faults a line finds."""

    self_test: dict[str, Any] = Field(
        description="`faults` painted, the share `found`, of all and by `kinds`; `tried`: each with `kind`, `size` "
        "(share of the shorter side), `contrast` (of the grey scale) and the picture's `score` with it."
    )
    skipped: list[Skipped] = Field(description="What the profile does not remember.")


class Corrected(BaseModel):
    """A line of a profile's journal."""

    model_config = ConfigDict(extra="allow")

    at: str
    action: Literal["correct", "undo"]
    number: int
    by: str
    in_force: bool
    pictures: list[CorrectedPicture] = []


class CorrectionsAnswer(BaseModel):
    """A profile's journal, oldest first."""

    entries: list[Corrected]


class ModelEntry(BaseModel):
    """The model that is served, with everything that decides a score."""

    name: str
    prompts: str
    settings: dict[str, Any]


class ModelsAnswer(BaseModel):
    """What is served."""

    models: list[ModelEntry]
    live: bool = Field(description="Whether a watch is shown while it runs, at `GET /v1/live`.")
    kept: bool = Field(description="Whether profiles and corrections outlive the server.")


class State(BaseModel):
    """Of the server."""

    status: Literal["ok", "ready", "draining", "failed"]


class ErrorDetail(BaseModel):
    """kind is stable and meant for programs, message for people."""

    kind: str
    message: str


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: ErrorDetail
