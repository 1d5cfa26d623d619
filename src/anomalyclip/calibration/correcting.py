"""Corrections of a line: a false alarm joins what it remembers, a fault sets where decisions are made.

A false alarm is judged by the memory without itself, as every good picture was, and its score sets the line with
theirs; the line lies above what it scores once it is remembered, so that it is normal from then on. The other pictures
keep their scores: a larger memory could only lower them, so the line errs on the side of fewer alarms. (Distances can
only fall, all statistics but the two of kinds grow with them, and no weight is below 0; on lines of many kinds it is
nearly so.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.conformal import allowed_or_smallest, conformal_threshold, just_above
from anomalyclip.calibration.lining import Learned, raw_peak
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.memory_file import packed, part_of
from anomalyclip.calibration.operating import RecallWish, choose
from anomalyclip.calibration.profile import Profile
from anomalyclip.calibration.profile_parts import (
    Corrections,
    ImageLevel,
    Moved,
    OperatingPoint,
    PixelLevel,
    SelfTest,
    SettingPicture,
)
from anomalyclip.calibration.remembering import Remembered, drawn_again
from anomalyclip.calibration.spoiling import SHOWN, setting_pictures
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.bank import Bank, make_bank
from anomalyclip.judges.memory.held_out import HeldOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from anomalyclip.calibration.gathering import Good
    from anomalyclip.judges.memory.line import Line
    from anomalyclip.judges.memory.seen import Seen

MARGIN = 1e-3
"""Of scores, by which the line lies above a false alarm's own: one decimal place of those that are shown."""
MOST_REMEMBERED = 300
"""Pictures that a memory may grow to by corrections: every comparison costs more with each."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class FalseAlarm:
    """A good picture that was called anomalous.

    region: x, y, width, height where only a part of it is known to be good: its patches are remembered, and its score
    says nothing of good pictures.
    """

    good: Good
    region: Box | None = None


def corrected(
    profile: Profile,
    false_alarms: Sequence[FalseAlarm],
    measure_faulty: Callable[[Profile], Sequence[float]],
    *,
    number: int,
    recall: float,
    faulty: int,
    alone: int = 0,
) -> Profile:
    """The profile after a correction; its memory waits to be saved.

    profile: with or without a memory; without one, false alarms set the thresholds alone (see `thresholds_alone`).
    measure_faulty: image scores by the new profile of all pictures that were called faulty so far. number: of the
    correction in its journal. recall: share of the faulty pictures to find, where they set the operating point. faulty:
    how many of them are new. alone: false alarms that set the thresholds alone, and are not among `false_alarms`.

    Raises ConfigError where the memory would grow beyond MOST_REMEMBERED.
    """
    found = _remembering(profile, false_alarms) if false_alarms else profile
    before = profile.corrections or Corrections()
    told = Corrections(
        numbers=(*before.numbers, number),
        false_alarms=before.false_alarms + sum(one.region is None for one in false_alarms) + alone,
        regions=before.regions + sum(one.region is not None for one in false_alarms),
        faulty=before.faulty + faulty,
    )
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    found = _kept(found, corrections=told, made=made, self_test=None)
    scores = list(measure_faulty(found))
    if not scores:
        return found
    chosen = {"operating": _operating(found, scores, recall)}
    return _kept(found, **chosen) if not faulty else _kept(found, **chosen, moved=None)


def moved_by_hand(profile: Profile, image: float, pixel: float, by: str) -> Profile:
    """The profile with thresholds that a person chose; what was drawn stays beside them."""
    at = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return _kept(profile, moved=Moved(image=image, pixel=pixel, at=at, by=by), made=at)


def tested(profile: Profile, found: SelfTest) -> Profile:
    """The profile with another self-test."""
    return _kept(profile, self_test=found)


def thresholds_alone(profile: Profile, scores: Sequence[float], peaks: Sequence[float]) -> Profile:
    """A profile without a memory, with further good pictures' scores and peaks among its own."""
    every, heights = [*profile.image.scores, *scores], [*profile.pixel.peaks, *peaks]
    image = ImageLevel(
        rate=profile.image.rate, threshold=conformal_threshold(every, profile.image.rate), scores=_ascending(every)
    )
    pixel = profile.pixel.threshold
    if profile.pixel.rule == "image":
        pixel = conformal_threshold(heights, profile.pixel.rate)
    return _kept(
        profile,
        image=image,
        pixel=PixelLevel(rule=profile.pixel.rule, rate=profile.pixel.rate, threshold=pixel, peaks=_ascending(heights)),
    )


