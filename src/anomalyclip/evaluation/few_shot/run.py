"""The few-shot half of an evaluation: class by class, line by line; what is finished is never done again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.calibration.conformal import allowed, conformal_threshold
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.mixing import AUTO
from anomalyclip.calibration.remembering import Remembered, remember
from anomalyclip.data.pictures import pictures_of, relative_name, with_own_mask
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.names import frame_key, path_key
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.errors import AnomalyClipError, ConfigError, OutputError
from anomalyclip.evaluation.few_shot.judging import Picture, Verdict, Verdicts, judge_pictures, packed
from anomalyclip.evaluation.few_shot.result import METRICS, Draw
from anomalyclip.evaluation.few_shot.seeing import Sight, SightGatherer, assembled
from anomalyclip.evaluation.few_shot.store import picture_digest
from anomalyclip.evaluation.truth import read_truth
from anomalyclip.io.frames import frame_path
from anomalyclip.io.reading import Reading
from anomalyclip.judges.memory.few import few_line
from anomalyclip.judges.memory.fusion import mixture_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.calibration.gathering import Good
    from anomalyclip.data.dataset import Item
    from anomalyclip.evaluation.few_shot.drawing import Pool
    from anomalyclip.evaluation.few_shot.settings import FewShotSettings
    from anomalyclip.evaluation.settings import EvaluationSettings
    from anomalyclip.judges.memory.seen import Seen


@dataclass(frozen=True)
class FewShotRun:
    """The lines of one class.

    Args:
        sight: sees pictures with the class's model. settings, measuring: of the lines, and of the metrics.
        root: names are relative to it. frames, reading: as pictures are read.
        on_draw: called with each finished draw. advance: called once per line.
    """

    sight: Sight
    settings: FewShotSettings
    measuring: EvaluationSettings
    root: Path
    frames: int | None = None
    reading: Reading = field(default_factory=Reading)
    on_draw: Callable[[Draw], object] = lambda draw: None
    advance: Callable[[], object] = lambda: None
    _zero_shot: dict[frozenset[str], Verdicts] = field(default_factory=dict)

    def run(self, class_name: str, items: Sequence[Item], pool: Pool, done: Sequence[Draw]) -> list[Draw]:
        """All draws of a class, those `done` among them.

        items: what is judged. Raises OutputError where what is seen cannot be kept. Pictures that cannot be read are
        left out here: the zero-shot rows tell them.
        """
        finished = {(one.shots, one.draw): one for one in done}
        wanted = [(shots, draw) for draw in range(self.settings.draws) for shots in self.settings.shots]
        pictures: list[Picture] | None = None
        for shots, draw in wanted:
            if (shots, draw) not in finished:
                if (refusal := pool.refusal(shots)) is not None:
                    found = _without(class_name, shots, draw, refusal)
                else:
                    pictures = self._pictures(items) if pictures is None else pictures
                    found = self._draw(class_name, shots, draw, pool, pictures)
                finished[shots, draw] = found
                self.on_draw(found)
            self.advance()
        return list(finished.values())

    def _draw(self, class_name: str, shots: int, draw: int, pool: Pool, pictures: Sequence[Picture]) -> Draw:
        chosen = pool.drawn(shots, draw, self.settings.seed)
        gatherer = SightGatherer(
            self.sight.model,
            self.sight.source,
            self.sight.geometry,
            self.sight.areas,
            file_reader(self.reading),
            augment=self.settings.augment,
            sight=self.sight,
        )
        rate = self.settings.fpr
        line = remember(
            gatherer,
            [_input(item) for item in chosen],
            rate=rate,
            pixel_rate=rate,
            split=False,
            measure_rest=lambda model, items, known: known,  # at most as many as a memory holds
        )
        references = line.pictures
        names = {relative_name(item.image, self.root) for item in chosen}
        shown = {one.digest.hex() for one in references}
        left = [one for one in pictures if one.name not in names and one.key not in shown]
        if not references:
            return _without(class_name, shots, draw, "no reference could be read")
        if isinstance(line, Remembered):
            judge: Verdict = line.line.judge
            threshold = line.image_threshold
        else:
            source, sigma = self.sight.source, self.sight.model.settings.sigma
            seen = [one.remembered for one in references]
            judge = few_line(seen, source, mixture_of(source) or AUTO, sigma).judge
            threshold = math.nan
        refusal = _refusal(len(references), rate)
        found = judge_pictures(judge, left, self.sight, self.measuring)
        measured, undefined = found.measured(None if refusal else threshold, refusal)
        zero_shot, _ = self._words(left).measured(
            None if refusal else conformal_threshold([self._words_score(one) for one in references], rate), refusal
        )
        labels = [one.label for one in left]
        return Draw(
            class_name,
            shots,
            draw,
            measured,
            zero_shot,
            undefined,
            labels.count(0),
            labels.count(1),
            tuple(sorted(relative_name(Path(one.path), self.root) for one in references)),
        )

    def _words(self, pictures: Sequence[Picture]) -> Verdicts:
        """What the words alone say of the same pictures; once for each choice of pictures."""
        key = frozenset(one.name for one in pictures)
        if key not in self._zero_shot:
            peak = self.sight.model.peak
            self._zero_shot[key] = judge_pictures(_by_words, pictures, self.sight, self.measuring, peak)
        return self._zero_shot[key]

    def _words_score(self, good: Good) -> float:
        outcomes = [(view.score, view.anomaly_map) for view in good.seen]
        plain = self.sight.geometry.plain and self.sight.areas.everything
        return assembled(good.size, good.views, outcomes, good.area, plain=plain, peak=self.sight.model.peak)[0]

    def _pictures(self, items: Sequence[Item]) -> list[Picture]:
        found = (self._picture(item) for item in pictures_of(items, self.frames, self.reading))
        return [one for one in found if one is not None]

    def _picture(self, item: Item) -> Picture | None:
        """None where it cannot be read or judged: its zero-shot row says why."""
        name = relative_name(item.image, self.root)
        name = name if item.frame is None else frame_path(name, item.frame)
        try:
            image = self.reading.image(item.image, item.frame)
            area, _ = self.sight.areas.of(image.size, item.image.name)
            views, key = self.sight.views(image.size, area), picture_digest(image)
            seen = self.sight.seen(image, views, key)
        except OutputError:  # no room for what was seen: no picture is at fault
            raise
        except AnomalyClipError:
            return None
        if not all(_finite(view) for view in seen):
            return None
        side = self.sight.model.settings.image_size if self.measuring.resolution == "model" else None
        try:
            truth, _ = read_truth(with_own_mask(item), image.size, side, max_pixels=self.reading.max_pixels)
        except AnomalyClipError:
            truth = None
        return Picture(name, item.label, key, image.size, views, area, None if truth is None else packed(truth))


def _by_words(view: Seen) -> tuple[float, NDArray[np.float32]]:
    return view.score, view.anomaly_map


def _finite(view: Seen) -> bool:
    return bool(np.isfinite(view.score) and np.isfinite(view.anomaly_map).all())


def _refusal(count: int, rate: float) -> str | None:
    """Why so few pictures draw no line."""
    if count < FEWEST:
        return f"a line takes {FEWEST} good pictures, each left out of the memory in turn"
    try:
        allowed(count, rate)
    except ConfigError as error:
        return str(error)
    return None


def _without(class_name: str, shots: int, draw: int, why: str) -> Draw:
    nothing: dict[str, float | None] = dict.fromkeys(METRICS)
    return Draw(class_name, shots, draw, nothing, nothing, dict.fromkeys(METRICS, why))


def _input(item: Item) -> InputItem:
    path = str(item.image)
    key = path_key(path)
    if item.frame is not None:
        path, key = frame_path(path, item.frame), frame_key(key, item.frame)
    return InputItem(path, item.image.stem, key, frame=item.frame)
