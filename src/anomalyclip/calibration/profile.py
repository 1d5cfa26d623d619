"""A profile: what normal images of one camera or product score with one model, and the decisions that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from anomalyclip.calibration.conformal import conformal_threshold, p_values
from anomalyclip.calibration.memory_file import MemoryPart, Opened, open_memory, read_memory, unpacked
from anomalyclip.calibration.profile_parts import (
    Corrections,
    ImageLevel,
    Moved,
    Name,
    OperatingPoint,
    Part,
    PixelLevel,
    SelfTest,
    SettingPicture,
)
from anomalyclip.calibration.provenance import provenance_of
from anomalyclip.calibration.recipe import Recipe
from anomalyclip.calibration.remedy import anew, other_content, remedy
from anomalyclip.calibration.writing import write_profiles
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.prediction import Decision
from anomalyclip.settings.faces import DETECT, PYTHON, PYTHON_BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.calibration.binomial import Interval
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry

#: Parts of a model's provenance that do not change its scores.
_NAMES_ONLY = ("model", "prompts", "version", "runtime")
_SHOWN = 100  # characters of a value, in messages
#: Settings that a profile brings with it, see :meth:`Profile.reading`.
_BROUGHT = ("axis", "full_scale", "float_white")


class Profile(Part):
    """Calibration of one model on the normal images of one camera or product; plain JSON on disk.

    name: letters, digits and `_ . @ + -`. made: ISO 8601, UTC. provenance: `model.provenance()` of the model it belongs
    to: names, hashes of weights and prompts, settings. memory: what it remembers of the images, None is nothing; its
    file lies in the folder that the profile was read from, or its bytes wait to be saved. recipe: of
    which pictures it was made, where that is known. setting: the good pictures that set the line, the highest score
    first; profiles made by an older version, and those without a memory, name none.
    """

    name: Name = "default"
    made: str
    provenance: dict[str, Any]
    image: ImageLevel
    pixel: PixelLevel
    operating: OperatingPoint | None = None
    memory: MemoryPart | None = None
    self_test: SelfTest | None = None
    setting: Annotated[tuple[SettingPicture, ...], Field(max_length=100)] = ()
    recipe: Recipe | None = None
    corrections: Corrections | None = None
    moved: Moved | None = None
    _folder: Path = PrivateAttr(default=Path())
    _file: str = PrivateAttr(default="")
    _held: bytes | None = PrivateAttr(default=None)
    _told: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _same_images(self) -> Profile:
        if len(self.image.scores) != len(self.pixel.peaks):
            raise ValueError(
                f"{len(self.image.scores)} scores and {len(self.pixel.peaks)} peaks; expected one per image"
            )
        if not isinstance(self.provenance.get("settings", {}), Mapping):
            raise ValueError("provenance.settings is no object of settings and their values")
        return self

    def __repr__(self) -> str:
        """One line; `model_dump()` has everything."""
        memory = "no memory" if self.memory is None else f"remembers {len(self.memory.pictures)}"
        facts = f"{self.count} good pictures, {memory}, anomalous from {self.image_threshold:.4g} on"
        model = self.provenance.get("model")
        return f"<Profile {self.name!r} of {model}: {facts}, at most {self.image.rate:.3g} false alarms>"

    __str__ = __repr__  # pydantic's own is thousands of characters long

    @property
    def count(self) -> int:
        """Number of normal images, n."""
        return len(self.image.scores)

    @property
    def image_threshold(self) -> float:
        """Scores from here on are anomalous: a person's, else the operating point's, else the conformal threshold."""
        if self.moved is not None:
            return self.moved.image
        return self.operating.threshold if self.operating is not None else self.image.threshold

    @property
    def pixel_threshold(self) -> float:
        """Map values from here on belong to a region."""
        return self.pixel.threshold if self.moved is None else self.moved.pixel

    def decide(self, score: float) -> Decision:
        """ "anomalous" from `image_threshold` on, else "normal"; a score that is no number is refused (InputError)."""
        if not np.isfinite(score):
            raise InputError(f"the score {score} is not a number; an image that failed has no decision")
        return "anomalous" if score >= self.image_threshold else "normal"

    def p_value(self, score: float) -> float:
        """Conformal p-value in [1 / (n + 1), 1]: normal images reach a p-value of x or less with probability <= x."""
        return float(p_values(self.calibration_scores, score))

    def lying_in(self, folder: Path) -> Profile:
        """The same profile, whose memory lies in `folder`."""
        self._folder, self._held = folder, None
        return self

    def read_from(self, file: str) -> Profile:
        """The same profile, read from a file: `FILE` or `FILE:NAME`, as `calibrate --again` takes it."""
        self._file = file
        return self

    def reading(self, asked: Reading) -> Reading:
        """How the pictures of this profile were read, for those to come; `asked` adds its limit.

        Raises ConfigError where `asked` says otherwise.
        """
        own = Reading.of(self.provenance.get("settings", {}), max_pixels=asked.max_pixels)
        for name, default in (("axis", "z"), ("full_scale", None)):
            then, now = getattr(own, name), getattr(asked, name)
            if now not in (default, then):
                raise ConfigError(
                    f"the profile {self.name!r} was calibrated with {name} {then}, not {now}: leave it out, or "
                    "run `anomalyclip calibrate` again"
                )
        return own

    def holding(self, memory: bytes) -> Profile:
        """The same profile, which holds the bytes of its memory instead of lying beside it."""
        self._held = memory
        return self

    def remembering(self, part: MemoryPart) -> Profile:
        """The same profile with another record of its memory, whose bytes it holds."""
        return self.model_copy(update={"memory": part}).holding(self.memory_bytes())

    def telling(self, told: Sequence[str]) -> Profile:
        """The same profile, with what was to be told when it was made."""
        self._told = tuple(told)
        return self

    @property
    def told(self) -> tuple[str, ...]:
        """What `model.calibrate` had to say, a line each: rates that the pictures do not support, pictures that were
        left out, those that set the threshold, the self-test. Empty for a profile that was read."""
        return self._told

    def in_hand(self) -> Profile:
        """The same, holding its memory if it has one: for machines that do not see its folder."""
        return self if self.memory is None else self.model_copy().holding(self.memory_bytes())

    @property
    def holds_memory(self) -> bool:
        """Whether it needs no file beside it for what it remembers."""
        return self._held is not None

    def lies_at(self, place: Path) -> bool:
        """Whether its memory is the file `place`, and not to be written there."""
        return self.memory is not None and self._held is None and self._folder / self.memory.file == place

    def memory_bytes(self) -> bytes:
        """The bytes of its memory file. Raises InputError where it is missing or another one."""
        assert self.memory is not None
        return read_memory(self.memory, self._folder) if self._held is None else self._held

    def opened(self) -> Opened:
        """The line that it remembers, and thumbnails of the good pictures. Raises InputError, see `memory_bytes`."""
        assert self.memory is not None
        if self._held is None:
            return open_memory(self.memory, self._folder)
        return unpacked(self.memory, self._held, Path(self.memory.file))

    def save(self, path: str | Path) -> None:
        """Write the profile as `path`, and its memory beside it; both or none. Raises OutputError."""
        write_profiles(path, [self])

    def judged(self, model: Detector) -> Detector:
        """The model with this profile's memory beside its words, or as it is where there is none.

        Raises InputError where the memory is missing or another one, ConfigError where the model cannot give what it
        compares. Ask :meth:`check_model` first.
        """
        if self.memory is None:
            return model
        from anomalyclip.judges.memory.line import LineJudge

        return model.with_judge(LineJudge(model.judge, self.opened().line))

    def judging(
        self, model: Detector, geometry: Geometry | None = None, areas: Areas | None = None, face: str = DETECT
    ) -> Detector:
        """:meth:`judged`, after :meth:`check_model` with the layout of images."""
        self.check_model(provenance_of(model, geometry, areas), face)
        return self.judged(model)

    def threshold_at(self, rate: float) -> float:
        """The conformal image threshold for another false-positive rate; raises ConfigError if n is too small."""
        return conformal_threshold(self.calibration_scores, rate)

    def rate_interval(self) -> Interval:
        """Where the true false-positive rate of `image.threshold` lies in 95% of calibrations."""
        from anomalyclip.calibration.conformal import rate_interval

        return rate_interval(self.count, self.image.rate)

    def check_model(self, provenance: Mapping[str, Any], face: str = DETECT, ways: str | None = None) -> None:
        """Raises ConfigError that names every difference where `provenance` is not of the model calibrated with.

        face: where the profile is to be used, for the remedy (see `anomalyclip.settings.faces`). ways: another remedy.
        """
        then, now = (dict(_flat(_scoring(given))) for given in (self.provenance, provenance))
        different = [key for key in {**then, **now} if key not in _BROUGHT and then.get(key) != now.get(key)]
        if different:
            listed = "; ".join(f"{key} {_show(then.get(key))} then, {_show(now.get(key))} now" for key in different)
            raise ConfigError(
                f"the profile {self.name!r} was calibrated with another model or other settings, so its thresholds "
                f"mean nothing here: {listed}. {ways or self._ways(provenance, then, different, face)}"
            )

    def made_anew(self, face: str = DETECT) -> str:
        """Of what, and how, a profile like this one is made."""
        known = self.recipe is not None and len(self.recipe.sources) > 0
        again = "model.calibrate" if face in (PYTHON, PYTHON_BATCH) else "calibrate again"
        return f"from the same pictures by {anew(face, self._file)}" if known else f"from good pictures: {again}"

    def _ways(self, now: Mapping[str, Any], then: Mapping[str, Any], different: Sequence[str], face: str) -> str:
        """What to do where it meets another model or other settings."""
        made = self.made_anew(face)
        changed = other_content(self.provenance, now, different)
        if changed:  # nothing that can be asked for brings them back
            return f"{changed[0].upper()}{changed[1:]}, as in another version; make the profile anew {made}"
        use = remedy(self.provenance, then, different, face)
        return f"{use}, or make it anew with this model and these settings {made}"

    @cached_property
    def calibration_scores(self) -> NDArray[np.float32]:
        """`image.scores` as an array (n,), ascending."""
        return np.array(self.image.scores, dtype=np.float32)


def _scoring(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in provenance.items() if key not in _NAMES_ONLY}


def _flat(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Settings beside hashes, tuples as JSON gives them back."""
    flat: list[tuple[str, Any]] = []
    for key, value in tree.items():
        flat += (
            _flat(value) if isinstance(value, Mapping) else [(key, list(value) if isinstance(value, tuple) else value)]
        )
    return flat


def _show(value: object) -> str:
    text = str(value)
    return f"{printable(text[:12])}..." if len(text) == 64 else printable(text[:_SHOWN])
