"""One run of `anomalyclip correct`: names -> rows -> pictures -> a profile that learned from them; and a journal."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note
from anomalyclip.cli._correct_names import Named, Rows, item_of, said_in
from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.calibration.corrections_journal import CorrectionsJournal
    from anomalyclip.calibration.gathering import Gathered
    from anomalyclip.detect import InputItem
    from anomalyclip.detector import Detector

DONE, SOME_SKIPPED = 0, 3


@dataclass
class CorrectJob:
    """The checked options of one run; `run` returns the exit code."""

    given: Given

    def run(self) -> int:
        """Everything that can be refused is refused before the model is loaded."""
        from anomalyclip.calibration.writing import refuse_kept

        refuse_kept(self.file)
        with self.journal.held(lambda: note("Another correction of this profile is being made; waiting for it ...")):
            code = self._undo() if self.given.undo else DONE
            if any(self._names):
                code = self._correct()
            if self.given.export is not None:
                self._export()
        return code

    @cached_property
    def file(self) -> Path:
        """The file that holds the profile."""
        from anomalyclip.calibration.files import split_name

        place, _ = split_name(str(self.given.profile))
        if Path(place).is_file() and Path(place).name != "anomalyclip.json":
            return Path(place)
        raise ConfigError(
            f"--profile {printable(place)}: correct takes the file that calibrate wrote, FILE or FILE:NAME"
        )

    @property
    def profile(self) -> Profile:
        """As it is on the disk now."""
        from anomalyclip.calibration import read_profile

        return read_profile(self.given.profile)

    @cached_property
    def journal(self) -> CorrectionsJournal:
        """Beside the profile."""
        from anomalyclip.calibration.corrections_journal import CorrectionsJournal

        return CorrectionsJournal(self.file, self.profile.name)

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        """What is said to be normal, and what faulty. Raises InputError for a file that report.html did not save."""
        normal, faulty = list(self.given.normal or ()), list(self.given.faulty or ())
        if self.given.said_in is not None:
            told = said_in(self.given.said_in)
            normal, faulty = normal + told[0], faulty + told[1]
        return normal, faulty

    @property
    def _by(self) -> str:
        if self.given.by:
            return str(self.given.by)
        try:
            return getpass.getuser()
        except (OSError, KeyError):
            return "unknown"

    def _undo(self) -> int:
        known, profile = Rows(self.given.results).paths(), self.profile
        number, before = self.journal.before(profile)
        entry = self.journal.entry(number)
        if entry is not None and known.isdisjoint(picture["path"] for picture in entry["pictures"]):
            raise ConfigError(
                f"{printable(self.given.results)} has no row of correction {number}, the last one in the profile: it "
                f"was said of the results in {printable(entry['results'])}; give that folder to take it back"
            )
        self._save(before, instead_of=profile)
        self.journal.record_undo(number, self._by)
        self._note(f"Correction {number} is undone.")
        return DONE

    def _correct(self) -> int:
        from anomalyclip.calibration.correcting import FalseAlarm, corrected, thresholds_alone
        from anomalyclip.calibration.corrections_journal import FALSE_ALARM, FAULTY, Said

        profile, number = self.profile, self.journal.next_number()
        rows = Rows(self.given.results)
        normal, faulty = (rows.named(names) for names in self._names)
        self._check(normal, faulty, profile)
        model, stream = self._model(profile)
        found = self._gather(profile, model, stream, normal)
        skipped = dict(found.skipped)
        usable = [one for one in normal if one.item.path not in skipped]
        if normal and not usable and not faulty:
            why = printable(next(iter(skipped.values())))
            raise InputError(f"{printable(normal[0].path)}: {why}; nothing was corrected")
        known = [p["path"] for _, p in self.journal.in_force(profile) if p["said"] == FAULTY]

        def measure(new: Profile) -> Sequence[float]:
            items = [*(one.item for one in faulty), *(item_of(path, stream["reading"].axis) for path in known)]
            return list(self._scores(new.judged(model), items, stream, skipped).values()) if items else []

        start = profile
        alarms: list[FalseAlarm] = []
        if profile.memory is None and usable:
            own = self._measured(model, [one.item for one in usable if one.region is None], stream)
            start = thresholds_alone(profile, own.scores, own.peaks)
        elif usable:
            goods = {good.path: good for good in found.pictures}
            alarms = [FalseAlarm(goods[one.path], one.region) for one in usable if one.path in goods]
        alone = len(usable) if profile.memory is None else 0
        recall = self.given.min_recall
        new = corrected(start, alarms, measure, number=number, recall=recall, faulty=len(faulty), alone=alone)
        after = self._scores(new.judged(model), [one.item for one in (*usable, *faulty)], stream, skipped)
        pictures = [
            Said(one.path, said, one.region, (one.row["width"], one.row["height"]),
                 [region["box"] for region in one.row["regions"]], one.row["score"], after.get(one.path))
            for said, group in ((FALSE_ALARM, usable), (FAULTY, faulty)) for one in group
        ]  # fmt: skip
        self.journal.keep(number, profile)
        self.journal.record(number, self._by, self.given.results, pictures)
        self._save(new, instead_of=profile)
        self._tell(number, profile, new, pictures)
        for path, why in skipped.items():
            note(f"left out: {printable(path)}: {printable(why)}", style="yellow")
        return SOME_SKIPPED if skipped else DONE

    def _check(self, normal: Sequence[Named], faulty: Sequence[Named], profile: Profile) -> None:
        """A picture is not both, and is not corrected twice. Raises ConfigError."""
        from anomalyclip.calibration.corrections_journal import FALSE_ALARM, FAULTY

        both = {one.path for one in normal} & {one.path for one in faulty}
        if both:
            raise ConfigError(f"{printable(min(both))} is given as normal and as faulty: choose one")
        earlier = {
            (p["path"], p["region"] and tuple(p["region"])): p["said"] for _, p in self.journal.in_force(profile)
        }
        for said, group in ((FALSE_ALARM, normal), (FAULTY, faulty)):
            for one in group:
                told = earlier.get((one.path, one.region))
                if told is not None:
                    again = "already" if told == said else f"corrected as {told}, and now as {said}:"
                    raise ConfigError(
                        f"{printable(one.path)} is {again} in the profile{f' as {told}' if told == said else ''}; "
                        "take the earlier correction back with --undo first"
                    )

    def _model(self, profile: Profile) -> tuple[Detector, dict[str, Any]]:
        """The words' detector that the profile is bound to, and how it reads images and lays them out."""
        from anomalyclip.geometry import parse_layout
        from anomalyclip.io.reading import Reading
        from anomalyclip.reopening import reopen
        from anomalyclip.settings.faces import CORRECT

        told = dict(profile.provenance.get("settings") or {})
        masks = [key for key in ("roi", "ignore_mask") if isinstance(told.get(key), str)]
        if masks:
            raise ConfigError(
                f"the profile was made with masks ({', '.join(masks)}), which are not kept: calibrate again"
            )
        layout = {key: told[key] for key in ("tile", "overlap", "scales", "keep_aspect", "roi") if key in told}
        geometry, areas = parse_layout(layout)  # type: ignore[arg-type]  # the same names, by declaration
        record = {key: value for key, value in profile.provenance.items() if key != "runtime"}
        anew = f"make the profile anew {profile.made_anew(CORRECT)}"
        model = reopen(record, anew=anew, **{k: v for k, v in {"threads": self.given.threads}.items() if v is not None})
        return model, {"geometry": geometry, "areas": areas, "reading": Reading.of(told)}

    def _gather(self, profile: Profile, model: Detector, stream: dict[str, Any], normal: Sequence[Named]) -> Gathered:
        from anomalyclip.calibration.gathering import Gathered, Gatherer
        from anomalyclip.detect.pipeline import file_reader

        if profile.memory is None or not normal:
            return Gathered()
        line = profile.opened().line
        read = file_reader(stream["reading"])
        how = Gatherer(model, line.source, stream["geometry"], stream["areas"], read, augment=line.augmented)
        return how.gather([one.item for one in normal])

    def _measured(self, model: Detector, items: Sequence[InputItem], stream: dict[str, Any]) -> Any:
        from anomalyclip.calibration.measured import collect

        return collect(model, items, batch_size=1, workers=1, **stream)

    def _scores(
        self, model: Detector, items: Sequence[InputItem], stream: dict[str, Any], skipped: dict[str, str]
    ) -> dict[str, float]:
        """path -> score; what cannot be read joins `skipped`."""
        from anomalyclip.detect import detect_stream

        found = {}
        for result in detect_stream(model, items, batch_size=1, workers=1, **stream):
            if result.score is None:
                skipped[result.item.path] = result.error or "no score"
            else:
                found[result.item.path] = result.score
        return found

    def _save(self, profile: Profile, instead_of: Profile) -> None:
        from anomalyclip.calibration.changing import put_profile

        if not put_profile(self.file, profile, instead_of=instead_of):
            raise ConfigError(
                f"another run changed the profile {profile.name!r} in {printable(self.file)} meanwhile, which stays as "
                "it is now: nothing was corrected; give the same command again"
            )

    def _export(self) -> None:
        from anomalyclip.calibration.corrections_journal import as_coco, as_csv
        from anomalyclip.io.atomic import write_bytes

        target: Path = self.given.export
        write = as_csv if target.suffix.lower() == ".csv" else as_coco
        write_bytes(target, write(self.journal, self.profile).encode("utf-8", "backslashreplace"))
        self._note(f"Corrections: {printable(target)}")

    def _tell(self, number: int, before: Profile, after: Profile, pictures: Sequence[Any]) -> None:
        for one in pictures:
            old, new = before.decide(one.score_before), "left out"
            if one.score_after is not None:
                new = f"{one.score_after:.3f} {after.decide(one.score_after)}"
            part = "" if one.region is None else ", a region of it"
            self._note(f"{one.said}{part}: {printable(Path(one.path).name)}: {one.score_before:.3f} {old} -> {new}")
        flagged = sum(after.decide(score) == "anomalous" for score in after.image.scores)
        self._note(
            f"decisions from {before.image_threshold:.4g} on before, {after.image_threshold:.4g} now: "
            f"{flagged:,} of the {after.count:,} good pictures would be called anomalous"
        )
        held = after.corrections
        assert held is not None
        self._note(
            f"Correction {number}; the profile {after.name} holds {_number(held.false_alarms, 'false alarm')}, "
            f"{_number(held.regions, 'region')} and {_number(held.faulty, 'faulty picture')}. "
            "--undo takes the last one back; detect again to see all."
        )

    def _note(self, line: str) -> None:
        if not self.given.quiet:
            note(line)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