def score_by(line: Line, views: Sequence[Seen]) -> float:
    """The image score that a line gives a picture which was seen before, as `detect` would give it."""
    held = HeldOut(views, line.bank, None)
    held.levels = line.levels
    return float(line.score_scale(line.raw_scores(held.parts())).max())


def _remembering(profile: Profile, false_alarms: Sequence[FalseAlarm]) -> Profile:
    assert profile.memory is not None
    opened = profile.opened()
    if opened.line.source.aligned is not None and any(one.region is not None for one in false_alarms):
        raise ConfigError(
            "this line compares patches place by place (--aligned), so it remembers whole pictures only: correct the "
            "picture without a region"
        )
    line = _grown(opened.line, false_alarms)
    whole = [(place, one.good) for place, one in enumerate(false_alarms, opened.line.bank.count) if one.region is None]
    if len(line.names) > MOST_REMEMBERED:
        raise ConfigError(
            f"the memory would hold {len(line.names)} pictures, at most {MOST_REMEMBERED}: calibrate again with them "
            "(`anomalyclip calibrate GOOD... --more CORRECTED...`)"
        )
    held = [(good, HeldOut(good.seen, line.bank, place)) for place, good in whole]
    line = _with_levels(line, [one for _, one in held])
    for _, one in held:
        one.levels = line.levels
    raw = [float(line.raw_scores(one.parts()).max()) for _, one in held]
    heights = [raw_peak(one, line.sigma, line.mixture) for _, one in held]
    measured = Measured(
        scores=[*profile.image.scores, *map(float, line.score_scale(np.array(raw)))],
        peaks=[*profile.pixel.peaks, *map(float, line.map_scale(np.array(heights)))],
        paths=[*[""] * profile.count, *(good.path for _, good in whole)],  # of before, a profile keeps none
    )
    found = Remembered(line, measured, [], Learned(line, measured, []), profile.memory.held_out)
    if whole:
        found = drawn_again(found, profile.image.rate)
    pixel = profile.pixel.threshold
    if whole and profile.pixel.rule == "image":
        pixel = found.pixel_threshold(allowed_or_smallest(len(measured.peaks), profile.pixel.rate))
    thumbnails = [*opened.thumbnails, *(one.good.thumbnail for one in false_alarms)]
    data = packed(found.line, thumbnails)
    memory = part_of(found.line, file=profile.memory.file, data=data, held_out=profile.memory.held_out)

    def again(threshold: float) -> float:
        """The same raw score on the new scale."""
        return float(found.line.score_scale(line.score_scale.inverse(min(threshold, 0.999999))))

    point, moved = profile.operating, profile.moved
    if point is not None:
        point = point.model_copy(update={"threshold": again(point.threshold)})
    if moved is not None:
        moved = moved.model_copy(update={"image": again(moved.image)})
    rate, rule = profile.image.rate, profile.pixel.rule
    threshold = profile.image.threshold
    if whole:
        # Where the words count for much, a picture in the memory may still lie above a line between two scores.
        own = max(score_by(found.line, good.seen) for _, good in whole)
        kept = again(threshold) if profile.corrections and profile.corrections.false_alarms else 0.0
        threshold = max(found.image_threshold, kept, just_above(own + MARGIN))
    return profile.model_copy(
        update={
            "image": ImageLevel(
                rate=rate,
                threshold=threshold,
                scores=_ascending(measured.scores),
            ),
            "pixel": PixelLevel(rule=rule, rate=profile.pixel.rate, threshold=pixel, peaks=_ascending(measured.peaks)),
            "operating": point,
            "moved": moved,
            "memory": memory,
            "setting": _setting(profile, measured, whole, rate) if whole else profile.setting,
        }
    ).holding(data)


