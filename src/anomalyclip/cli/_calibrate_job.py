"""One run of `anomalyclip calibrate`: normal images -> model -> thresholds -> a profile and its picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._calibrate_again import again_given
from anomalyclip.cli._calibrate_before import Before
from anomalyclip.cli._console import note, progress_bar
from anomalyclip.cli._declared import Given
from anomalyclip.cli._opening import batch_for, load_detector, reading_of, scan_of, tell_isolation
from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.io import attempts
from anomalyclip.io.attempts import noted_in
from anomalyclip.io.names import printable
from anomalyclip.io.scanning import PassedOver

if TYPE_CHECKING:
    from anomalyclip.calibration import CostWish, Measured, Profile, RecallWish
    from anomalyclip.calibration.making import Made
    from anomalyclip.calibration.recipe import Recipe
    from anomalyclip.detect import InputItem
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

DONE, SOME_SKIPPED, INTERRUPTED = 0, 3, 130
_SHOWN = 10
_FEW_ANOMALIES = 20
FEWEST_REMEMBERED = 4
"""As `anomalyclip.calibration.lining.FEWEST`, which is not imported before it is needed."""


@dataclass
class CalibrateJob:
    """The checked options of one run; `run` returns the exit code."""

    given: Given
    geometry: Geometry
    areas: Areas

    def run(self) -> int:
        """Everything that can be refused is refused before the model is loaded."""
        output = self.given.output
        with noted_in(
            output.parent / f".{output.name}.{attempts.NAME}" if output.parent.is_dir() else None,
            apart=self.given.isolate != "off",
        ):
            return self._run()

    def _run(self) -> int:
        from anomalyclip.calibration.conformal import allowed, check_rate
        from anomalyclip.detect import survey_inputs

        if self.given.again is not None:
            self.given, told = again_given(self.given)
            for line in told:
                note(line, style="yellow")
        wish = self._wish()
        before = Before.of(self.given)
        passed = PassedOver()
        for rate in self._rates:
            check_rate(rate)
        total, extra = survey_inputs(self._normals, passed=passed, **scan_of(self.given)), 0
        if self.given.anomalies:
            extra = survey_inputs(self.given.anomalies, passed=passed, **scan_of(self.given))
        for line in passed.lines():
            note(line, style="yellow")
        if self.given.no_memory or total < FEWEST_REMEMBERED:
            others = _no_pictures(self._normals)
            if len(others) == total:
                raise InputError(f"{printable(others[0][0])}: {printable(others[0][1])}")
            _tell_skipped(others)
            for rate in self._rates:
                allowed(total - len(others), rate)
        tell_isolation(self.given)
        try:
            return self._process(load_detector(self.given), before, wish, total + extra)
        except KeyboardInterrupt:
            note("Interrupted; nothing was written.", style="yellow")
            return INTERRUPTED

    @property
    def _normals(self) -> list[str]:
        return [*(self.given.inputs or ()), *(self.given.more or ())]

    @property
    def _rates(self) -> tuple[float, float]:
        """Of images and of regions."""
        return self.given.fpr, self.given.fpr if self.given.pixel_fpr is None else self.given.pixel_fpr

    def _wish(self) -> RecallWish | CostWish | None:
        from anomalyclip.calibration import CostWish, RecallWish

        given = self.given
        if given.min_recall is not None:
            return RecallWish(given.min_recall)
        if given.cost_miss is None:
            return None
        return CostWish(given.cost_miss, given.cost_false_alarm, given.anomaly_share)

    def _process(self, model: Detector, before: Before, wish: RecallWish | CostWish | None, total: int) -> int:
        from anomalyclip.calibration.making import Maker

        reading = reading_of(self.given)
        with progress_bar(shown=not self.given.quiet) as bar:
            task = bar.add_task("calibrate", total=total)

            seen = itertools.count(1)

            def step() -> None:  # they are gone through several times: remembered, judged, with painted faults
                bar.update(task, completed=(next(seen) - 1) % max(1, total) + 1)

            maker = Maker(
                model,
                self.geometry,
                self.areas,
                rates=self._rates,
                pixel_rule=self.given.pixel_rule,
                name=self.given.name,
                memory=not self.given.no_memory,
                recipe=self.given.memory,
                aligned=self.given.aligned,
                augment=self.given.augment,
                split=self.given.split,
                self_test=self.given.self_test,
                reading=reading,
                measure=lambda judged, items, known: self._measure(judged, items, known, reading, step),
                advance=step,
            )
            made = maker.make(self._items(), self._anomalies(), wish)
        _tell_skipped(made.skipped)
        made.profile = made.profile.model_copy(update={"recipe": self._recipe(made)})
        wanted = self.given.output
        self.given = self.given.changed(output=before.write(made.profile))
        picture = self._draw(made)
        self._tell(made, picture)
        if self.given.output != wanted:
            raise OutputError(
                f"another run wrote {printable(wanted)} meanwhile, which stays as it is: this profile is in "
                f"{printable(self.given.output)}; rename it, or calibrate again with --add or --overwrite"
            )
        return SOME_SKIPPED if made.skipped else DONE

    def _recipe(self, made: Made) -> Recipe:
        from anomalyclip.calibration.recipe import recorded

        given = self.given
        return recorded(
            made.paths,
            fpr=given.fpr,
            pixel_fpr=given.pixel_fpr,
            memory=not given.no_memory,
            split=given.split,
            method=given.memory,
            aligned=given.aligned,
            augment=given.augment,
        )

    def _items(self) -> list[InputItem]:
        """The good pictures, without those of `--drop`. Raises ConfigError where one of them is not there."""
        from anomalyclip.detect import iter_inputs
        from anomalyclip.io.charts import charts_in

        own = self._picture_paths()
        every = list(iter_inputs(self._normals, **scan_of(self.given)))
        items = [item for item in every if Path(item.path).absolute() not in own]
        if len(items) < len(every) or any(map(charts_in, self._normals)):
            note("The picture of the profile lies among the good pictures; it is left out.", style="yellow")
        dropped = set(self.given.drop or ())
        if unknown := dropped - {Path(item.path).name for item in items} - {item.path for item in items}:
            raise ConfigError(f"--drop {printable(sorted(unknown)[0])}: no good picture has this name")
        return [item for item in items if not {item.path, Path(item.path).name} & dropped]

    def _anomalies(self) -> list[InputItem] | None:
        from anomalyclip.detect import iter_inputs

        if not self.given.anomalies:
            return None
        return list(iter_inputs(self.given.anomalies, **scan_of(self.given)))

    def _measure(
        self, model: Detector, items: Sequence[InputItem], known: Measured | None, reading: Reading, advance: Any
    ) -> Measured:
        from anomalyclip.calibration.measured import collect

        return collect(
            model,
            items,
            batch_size=self.given.batch_size or batch_for(model),
            workers=self.given.workers,
            reading=reading,
            geometry=self.geometry,
            areas=self.areas,
            known=known,
            advance=advance,
        )

    def _picture_paths(self) -> set[Path]:
        """Where plots of this output are, and were."""
        output = self.given.output.absolute()
        return {output.with_name(f"{output.stem}{part}.png") for part in ("", f".{self.given.name}")}

    def _picture_path(self) -> Path:
        """Beside the file, under its name; with the profile's, where the file holds or is to hold several."""
        from anomalyclip.calibration import read_profiles

        output: Path = self.given.output
        shared = output.with_suffix(".png")
        if not self.given.add or (shared.exists() and set(read_profiles(output)) == {self.given.name}):
            return shared
        return output.with_name(f"{output.stem}.{self.given.name}.png")

    def _draw(self, made: Made) -> Path | None:
        if not self.given.plot:
            return None
        from anomalyclip.calibration.plot import draw_profile
        from anomalyclip.io import write_image

        path = self._picture_path()
        anomalies = None if made.anomalous is None else made.anomalous.scores
        write_image(path, draw_profile(made.profile, anomalies, unusual=made.unusual, tried=made.tried))
        return path

    def _tell(self, made: Made, picture: Path | None) -> None:
        if self.given.quiet:
            return
        for line in [*summary_lines(made.profile), *made.told]:
            note(line)
        for line in made.warnings:
            note(line, style="yellow")
        if any(
            part.lower() == "test"
            for given in (*self._normals, *(self.given.anomalies or ()))
            for part in Path(given).parts
        ):
            note(
                "These images lie in a folder `test`: whatever is reported on them from now on has been tuned on them.",
                style="yellow",
            )
        pictured = f"; picture: {printable(picture)}" if picture is not None else ""
        note(f"Profile: {printable(self.given.output)}{pictured}")


