"""Calibration profiles of a server: those it was started with, and those that clients make while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from anomalyclip.calibration import Profile, calibrate, smallest_rate
from anomalyclip.calibration.making import line_profile
from anomalyclip.calibration.profile_parts import Corrections
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.reading import Reading
from anomalyclip.serve.corrections import Desk
from anomalyclip.serve.keeping import Keeper, fingerprint
from anomalyclip.serve.made import Aim, Made, Taken
from anomalyclip.serve.refusals import Refused
from anomalyclip.settings.faces import SERVE


class Profiles:
    """Profiles by name. `calibrate` runs on one thread only; the others read.

    given: profiles of files; clients can use but not replace them. Raises ConfigError for one of another model.
    provenance: the served model's. most: how many profiles clients may have at once. room: bytes for what they hold.
    keeper: keeps what clients make beyond the server's end, None is nothing; what it holds is there from the start.
    """

    def __init__(
        self,
        given: Sequence[Profile],
        provenance: Mapping[str, Any],
        most: int,
        room: int,
        keeper: Keeper | None = None,
    ) -> None:
        kept = [] if keeper is None else list(keeper.load(given))
        for profile in given:
            profile.check_model(provenance, SERVE)
        for one in kept:
            one.profile.check_model(provenance, SERVE, None if keeper is None else keeper.way_on(one.profile))
        self._given = {profile.name: profile.in_hand() for profile in given}  # files may be made anew while we run
        self._provenance, self._most, self._room, self._keeper = provenance, most, room, keeper
        self._made = {
            one.profile.name: Made(Taken(), one.profile, one.revision, one.revision, None, [], one.desk) for one in kept
        }

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
        """Raises Refused (409) where the client has seen another revision of this name; 0 is none at all.

        Images that were too few for a profile are in nobody's list: who knows of none may begin anew.
        """
        made = self._made.get(name)
        now = 0 if made is None else made.revision
        unseen = made is not None and made.profile is None and expected == 0
        if expected is not None and expected != now and not unseen:
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
        if made is not None and made.desk is not None:
            return made.desk
        return Desk.of(profile) if self._keeper is None else Desk(self._keeper.journal(profile))

    def change(
        self, name: str, profile: Profile, desk: Desk, record: Callable[[], object] = lambda: None
    ) -> dict[str, Any]:
        """Put a profile in the place of the one that it was made of, also of one that came with the server (its file
        stays as it is); gives its summary and revisions. record: writes into the journal, before anything is changed.

        Raises Refused where there is no room, and where it cannot be kept."""
        old = self._now(name)
        new = old.changed(profile, desk)
        self._refuse_bytes(new.nbytes() - old.nbytes())
        self._set(name, new, record)
        return {"profile": summary(profile), **self._revisions(name)}

    def annotate(self, name: str, profile: Profile) -> dict[str, Any]:
        """As `change`, where nothing that decides was changed: the revision stays, so that nobody is in the way."""
        old = self._now(name)
        self._set(name, replace(old, profile=profile, desk=self.desk(name)))
        return {"profile": summary(profile), **self._revisions(name)}

    def remove(self, name: str) -> None:
        """Raises Refused: 404, or 422 for one that came from a file."""
        self.refuse_given(name)
        self.get(name)
        if self._keeper is not None:
            self._keeper.remove(name)
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
                profile.check_model(self._provenance, SERVE)
            except AnomalyClipError as error:
                raise Refused("invalid", str(error)) from error
        before = [self._now(profile.name) for profile in profiles]
        after = [old.follow(Taken(), profile)[0] for old, profile in zip(before, profiles, strict=True)]
        self._refuse_bytes(sum(new.nbytes() - old.nbytes() for old, new in zip(before, after, strict=True)))
        for profile in profiles:
            self._set(profile.name, self._now(profile.name).follow(Taken(), profile)[0])

    def _set(self, name: str, new: Made, record: Callable[[], object] = lambda: None) -> None:
        """What is now under a name; kept first, if it is to be. Raises Refused (500) where that fails."""
        try:
            record()
            if self._keeper is not None and new.profile is not None:
                given = self._given.get(name)
                made_of = None if given is None else fingerprint(given)
                self._keeper.write(new.profile, new.revision, new.desk, made_of)
        except AnomalyClipError as error:
            why = error.__cause__
            while why is not None and not isinstance(why, OSError):
                why = why.__cause__
            said = f": {why.strerror}" if isinstance(why, OSError) else ""
            raise Refused("failed", f"nothing was changed, the server cannot write its --keep folder{said}") from error
        self._made[name] = new

    def _now(self, name: str) -> Made:
        return self._made.get(name) or Made(Taken(), revision=0)

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
        made, replaced = self._now(name).follow(taken, fitted)
        if fitted is None:
            self._made[name] = made
        else:
            self._set(name, made)
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
