"""Corrections that clients send: pictures and what was said of them -> a profile that learned, a journal, ways back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from anomalyclip.calibration.correcting import Box, FalseAlarm, corrected, score_by, thresholds_alone
from anomalyclip.calibration.corrections_journal import FALSE_ALARM, Journal, JournalInHand, Said
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.names import printable
from anomalyclip.serve.refusals import Refused

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.calibration.gathering import Good
    from anomalyclip.calibration.measured import Measured
    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.serve.uploads import Upload

MOST_STEPS = 20
"""Corrections of a profile that can be taken back: each keeps the profile as it was."""


class Wish(NamedTuple):
    """What one request says: of all its pictures, or of a region of its only one."""

    said: Literal["false alarm", "faulty"]
    region: Box | None
    by: str
    recall: float


@dataclass(frozen=True, eq=False)
class Faulty:
    """What is kept of a faulty picture: what was seen of it, or its score where no memory judges."""

    views: Sequence[Seen] = ()
    score: float = 0.0

    def by(self, profile: Profile) -> float:
        """Its image score by a profile."""
        return score_by(profile.opened().line, self.views) if self.views else self.score

    @property
    def nbytes(self) -> int:
        return 100 + sum(view.described.nbytes + view.anomaly_map.nbytes for view in self.views)


@dataclass
class Desk:
    """The corrections of one profile: their journal, what is kept of faulty pictures, and what was before.

    Attributes:
        before: (number, profile before it), oldest first. faulty, said: by the number of the correction; the latter
            holds (digest of the file, region) of each picture.
    """

    journal: Journal
    before: list[tuple[int, Profile]] = field(default_factory=list)
    faulty: dict[int, list[Faulty]] = field(default_factory=dict)
    said: dict[int, list[tuple[bytes, Box | None]]] = field(default_factory=dict)

    @classmethod
    def of(cls, profile: Profile) -> Desk:
        """For a profile that may hold corrections of another journal; this one lives as long as the server."""
        numbers = () if profile.corrections is None else profile.corrections.numbers
        return cls(JournalInHand(max(numbers, default=0)))

    def nbytes(self, weight: Callable[[Profile], int]) -> int:
        """About what it holds. weight: bytes of a profile."""
        kept = sum(one.nbytes for group in self.faulty.values() for one in group)
        return kept + sum(weight(profile) for _, profile in self.before)

    def refuse_again(self, profile: Profile, digest: bytes, region: Box | None, name: str) -> None:
        """Raises Refused (409) for what a correction in force says already."""
        in_force = set() if profile.corrections is None else set(profile.corrections.numbers)
        for number in in_force & self.said.keys():
            if (digest, region) in self.said[number]:
                raise Refused(
                    "conflict", f"{name} was corrected before (correction {number}); take that back first, then say it"
                )

    def last(self, profile: Profile, number: int) -> Profile:
        """The profile before the last correction. Raises Refused: 404 where there is no such correction, 409 where
        it is not the last, or what was before is not kept."""
        numbers = () if profile.corrections is None else profile.corrections.numbers
        if number not in numbers:
            raise Refused("not_found", f"the profile {profile.name!r} holds no correction {number}")
        if number != numbers[-1]:
            raise Refused("conflict", f"correction {numbers[-1]} came later: take it back first")
        if not self.before or self.before[-1][0] != number:
            raise Refused("conflict", f"what was before correction {number} is not kept here; calibrate again")
        return self.before[-1][1]

    def without(self, number: int) -> Desk:
        """Without the last correction, which is taken back."""
        faulty = {key: one for key, one in self.faulty.items() if key != number}
        said = {key: one for key, one in self.said.items() if key != number}
        return Desk(self.journal, self.before[:-1], faulty, said)


class Outcome(NamedTuple):
    """profile: that learned. pictures: for the answer. number: of the correction. desk: with what is new."""

    profile: Profile
    pictures: list[Said]
    number: int
    desk: Desk


def learn_from(
    profile: Profile,
    desk: Desk,
    wish: Wish,
    uploads: Sequence[Upload],
    rows: Sequence[Mapping[str, Any]],
    seen: Callable[[Sequence[Upload], bool], Sequence[Good]],
    measured: Callable[[Sequence[Upload]], Measured],
) -> Outcome:
    """Correct a profile by pictures that could be read. Blocks; nothing is changed but the journal, at the end.

    rows: what `detect` says of each. seen, measured: what the model sees of them, for profiles with and without a
    memory. Raises Refused (409) for a picture that was corrected before, 422 for what cannot be learned.
    """
    digests = [(one.digest(), wish.region) for one in uploads]
    for (digest, region), upload in zip(digests, uploads, strict=True):
        desk.refuse_again(profile, digest, region, printable(upload.name))
    number = desk.journal.next_number()
    in_force = () if profile.corrections is None else profile.corrections.numbers
    known = [one for key in in_force for one in desk.faulty.get(key, ())]
    normal = wish.said == FALSE_ALARM
    try:
        learned, own = _learned(profile, wish, uploads, known, number, seen, measured)
    except AnomalyClipError as error:
        raise Refused("invalid", str(error)) from error
    pictures = [
        Said(upload.name, wish.said, wish.region, (row["width"], row["height"]),
             [region["box"] for region in row["regions"]], row["score"], picture.by(learned), digest.hex())
        for upload, row, picture, (digest, _) in zip(uploads, rows, own, digests, strict=True)
    ]  # fmt: skip
    after = Desk(desk.journal, [*desk.before, (number, profile)][-MOST_STEPS:], dict(desk.faulty), dict(desk.said))
    after.said[number] = digests
    if not normal:
        after.faulty[number] = own
    return Outcome(learned, pictures, number, after)


def _learned(
    profile: Profile,
    wish: Wish,
    uploads: Sequence[Upload],
    known: Sequence[Faulty],
    number: int,
    seen: Callable[[Sequence[Upload], bool], Sequence[Good]],
    measured: Callable[[Sequence[Upload]], Measured],
) -> tuple[Profile, list[Faulty]]:
    """The new profile, and what its score of each picture is made of."""
    normal = wish.said == FALSE_ALARM
    start, alarms, alone = profile, list[FalseAlarm](), 0
    if profile.memory is None:
        if normal and wish.region is not None:
            raise Refused("invalid", f"the profile {profile.name!r} has no memory: correct the whole picture")
        found = measured(uploads)
        if len(found.scores) != len(uploads):
            raise Refused("invalid", f"the same picture twice: {found.skipped[0][1]}")
        own = [Faulty(score=score) for score in found.scores]
        if normal:
            start, alone = thresholds_alone(profile, found.scores, found.peaks), len(uploads)
    else:
        goods = seen(uploads, profile.opened().line.augmented)
        own = [Faulty(good.seen) for good in goods]
        if normal:
            alarms = [FalseAlarm(good, wish.region) for good in goods]
    faulty = [*known, *([] if normal else own)]
    learned = corrected(
        start,
        alarms,
        lambda new: [one.by(new) for one in faulty],
        number=number,
        recall=wish.recall,
        faulty=0 if normal else len(uploads),
        alone=alone,
    )
    return learned, own
