"""What judges in a watch: by thresholds, by a profile, or by what it learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anomalyclip.cli._watch_lines import trouble
from anomalyclip.settings.faces import WATCH

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.cli._decisions import Decisions
    from anomalyclip.cli._declared import Given
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.judging import Judging, Learning


_BEGIN_ANEW = "What a watch has learned goes on with that alone: begin anew with another --output"


@dataclass(frozen=True)
class Asked:
    """A model as it was opened, and what was asked of it. reading: how pictures are read."""

    model: Detector
    decisions: Decisions
    geometry: Geometry
    areas: Areas
    reading: Reading

    def judging(self) -> Judging:
        """By thresholds or a profile. Raises what `Decisions.judged` raises."""
        return self._told(self.decisions.judged(self.model, self.geometry, self.areas), self.decisions)

    def learning(self, given: Given, database: Database, batch_size: int) -> Judging:
        """By a profile that learns: the one given, or that of the first pictures, which are gathered until then.

        Raises ConfigError where it cannot learn.
        """
        from anomalyclip.calibration.provenance import provenance_of
        from anomalyclip.watching.beginning import Beginning, begun

        own = None if self.decisions.profile is not None else begun(given.output)
        if own is not None:
            own.check_model(provenance_of(self.model, self.geometry, self.areas), WATCH, _BEGIN_ANEW)
        if (profile := self.decisions.profile or own) is not None:
            return self._by(profile, database)
        first = Beginning(
            given.output,
            self.model,
            self.geometry,
            self.areas,
            self.decisions.threshold,
            lambda made: self._by(made, database),
            trouble,
            batch_size,
            given.workers,
            self.reading,
        )
        return self._told(self.model, self.decisions, first)

    def _by(self, profile: Profile, database: Database) -> Judging:
        from anomalyclip.calibration.provenance import provenance_of
        from anomalyclip.watching.learned_store import LearnedStore
        from anomalyclip.watching.learning import Learner, check_learns, learning

        check_learns(profile)
        profile.check_model(provenance_of(self.model, self.geometry, self.areas), WATCH)
        model, judge = learning(self.model, profile)
        decisions = replace(
            self.decisions, threshold=profile.image_threshold, pixel_threshold=profile.pixel_threshold, profile=profile
        )
        return self._told(model, decisions, Learner(profile, judge, LearnedStore(database), trouble))

    def _told(self, model: Detector, decisions: Decisions, learning: Learning | None = None) -> Judging:
        from anomalyclip.detect import Provenance
        from anomalyclip.watching.judging import Judging

        layout = self.geometry.settings() | self.areas.settings() | self.reading.recorded()
        provenance = Provenance.of(model, **decisions.recorded(), **layout)
        p_value = None if decisions.profile is None else decisions.profile.p_value
        return Judging(model, decisions.rules(), provenance, p_value, learning)
