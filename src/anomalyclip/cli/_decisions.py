"""What turns scores into decisions: thresholds that were given, or those of a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.detect import Rules
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading


@dataclass(frozen=True)
class Decisions:
    """Thresholds of one run, and the profile that they come from."""

    threshold: float | None
    pixel_threshold: float | None
    min_area: int
    profile: Profile | None = None

    @classmethod
    def of(cls, given: Given) -> Decisions:
        """Reads --profile FILE[:NAME], or takes what the export that is the model carries; a profile brings the
        thresholds, so they may not be given.

        Raises ConfigError, InputError.
        """
        if given.profile is None:
            if not given.said("threshold", "pixel_threshold") and (carried := _carried(given)) is not None:
                return cls(carried.image_threshold, carried.pixel_threshold, given.min_area, carried)
            pixel = given.threshold if given.pixel_threshold is None else given.pixel_threshold
            return cls(given.threshold, pixel, given.min_area)
        if said := given.said("threshold", "pixel_threshold"):
            raise ConfigError(
                f"--profile brings the thresholds that {' and '.join(said)} would set: give one or the other"
            )
        from anomalyclip.calibration import read_profile

        profile = read_profile(given.profile)
        return cls(profile.image_threshold, profile.pixel_threshold, given.min_area, profile)

    def rules(self, *, outlines: bool = False) -> Rules:
        """As the stream takes them."""
        from anomalyclip.detect import Rules

        return Rules(self.threshold, self.pixel_threshold, self.min_area, outlines=outlines)

    def good_pictures(self) -> Sequence[bytes]:
        """JPEGs of the good pictures that the profile's memory compares with; none without one."""
        return () if self.profile is None or self.profile.memory is None else self.profile.opened().thumbnails

    def own_pictures(self) -> set[str]:
        """Absolute paths of the pictures that drew the profile's line, as far as it knows them."""
        recipe = None if self.profile is None else self.profile.recipe
        return set() if recipe is None else {one.path for one in recipe.sources}

    def recorded(self) -> dict[str, Any]:
        """What results record."""
        told = {"threshold": self.threshold, "pixel_threshold": self.pixel_threshold, "min_area": self.min_area}
        return told | (
            {} if self.profile is None else {"profile": self.profile.name, "profile_made": self.profile.made}
        )

    def reading(self, asked: Reading) -> Reading:
        """As the profile's pictures were read, where there is one. Raises ConfigError where `asked` contradicts it."""
        return asked if self.profile is None else self.profile.reading(asked)

    def judged(self, model: Detector, geometry: Geometry, areas: Areas) -> Detector:
        """The model with the profile's memory, if it has one.

        Raises ConfigError where the profile was made with another model or layout, InputError where its memory is
        missing or another one.
        """
        return model if self.profile is None else self.profile.judging(model, geometry, areas)


def _carried(given: Given) -> Profile | None:
    from anomalyclip.encoders.exported import find_artefact

    if find_artefact(given.model) is None:
        return None
    from anomalyclip.calibration.files import carried_profile

    return carried_profile(given.model)
