"""Calibration profiles of a server: those it was started with, and those that clients make while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anomalyclip.calibration import Profile, calibrate, images_needed, smallest_rate
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.growing import Growing
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.making import line_profile
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.profile_parts import Corrections, PixelRule
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.reading import Reading
from anomalyclip.serve.corrections import Desk
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


MOST_EARLIER = 3
"""Replaced profiles of one name that are kept."""
_COPIES = 3  # of what a memory holds: its bytes, its opened arrays, what a line in the making derives from them


@dataclass
class _Made:
    """A profile in the making. profile: None while its images are too few, and there was none of this name before.

    revision: grows with every request that changes something under this name. since: the revision that made `profile`,
    of the images `of`. earlier: (revision, profile) of those that it replaced, oldest first. desk: its corrections.
    """

    taken: Taken
    profile: Profile | None = None
    revision: int = 1
    since: int = 1
    of: Taken | None = None
    earlier: list[tuple[int, Profile]] = field(default_factory=list)
    desk: Desk | None = None

    def nbytes(self) -> int:
        """About what it holds."""
        growing = 0 if self.taken.growing is None else self.taken.growing.nbytes
        held = [profile for _, profile in self.earlier] + [self.profile] * _COPIES
        corrected = 0 if self.desk is None else self.desk.nbytes(_bytes_of)
        return _COPIES * growing + sum(_bytes_of(one) for one in held if one is not None) + corrected

    def follow(self, taken: Taken, fitted: Profile | None) -> tuple[_Made, Profile | None]:
        """What comes after it, and the profile that is replaced; one of the same images, grown, replaces nothing."""
        revision = self.revision + 1
        if fitted is None:
            return _Made(taken, self.profile, revision, self.since, self.of, self.earlier, self.desk), None
        replaced = self.profile if self.of is not taken else None
        earlier = self.earlier if replaced is None else [*self.earlier, (self.since, replaced)][-MOST_EARLIER:]
        return _Made(taken, fitted, revision, revision, taken, earlier), replaced

    def changed(self, profile: Profile, desk: Desk) -> _Made:
        """The same, after a correction or a moved threshold."""
        revision = self.revision + 1
        return _Made(self.taken, profile, revision, revision, self.taken, self.earlier, desk)


def _bytes_of(profile: Profile) -> int:
    return 1000 * profile.count + (len(profile.memory_bytes()) if profile.memory is not None else 0)


class Profiles:
    """Profiles by name. `calibrate` runs on one thread only; the others read.

    given: profiles of files; clients can use but not replace them. Raises ConfigError for one of another model.
    provenance: the served model's. most: how many profiles clients may have at once. room: bytes for what they hold.
    """

    def __init__(self, given: Sequence[Profile], provenance: Mapping[str, Any], most: int, room: int) -> None:
        for profile in given:
            profile.check_model(provenance)
        self._given = {profile.name: profile for profile in given}
        self._provenance, self._most, self._room = provenance, most, room
        self._made: dict[str, _Made] = {}

    def all(self) -> list[Profile]:
        made = {name: each.profile for name, each in self._made.items() if each.profile is not None}
        return sorted((self._given | made).values(), key=lambda profile: profile.name)

    def summaries(self) -> list[dict[str, Any]]:
        """Of all, each with its revision and those of the ones that it replaced."""
        return [summary(one) | self._revisions(one.name) for one in self.all()]

    def _revisions(self, name: str) -> dict[str, Any]:
        made = self._made.get(name)
        if made is None:
            return {"revision": 0, "earlier": []}
        return {"revision": made.revision, "earlier": [revision for revision, _ in made.earlier]}

    def check_revision(self, name: str, expected: int | None) -> None:
        """Raises Refused (409) where the client has seen another revision of this name; 0 is none at all."""
        made = self._made.get(name)
        now = 0 if made is None else made.revision
        if expected is not None and expected != now:
            there = "it was removed" if made is None else f"it has revision {now}"
            raise Refused(
                "conflict",
                f"another client changed the profile {name!r}: you know revision {expected}, {there}; look at it, then "
                "send the new revision, or take another name",
            )

    def get(self, name: str, revision: int | None = None) -> Profile:
        """revision: of an earlier one that is kept. Raises Refused (404)."""
        made = self._made.get(name)
        if revision is not None:
            earlier = dict(made.earlier) if made is not None else {}
            if made is not None and made.profile is not None:
                earlier |= dict.fromkeys((made.since, made.revision), made.profile)
            if revision not in earlier:
                known = ", ".join(map(str, sorted(earlier))) or "none"
                raise Refused("not_found", f"revision {revision} of {name!r} is not kept; kept are: {known}")
            return earlier[revision]
        found = (made.profile if made is not None else None) or self._given.get(name)
        if found is None:
            known = ", ".join(profile.name for profile in self.all()) or "none"
            raise Refused("not_found", f"there is no profile {name!r}; known are: {known}")
        return found

    def desk(self, name: str) -> Desk:
        """The corrections of a profile. Raises Refused (404)."""
        profile, made = self.get(name), self._made.get(name)
        return Desk.of(profile) if made is None or made.desk is None else made.desk

    def change(self, name: str, profile: Profile, desk: Desk) -> dict[str, Any]:
        """Put a profile in the place of the one that it was made of, also of one that came with the server (its file
        stays as it is); gives its summary and revisions."""
        old = self._now(name)
        new = old.changed(profile, desk)
        self._refuse_bytes(new.nbytes() - old.nbytes())
        self._made[name] = new
        return {"profile": summary(profile), **self._revisions(name)}

    def annotate(self, name: str, profile: Profile) -> dict[str, Any]:
        """As `change`, where nothing that decides was changed: the revision stays, so that nobody is in the way."""
        old = self._now(name)
        self._made[name] = replace(old, profile=profile)
        return {"profile": summary(profile), **self._revisions(name)}

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
        self._refuse_bytes(0)

    def _refuse_bytes(self, more: int) -> None:
        """Lets go of replaced profiles first. Raises Refused where what clients' profiles hold fills its room."""
        while (held := sum(one.nbytes() for one in self._made.values())) + more > self._room:
            if not (with_earlier := [one for one in self._made.values() if one.earlier]):
                raise Refused(
                    "invalid",
                    f"the profiles of clients hold {held / 1e6:,.0f} MB and there is room for {self._room / 1e6:,.0f}; "
                    "remove one first, or take memory=false",
                )
            min(with_earlier, key=lambda one: one.earlier[0][0]).earlier.pop(0)

    def put(self, profiles: Sequence[Profile]) -> None:
        """Take profiles that a client saved before. Raises Refused: of another model, or a name that cannot be."""
        for profile in profiles:
            self.refuse_given(profile.name)
            self.refuse_more(profile.name)
            try:
                profile.check_model(self._provenance)
            except AnomalyClipError as error:
                raise Refused("invalid", str(error)) from error
        before = [self._now(profile.name) for profile in profiles]
        after = [old.follow(Taken(), profile)[0] for old, profile in zip(before, profiles, strict=True)]
        self._refuse_bytes(sum(new.nbytes() - old.nbytes() for old, new in zip(before, after, strict=True)))
        for profile in profiles:
            self._made[profile.name], _ = self._now(profile.name).follow(Taken(), profile)

    def _now(self, name: str) -> _Made:
        return self._made.get(name) or _Made(Taken(), revision=0)

    def taken(self, name: str, *, append: bool) -> Taken | None:
        """The images of this profile that came before, if they are to be added to. Raises Refused (409) where it was
        corrected: they alone would lose that."""
        made = self._made.get(name) if append else None
        if made is None:
            return None
        if made.profile is not None and (made.profile.corrections or made.profile.moved):
            raise Refused(
                "conflict",
                f"{name!r} was corrected since: take its corrections back, or calibrate it anew with all images",
            )
        return made.taken

    def calibrate(
        self, name: str, taken: Taken, aim: Aim, skipped: Sequence[tuple[str, str]], told: Sequence[str] = ()
    ) -> dict[str, Any]:
        """(Re)make a profile of the images so far; the answer of `POST /v1/calibrate`.

        Where they are too few for the rate, a profile of this name stays as it was. Raises Refused where clients have
        too many profiles.
        """
        self.refuse_more(name)
        fitted = self._fitted(name, taken, aim)
        self._made[name], replaced = self._now(name).follow(taken, fitted)
        kept = self._made[name].profile if fitted is None else None
        return {
            "images": taken.count,
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
            "smallest_rate": smallest_rate(taken.count),
            "images_needed": aim.images_needed,
            "profile": None if fitted is None else summary(fitted),
            "kept": None if kept is None else summary(kept),
            "replaced": None if replaced is None else summary(replaced),
            **self._revisions(name),
            "notes": list(told),
        }

    def _read_so(self, reading: Reading) -> dict[str, Any]:
        """The model's provenance, with how images are read."""
        return {
            **self._provenance,
            "settings": {**self._provenance["settings"], **reading.recorded(), **reading.found()},
        }

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
        "corrections": (profile.corrections or Corrections()).model_dump(mode="json"),
        "moved": None if profile.moved is None else profile.moved.model_dump(mode="json"),
    }
