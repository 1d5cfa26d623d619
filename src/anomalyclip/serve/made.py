"""A profile that clients make: what it is for, its images so far, what it replaced."""

from __future__ import annotations

from dataclasses import dataclass, field

from anomalyclip.calibration import Profile, images_needed
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.growing import Growing
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.profile_parts import PixelRule
from anomalyclip.io.reading import Reading
from anomalyclip.serve.corrections import Desk


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
class Made:
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
        corrected = 0 if self.desk is None else self.desk.nbytes(bytes_of)
        return _COPIES * growing + sum(bytes_of(one) for one in held if one is not None) + corrected

    def follow(self, taken: Taken, fitted: Profile | None) -> tuple[Made, Profile | None]:
        """What comes after it, and the profile that is replaced; one of the same images, grown, replaces nothing."""
        revision = self.revision + 1
        if fitted is None:
            return Made(taken, self.profile, revision, self.since, self.of, self.earlier, self.desk), None
        replaced = self.profile if self.of is not taken else None
        earlier = self.earlier if replaced is None else [*self.earlier, (self.since, replaced)][-MOST_EARLIER:]
        return Made(taken, fitted, revision, revision, taken, earlier), replaced

    def changed(self, profile: Profile, desk: Desk) -> Made:
        """The same, after a correction or a moved threshold."""
        revision = self.revision + 1
        return Made(self.taken, profile, revision, revision, self.taken, self.earlier, desk)


def bytes_of(profile: Profile) -> int:
    return 1000 * profile.count + (len(profile.memory_bytes()) if profile.memory is not None else 0)
