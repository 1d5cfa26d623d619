"""From good pictures to a profile and its memory: what `anomalyclip calibrate` and `Detector.calibrate` do alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from anomalyclip.calibration.conformal import allowed, allowed_or_smallest, images_needed
from anomalyclip.calibration.fitting import calibrate
from anomalyclip.calibration.gathering import THUMBNAIL, Gathered, Gatherer
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.measured import Measured
from anomalyclip.calibration.memory_file import memory_name, packed, part_of
from anomalyclip.calibration.provenance import provenance_of
from anomalyclip.calibration.remembering import Remembered, remember
from anomalyclip.calibration.selftest.chart import Tried, chart_lines, summary_of, try_faults
from anomalyclip.calibration.spoiling import (
    Spoiler,
    group_lines,
    setting_pictures,
    spoiler_lines,
    spoilers,
    strange_groups,
    suspicious_names,
)
from anomalyclip.calibration.twins import twin_lines
from anomalyclip.combining import check_memory_options, memory_source
from anomalyclip.detect.inputs import InputItem
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.errors import AnomalyClipError, ConfigError, InputError
from anomalyclip.io.names import printable
from anomalyclip.io.pictures import thumbnail_jpeg
from anomalyclip.judges.memory.recipes import AUTO

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.calibration.operating import Wish
    from anomalyclip.calibration.profile import Profile
    from anomalyclip.calibration.profile_parts import PixelRule
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading
    from anomalyclip.judges.memory.source import Source

_SHOWN = 3


class Unusual(NamedTuple):
    """A picture that sets the threshold, and a small JPEG of it."""

    spoiler: Spoiler
    thumbnail: bytes | None


class Measure(Protocol):
    """Scores and peaks of items by a detector, leaving out pictures that are known."""

    def __call__(self, model: Detector, items: Sequence[InputItem], known: Measured | None) -> Measured: ...


@dataclass
class Made:
    """A profile, and what goes with it.

    Attributes:
        profile: holds its memory, to be saved with it.
        anomalous: what labelled anomalies score. skipped: (path, reason).
        paths: of the pictures that drew the line. unusual: those that set it, with small JPEGs. tried: the self-test.
        told, warnings: sentences for the user.
    """

    profile: Profile
    anomalous: Measured | None
    skipped: list[tuple[str, str]]
    paths: list[str]
    unusual: list[Unusual] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Maker:
    """Makes profiles of one model and layout.

    rates: false-positive rates of images and of regions. memory: False draws thresholds alone. split: see
    :func:`remember`. self_test: tell which painted faults the line finds. reading: how files are
    read. measure: runs the stream. advance: called once per picture that the memory sees. read: gives an item's RGB
    image where that is no file. recipe, aligned: see `source_for`. augment: remember turned and
    mirrored copies, too.
    """

    model: Detector
    geometry: Geometry
    areas: Areas
    rates: tuple[float, float]
    pixel_rule: PixelRule
    name: str
    memory: bool
    split: bool
    self_test: bool
    reading: Reading
    measure: Measure
    advance: Callable[[], object] = lambda: None
    read: Callable[[InputItem], Image] | None = None
    recipe: str = AUTO
    aligned: int | None = None
    augment: bool = False

    def make(self, items: Sequence[InputItem], anomalies: Sequence[InputItem] | None, wish: Wish | None) -> Made:
        """Raises InputError where no picture is left, ConfigError where the pictures support no such rate."""
        found = self._remembered(items) if self.memory else None
        if not isinstance(found, Remembered):
            made = self._thresholds_alone(items, anomalies, wish)
            if found is not None:
                made.warnings.insert(0, _no_memory(found))
            return made
        normals = found.measured
        judged = found.judged(self.model)
        anomalous = None if anomalies is None else _needed(self.measure(judged, anomalies, normals))
        rates = tuple(allowed_or_smallest(len(normals.scores), rate) for rate in self.rates)
        provenance = provenance_of(self.model, self.geometry, self.areas, self.reading)
        profile = line_profile(
            found, provenance, name=self.name, rates=rates, pixel_rule=self.pixel_rule, anomalies=anomalous, wish=wish
        )
        warnings = [*_too_few(len(normals.scores), self.rates[0]), *found.told]
        skipped = normals.skipped + (anomalous.skipped if anomalous is not None else [])
        warnings += twin_lines(found.learned.twins, [one.path for one in found.pictures])
        warnings += group_lines(strange_groups(found.learned.held), [one.path for one in found.pictures])
        spoiling = spoilers(normals, rates[0])
        made = Made(
            profile,
            anomalous,
            skipped,
            _all_paths(found),
            [Unusual(one, self._thumbnail(found, one.path)) for one in spoiling],
            told=spoiler_lines(spoiling),
            warnings=[*warnings, *suspicious_names(_all_paths(found))],
        )
        if self.self_test:
            made.tried = try_faults(self._gatherer(), found.line, found.pictures, found.learned.held, self.advance)
            made.told += chart_lines(made.tried, rates[0], found.at_tenth())
            made.profile = made.profile.model_copy(update={"self_test": summary_of(made.tried)})
        return made

    def _thumbnail(self, found: Remembered, path: str) -> bytes | None:
        """A small JPEG of a picture; of one that is not remembered, it is read again, None if it cannot be."""
        for picture in found.pictures:
            if picture.path == path:
                return picture.thumbnail
        try:
            read = self.read or file_reader(self.reading)
            return thumbnail_jpeg(read(InputItem(path, "", b"")), THUMBNAIL)
        except AnomalyClipError:
            return None

    def _remembered(self, items: Sequence[InputItem]) -> Remembered | Gathered:
        source, refusal = self._source()
        if refusal is not None and (source.recipe, source.aligned) != (AUTO, None):
            raise ConfigError(f"--memory {source.recipe}: {refusal}")
        if refusal is not None:
            return Gathered(refusal=refusal)
        return remember(
            self._gatherer(),
            items,
            rate=self.rates[0],
            pixel_rate=self.rates[1],
            split=self.split,
            measure_rest=self.measure,
            advance=self.advance,
        )

    def _source(self) -> tuple[Source, str | None]:
        """What is remembered, and why this model cannot give it. Raises ConfigError for options that contradict."""
        check_memory_options(self.geometry, aligned=self.aligned, augment=self.augment)
        return memory_source(self.model.encoder, self.model.judge, self.recipe, self.aligned)

    def _gatherer(self) -> Gatherer:
        source, _ = self._source()
        read = self.read or file_reader(self.reading)
        return Gatherer(self.model, source, self.geometry, self.areas, read, augment=self.augment)

    def _thresholds_alone(
        self, items: Sequence[InputItem], anomalies: Sequence[InputItem] | None, wish: Wish | None
    ) -> Made:
        normals = _needed(self.measure(self.model, items, None))
        _check_rates(normals, self.rates)
        anomalous = None if anomalies is None else _needed(self.measure(self.model, anomalies, normals))
        profile = calibrate(
            normals,
            provenance_of(self.model, self.geometry, self.areas, self.reading),
            name=self.name,
            rate=self.rates[0],
            pixel_rate=self.rates[1],
            pixel_rule=self.pixel_rule,
            anomalies=anomalous,
            wish=wish,
        )
        skipped = normals.skipped + (anomalous.skipped if anomalous is not None else [])
        return Made(profile, anomalous, skipped, list(normals.paths), warnings=suspicious_names(normals.paths))


def _check_rates(normals: Measured, rates: Sequence[float]) -> None:
    """Raises ConfigError for a rate that so few pictures do not support, with what was left out of them."""
    try:
        for rate in rates:
            allowed(len(normals.scores), rate)
    except ConfigError as error:
        if not normals.skipped:
            raise
        path, why = normals.skipped[0]
        left = len(normals.skipped)
        files = f"{left} file{'s' * (left != 1)}"
        raise ConfigError(f"{error}. {files} left out, such as {printable(path)}: {printable(why)}") from error


def line_profile(
    found: Remembered,
    provenance: Mapping[str, Any],
    *,
    name: str,
    rates: tuple[float, ...],
    pixel_rule: PixelRule,
    anomalies: Measured | None = None,
    wish: Wish | None = None,
) -> Profile:
    """The profile of a line, holding its memory. rates: of images and of regions, as the pictures support them."""
    profile = calibrate(
        found.measured,
        provenance,
        name=name,
        rate=rates[0],
        pixel_rate=rates[1],
        pixel_rule=pixel_rule,
        anomalies=anomalies,
        wish=wish,
        thresholds=(found.image_threshold, found.pixel_threshold(rates[1])),
    )
    data = packed(found.line, [picture.thumbnail for picture in found.pictures])
    file = memory_name(Path("line.json"), name)
    part = part_of(found.line, file=file, data=data, held_out=found.held_out)
    shown = {picture.path: number for number, picture in reversed(list(enumerate(found.pictures)))}

    def name_of(place: int) -> tuple[str, int | None]:
        path = found.measured.paths[place]
        return path.replace("\\", "/").rpartition("/")[2], shown.get(path)

    setting = setting_pictures(found.measured, rates[0], name_of)
    return profile.model_copy(update={"memory": part, "setting": setting}).holding(data)


def _all_paths(found: Remembered) -> list[str]:
    """Of the pictures that are remembered and those that set the line."""
    return list(dict.fromkeys([*(one.path for one in found.pictures), *found.measured.paths]))


def _no_memory(gathered: Gathered) -> str:
    if gathered.refusal:
        return f"no memory, thresholds alone: {gathered.refusal}"
    seen = len(gathered.pictures)
    why = f" (the first of the others: {printable(gathered.skipped[0][1])})" if gathered.skipped else ""
    return f"no memory: {seen} good picture{'s' * (seen != 1)} could be compared, it takes {FEWEST}{why}"


def _needed(measured: Measured) -> Measured:
    if not measured.scores:
        reasons = "; ".join(f"{printable(path)}: {reason}" for path, reason in measured.skipped[:_SHOWN])
        raise InputError(f"no image could be measured ({reasons}); give images that can be read")
    return measured


def _too_few(count: int, rate: float) -> list[str]:
    smallest = allowed_or_smallest(count, rate)
    if smallest <= rate:
        return []
    return [
        f"{count} good pictures support no false-positive rate below {smallest:.2g}: the line is drawn there. "
        f"{rate:g} takes {images_needed(rate):,} pictures"
    ]