def _no_pictures(given: Sequence[str]) -> list[tuple[str, str]]:
    """(path, reason) of files named one by one that their first bytes tell to be archives, documents and the like."""
    from anomalyclip.io.headers import sniff
    from anomalyclip.io.refusal import Refusal

    def reason(path: Path) -> str | None:
        try:
            with path.open("rb") as file:
                sniff(file)
        except (OSError, Refusal) as error:
            return str(error)
        return None

    return [(str(path), told) for path in map(Path, given) if path.is_file() and (told := reason(path)) is not None]


def _tell_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    for path, reason in skipped[:_SHOWN]:
        note(f"skipped: {printable(path)}: {printable(reason)}", style="yellow")
    if len(skipped) > _SHOWN:
        note(f"and {len(skipped) - _SHOWN:,} more skipped", style="yellow")


def summary_lines(profile: Profile) -> list[str]:
    """What was learned, for people; honest about how little few images say."""
    from anomalyclip.calibration.conformal import images_needed, smallest_rate

    low, high = profile.rate_interval()
    kind = "of normal images show a region" if profile.pixel.rule == "image" else "of the pixels of normal images"
    lines = [
        f"{profile.name}: {profile.count:,} normal images; they support false-positive rates from "
        f"{smallest_rate(profile.count):.3g} on",
        f"image threshold {profile.image.threshold:.6g}: {profile.image.rate:.3g} of normal images at most, on average "
        f"over calibrations; this one lies between {low:.2g} and {high:.2g} with a confidence of 95%",
        f"pixel threshold {profile.pixel.threshold:.6g}: {profile.pixel.rate:.3g} {kind}, at most",
    ]
    if profile.image.threshold > 1:
        lines.append(
            "no score can reach the image threshold: normal images score 1 already, so nothing will be anomalous"
        )
    point = profile.operating
    if point is None:
        return lines
    recall, alarms = (f"{a:.3g} ({b:.2g} to {c:.2g})" for a, b, c in (point.recall, point.false_positive_rate))
    wanted = f"recall {point.wanted:g}" if point.by == "recall" else f"least cost ({point.wanted:.3g} per image)"
    lines.append(f"decisions at {point.threshold:.6g}, for {wanted}: recall {recall}, false positives {alarms}; 95%")
    if point.by == "recall" and not point.guaranteed:
        needed = images_needed(round(1 - point.wanted, 12))
        lines.append(f"{point.anomalies:,} anomalies cannot guarantee that recall; {needed:,} could")
    elif point.anomalies < _FEW_ANOMALIES:
        lines.append(f"{point.anomalies:,} anomalies say little: collect more before you rely on these figures")
    return lines
