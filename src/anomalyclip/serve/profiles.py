"""Calibration profiles of a server: those it was started with, and those that clients make while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anomalyclip.calibration import Profile, calibrate, images_needed, smallest_rate
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.growing import Growing
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.making import line_profile
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.profile import PixelRule
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.reading import Reading
from anomalyclip.serve.refusals import Refused


@dataclass(frozen=True)
class Aim:
    """What a calibration is for; see `anomalyclip.calibration.calibrate`. memory: remember the images, from 4 on."""

    rate: float = DEFAULT_RATE
    pixel_rate: float | None = None
    pixel_rule: PixelRule = "image"
    memory: bool = True

    @property
    def rates(self) -> tuple[float, float]:
        """Of images and of regions."""
        return self.rate, self.rate if self.pixel_rate is None else self.pixel_rate

    @property
    def images_needed(self) -> int:
        needed = images_needed(min(self.rates))
        return max(needed, FEWEST) if self.memory else needed


@dataclass
class Taken:
    """The images of one profile so far. growing: with a memory; measured: without one. reading: how all are read."""

    reading: Reading = field(default_factory=Reading)
    growing: Growing | None = None
    measured: Measured = field(default_factory=Measured)

    @property
    def count(self) -> int:
        return len(self.measured.scores) if self.growing is None else self.growing.count


@dataclass
class _Made:
    """A profile in the making. profile: None while its images are too few, and there was none of this name before."""

    taken: Taken
    profile: Profile | None = None


class Profiles:
    """Profiles by name. `calibrate` runs on one thread only; the others read.

    given: profiles of files; clients can use but not replace them. Raises ConfigError for one of another model.
    provenance: the served model's. most: how many profiles clients may have at once.
    """

    def __init__(self, given: Sequence[Profile], provenance: Mapping[str, Any], most: int) -> None:
        for profile in given:
            profile.check_model(provenance)
        self._given = {profile.name: profile for profile in given}
        self._provenance, self._most = provenance, most
        self._made: dict[str, _Made] = {}

    def all(self) -> list[Profile]:
        made = [each.profile for each in self._made.values() if each.profile is not None]
        return sorted([*self._given.values(), *made], key=lambda profile: profile.name)

    def get(self, name: str) -> Profile:
        """Raises Refused (404)."""
        made = self._made.get(name)
        found = self._given.get(name) or (made.profile if made is not None else None)
        if found is None:
            known = ", ".join(profile.name for profile in self.all()) or "none"
            raise Refused("not_found", f"there is no profile {name!r}; known are: {known}")
        return found

    def remove(self, name: str) -> None:
        """Raises Refused: 404, or 422 for one that came from a file."""
        self.refuse_given(name)
        self.get(name)
        self._made.pop(name, None)

    def refuse_given(self, name: str) -> None:
        if name in self._given:
            raise Refused("invalid", f"the profile {name!r} came with the server; take another name")

    def refuse_more(self, name: str) -> None:
        """Raises Refused where clients have too many profiles for another one."""
        if name not in self._made and len(self._made) >= self._most:
            raise Refused("invalid", f"the server holds {self._most} profiles of clients; remove one first")

    def put(self, profiles: Sequence[Profile]) -> None:
        """Take profiles that a client saved before. Raises Refused: of another model, or a name that cannot be."""
        for profile in profiles:
            self.refuse_given(profile.name)
            self.refuse_more(profile.name)
            try:
                profile.check_model(self._provenance)
            except AnomalyClipError as error:
                raise Refused("invalid", str(error)) from error
        for profile in profiles:
            self._made[profile.name] = _Made(Taken(), profile)

    def taken(self, name: str, *, append: bool) -> Taken | None:
        """The images of this profile that came before, if they are to be added to."""
        made = self._made.get(name) if append else None
        return made.taken if made is not None else None

    def calibrate(
        self, name: str, taken: Taken, aim: Aim, skipped: Sequence[tuple[str, str]], told: Sequence[str] = ()
    ) -> dict[str, Any]:
        """(Re)make a profile of the images so far; the answer of `POST /v1/calibrate`.

        Where they are too few for the rate, a profile of this name stays as it was. Raises Refused where clients have
        too many profiles.
        """
        self.refuse_more(name)
        before = self._made.get(name)
        fitted = self._fitted(name, taken, aim)
        kept = before.profile if before is not None and fitted is None else None
        self._made[name] = _Made(taken, fitted or kept)
        return {
            "images": taken.count,
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
            "smallest_rate": smallest_rate(taken.count),
            "images_needed": aim.images_needed,
            "profile": None if fitted is None else summary(fitted),
            "kept": None if kept is None else summary(kept),
            "notes": list(told),
        }

    def _read_so(self, reading: Reading) -> dict[str, Any]:
        """The model's provenance, with how images are read."""
        return {**self._provenance, "settings": {**self._provenance["settings"], **reading.recorded()}}

    def _fitted(self, name: str, taken: Taken, aim: Aim) -> Profile | None:
        if taken.count < aim.images_needed:
            return None
        if taken.growing is not None:
            found = taken.growing.remembered(*aim.rates)
            if found is None:
                return None
            options: dict[str, Any] = {"name": name, "rates": aim.rates, "pixel_rule": aim.pixel_rule}
            return line_profile(found, self._read_so(taken.reading), **options)
        return calibrate(
            taken.measured,
            self._read_so(taken.reading),
            name=name,
            rate=aim.rate,
            pixel_rate=aim.pixel_rate,
            pixel_rule=aim.pixel_rule,
        )


def summary(profile: Profile) -> dict[str, Any]:
    """A profile without its images' scores. A threshold above 1 is one that nothing reaches."""
    return {
        "name": profile.name,
        "made": profile.made,
        "images": profile.count,
        "rate": profile.image.rate,
        "rate_interval": list(profile.rate_interval()),
        "image_threshold": profile.image_threshold,
        "pixel_threshold": profile.pixel_threshold,
        "pixel_rate": profile.pixel.rate,
        "pixel_rule": profile.pixel.rule,
        "remembered": 0 if profile.memory is None else len(profile.memory.pictures),
    }