def _setting(
    profile: Profile, measured: Measured, added: Sequence[tuple[int, Good]], rate: float
) -> tuple[SettingPicture, ...]:
    """The pictures that set the line now: those of before, and what was added.

    measured: scores of before, ascending, then of what was added. added: (number in the memory, picture).
    """
    before = profile.count
    known = profile.setting if len(profile.setting) == SHOWN else ()  # in the order of the highest scores

    def name_of(place: int) -> tuple[str, int | None] | None:
        if place >= before:
            number, good = added[place - before]
            return good.path.replace("\\", "/").rpartition("/")[2], number
        rank = before - 1 - place
        return (known[rank].name, known[rank].picture) if rank < len(known) else None

    return setting_pictures(measured, rate, name_of)


def _grown(line: Line, false_alarms: Sequence[FalseAlarm]) -> Line:
    """The line with further pictures in its memory, each thinned to what the others have."""
    bank, count = line.bank, line.bank.count
    share = int(np.bincount(bank.pictures).max())
    rows, places, boxes = [bank.rows], [bank.places], [line.boxes]
    owners = [bank.pictures]
    for number, one in enumerate(false_alarms, count):
        chosen, where = _patches(one)
        added = make_bank([chosen], max(share, 1), line.source)
        rows.append(added.rows)
        places.append(where[added.places])
        owners.append(np.full(len(added.rows), number, np.int32))
        boxes.append(one.good.patch_boxes()[where[added.places]])
    names = (*line.names, *(one.good.path.replace("\\", "/").rpartition("/")[2] for one in false_alarms))
    sizes = np.array([one.good.size for one in false_alarms], np.int32).reshape(-1, 2)
    return replace(
        line,
        bank=Bank(np.concatenate(rows), np.concatenate(owners), np.concatenate(places).astype(np.int32), line.source),
        names=names,
        boxes=np.concatenate(boxes).astype(np.int32),
        sizes=np.concatenate([line.sizes, sizes]),
        sha256="",
    )


def _with_levels(line: Line, held: Sequence[HeldOut]) -> Line:
    """What the new pictures have themselves; of one that is good in a region only, what is usual."""
    if line.levels is None:
        return line
    levels = np.repeat(np.median(line.levels, axis=0)[None], line.bank.count, axis=0)
    levels[: len(line.levels)] = line.levels
    for one in held:
        levels[one.own] = one.level()
    return replace(line, levels=levels)


def _patches(one: FalseAlarm) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """The patches (N, D) that are known to be good, and their places."""
    described = np.concatenate([view.described for view in one.good.remembered])
    every = np.arange(len(described), dtype=np.int32)
    if one.region is None:
        return described, every
    x, y, width, height = one.region
    left, top, wide, high = one.good.patch_boxes().T
    across = np.minimum(left + wide, x + width) - np.maximum(left, x)
    down = np.minimum(top + high, y + height) - np.maximum(top, y)
    inside = (across > 0) & (down > 0)
    return described[inside], every[inside]


def _operating(profile: Profile, scores: Sequence[float], recall: float) -> OperatingPoint:
    """By the faulty pictures; never above what was chosen before, whose anomalies still count."""
    point = choose(profile.image.scores, scores, RecallWish(recall))
    earlier = profile.operating
    return earlier if earlier is not None and earlier.threshold < point.threshold else point


def _kept(profile: Profile, **changed: object) -> Profile:
    """The same with other fields, and with its memory where that lies."""
    copied = profile.model_copy(update=changed)
    vars(copied).pop("calibration_scores", None)  # what was computed of other scores
    return copied if profile.memory is None else copied.holding(profile.memory_bytes())


def _ascending(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(str(value)) for value in np.sort(np.array(values, np.float32)))
