"""A watch that learns: pictures that look normal by the current line join its memory, until they begin to drift.

Three things keep faults out. A picture is admitted only well inside the line: no region, a score as good as a fifth of
the calibration's pictures or better, and normal to the calibrated memory alone, so that nothing creeps away step by
step. What was calibrated is never forgotten or outweighed. And the calibrated memory goes on scoring every picture that
the learned one calls normal: if these scores rise against the calibration's (`DriftMonitor`), learning stops, and what
was admitted since they began to is taken back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.calibration.drift import DriftMonitor
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.bank import halved
from anomalyclip.judges.memory.comparing import Looked, boxes_of
from anomalyclip.judges.memory.learning import Candidate, Learned, LearningJudge, Picture
from anomalyclip.judges.memory.prototypes import Prototypes, admit, radius_of
from anomalyclip.judges.memory.recipes import AUTO
from anomalyclip.watching.learned_store import LearnedStore, Standing

if TYPE_CHECKING:
    from anomalyclip.calibration.profile import Profile
    from anomalyclip.detect.pipeline import Finished
    from anomalyclip.detect.result import Result
    from anomalyclip.detector import Detector
    from anomalyclip.watching.judging import Judging

ADMITTED = 0.2
"""p-value from which a picture is learned from: of four in five good pictures."""

_LEARNED_SHARE = 2
"""What is learned takes half of what the calibrated memory does at most: a search costs half as much again."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    """A judged picture whose row is not safe yet."""

    looked: Sequence[Looked]
    size: tuple[int, int]


class Learner:
    """Learns from what `note` was shown, when `settle` says that its row enters the journal.

    Args:
        profile: with a memory; what is never forgotten.
        judge: whose `learned` is replaced.
        store: where it is kept.
        tell: takes a line for people.

    Raises:
        ConfigError: the memory cannot learn, or the journal learned from another profile.
    """

    def __init__(
        self, profile: Profile, judge: LearningJudge, store: LearnedStore, tell: Callable[[str], None]
    ) -> None:
        check_learns(profile)
        self._profile, self._judge, self._store, self._tell = profile, judge, store, tell
        bank = judge.line.bank
        self._radius = radius_of(bank)
        self._most = max(1, len(bank.rows) // _LEARNED_SHARE)
        self._monitor = DriftMonitor(profile)
        self._waiting: dict[bytes, _Waiting] = {}
        self._guard = threading.Lock()
        sha256 = judge.line.sha256
        self.standing = store.standing() or Standing(sha256)
        if self.standing.memory != sha256:
            raise ConfigError(
                "this watch learned beside another profile's memory; give that profile, or name another folder with "
                "--output"
            )
        if self.standing.monitor is not None:
            self._monitor.restore(self.standing.monitor)
        self._pictures = store.pictures()
        self._learn(store.prototypes(judge.line))
        if self.standing.stopped:
            tell(self.standing.stopped)

    def note(self, finished: Finished) -> None:
        """Keep what a picture's views looked like until it is settled. Called from several threads."""
        result = finished.result
        assert result.width is not None
        assert result.height is not None
        with self._guard:
            self._waiting[result.item.key] = _Waiting(finished.looked, (result.width, result.height))

    def discard(self, key: bytes) -> None:
        """A picture that does not count."""
        with self._guard:
            self._waiting.pop(key, None)

    def settle(self, result: Result) -> Mapping[str, Any]:
        """Learn from a picture, within the transaction of its row; gives what the row's settings say of it."""
        with self._guard:
            waiting = self._waiting.pop(result.item.key, None)
        if waiting is None or result.score is None:
            return {}
        seen = [one.nearest for one in waiting.looked if isinstance(one.nearest, Candidate)]
        said = {"learned": max(one.learned.version for one in seen)}
        if result.error is not None or result.decision != "normal" or self.standing.stopped:
            return said
        fixed_score = max(one.fixed_score for one in seen)
        self._watch(fixed_score)
        inside = not result.regions and self._profile.p_value(result.score) >= ADMITTED
        if inside and fixed_score < self._profile.image_threshold and not self.standing.stopped:
            self._admit(result, waiting, seen)
        self._store.put(self.standing)
        return said

    def ready(self) -> Judging | None:
        """The judge is the same; what it has learned changes."""
        return None

    def _watch(self, fixed_score: float) -> None:
        """Hold the calibrated memory's score of a picture that was called normal against the calibration."""
        standing, monitor = self.standing, self._monitor
        monitor.add(fixed_score)
        standing.monitor = monitor.state()
        drifting, exceeding = (
            standing.admitted if low else before for low, before in zip(monitor.lowest, standing.clean, strict=True)
        )
        standing.clean = drifting, exceeding
        doubted = [exceeding] if monitor.excessive else []
        if monitor.drifted and not monitor.lower:
            doubted.append(drifting)
        if not doubted:
            return
        clean = min(doubted)
        self._store.take_back(clean)
        standing.stopped = (
            "learning has stopped: what was called normal looks less and less like the calibration. What was learned "
            "since that began is forgotten; look at the last pictures, and calibrate again if they are good"
        )
        self._learn(self._judge.learned.prototypes.before(clean))
        self._tell(standing.stopped)

    def _admit(self, result: Result, waiting: _Waiting, seen: Sequence[Candidate]) -> None:
        line, number = self._judge.line, self.standing.admitted + 1
        rows = halved(np.concatenate([one.described for one in seen]))
        learned = self._judge.learned
        # A batch is judged before its first picture is settled.
        found = [one.found if one.learned is learned else learned.prototypes.distances(one.described) for one in seen]
        admission = admit(
            learned.prototypes,
            number,
            line.source.restored(rows),
            np.concatenate([one.fixed for one in seen]),
            (np.concatenate([near for near, _ in found]), np.concatenate([rows for _, rows in found])),
            radius=self._radius,
            most=self._most,
        )
        boxes = np.concatenate([boxes_of(one.view.box, one.nearest.grid) for one in waiting.looked])
        picture = Picture(Path(result.item.path).name, boxes, waiting.size)
        self._store.admit(number, picture, rows, admission)
        self.standing.admitted = number
        self._pictures[number] = picture
        self._learn(admission.prototypes)

    def _learn(self, prototypes: Prototypes) -> None:
        """Judge by these from now on; pictures that none of them came from are no longer known."""
        self._pictures = {number: self._pictures[number] for number in np.unique(prototypes.pictures).tolist()}
        pictures = list(self._pictures.values())
        self._judge.learned = Learned(self._judge.line, prototypes, pictures, self.standing.admitted)


def check_learns(profile: Profile) -> None:
    """Raises ConfigError for a profile that `--learn` cannot go on from."""
    memory = profile.memory
    if memory is None:
        raise ConfigError(
            f"--learn goes on from a memory, and the profile {profile.name!r} has none: calibrate with four good "
            "pictures or more, or leave --profile out and learn from what comes first"
        )
    if memory.recipe != AUTO or memory.aligned is not None:
        what = "compares patches at their place (--aligned)" if memory.aligned is not None else f"is {memory.recipe}'s"
        raise ConfigError(
            f"--learn goes on from a memory of auto's, and that of {profile.name!r} {what}: calibrate without it"
        )


def learning(model: Detector, profile: Profile) -> tuple[Detector, LearningJudge]:
    """A model whose words are joined with a profile's memory, so that it can learn."""
    judge = LearningJudge(model.judge, profile.opened().line)
    return model.with_judge(judge), judge
