"""The journal of a profile's corrections: who said what of which picture, when; and what was before, to go back to.

`line.NAME.corrections/` beside `line.json`:
journal.jsonl    one line per correction or undoing, only ever appended
0001.json ...    the profile (and its memory) as it was before correction 1

Which corrections are in force, the profile itself says (`Profile.corrections`): a process killed between the two leaves
an entry that is not in force, never one that is lost.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from anomalyclip.detect.journal import LineFile, read_rows
from anomalyclip.detect.result import json_line
from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.locks import held
from anomalyclip.io.names import printable
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from anomalyclip.calibration.profile import Profile

JOURNAL = "journal.jsonl"
FALSE_ALARM, FAULTY = "false alarm", "faulty"
#: Columns of the CSV export.
COLUMNS = ("number", "at", "by", "said", "path", "region", "score_before", "score_after", "in_force")
_PATIENCE = 300.0  # seconds; to correct takes as long as detecting the pictures a few times
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


Box = Annotated[Sequence[int], Field(min_length=4, max_length=4)]


@dataclass(frozen=True)
class Said:
    """What was said of one picture.

    path: its absolute path; of a picture that was sent to a server, its name there. said: FALSE_ALARM or FAULTY.
    region: [x, y, width, height] in pixels, None is the whole picture. size: (width, height). regions: [x, y, width,
    height] of what was found in it. digest: hexadecimal, of a picture that was sent: names are not unique among those.
    """

    path: str
    said: Annotated[str, Field(pattern="^(false alarm|faulty)$")]
    region: Box | None = None
    size: Annotated[Sequence[int], Field(min_length=2, max_length=2)] | None = None
    regions: Sequence[Box] = ()
    score_before: float | None = None
    score_after: float | None = None
    digest: str | None = None


class _Entry(BaseModel):
    """A line of the journal; one that was edited into something else is none."""

    action: Literal["correct", "undo"]
    number: Annotated[int, Field(ge=1)]
    at: str
    by: str
    results: str = ""
    pictures: tuple[Said, ...] = ()


class Journal(ABC):
    """What was said of one profile's results, oldest first; where it is kept, a subclass says."""

    @abstractmethod
    def entries(self) -> Sequence[dict[str, Any]]:
        """All of it, oldest first."""

    @abstractmethod
    def _append(self, entry: dict[str, Any]) -> None: ...

    def next_number(self) -> int:
        """Of a further correction."""
        return 1 + max((int(row.get("number", 0)) for row in self.entries()), default=0)

    def in_force(self, profile: Profile) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """(entry, picture) of everything that the profile holds."""
        numbers = set(profile.corrections.numbers) if profile.corrections is not None else set()
        rows = [row for row in self.entries() if row.get("action") == "correct" and row["number"] in numbers]
        return [(row, picture) for row in rows for picture in row["pictures"]]

    def entry(self, number: int) -> dict[str, Any] | None:
        """The correction of this number; None where the journal does not have it."""
        return next(
            (row for row in self.entries() if (row.get("action"), row.get("number")) == ("correct", number)), None
        )

    def record(self, number: int, by: str, results: object, pictures: Sequence[Said]) -> None:
        """Append a correction. results: where they were looked at. Raises OutputError."""
        told = [dict(vars(one)) for one in pictures]
        self._add({"action": "correct", "number": number, "by": by, "results": str(results), "pictures": told})

    def record_undo(self, number: int, by: str) -> None:
        """Append that a correction was taken back."""
        self._add({"action": "undo", "number": number, "by": by})

    def _add(self, entry: Mapping[str, Any]) -> None:
        self._append({"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), **entry})


class JournalInHand(Journal):
    """A journal that lives as long as this process. after: the last number that was given before it began."""

    def __init__(self, after: int = 0) -> None:
        self._entries: list[dict[str, Any]] = []
        self._after = after

    def entries(self) -> Sequence[dict[str, Any]]:
        """All of it, oldest first."""
        return self._entries

    def next_number(self) -> int:
        """Of a further correction."""
        return max(1 + self._after, super().next_number())

    def _append(self, entry: dict[str, Any]) -> None:
        self._entries.append(entry)


class CorrectionsJournal(Journal):
    """Of the profile `name` in the file `profile_file`."""

    def __init__(self, profile_file: Path, name: str) -> None:
        self.folder = profile_file.with_name(f"{profile_file.stem}.{name}.corrections")
        self.path = self.folder / JOURNAL

    def make_folder(self) -> None:
        """Make the folder where it lies. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error

    @contextlib.contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Two people correct one after the other. waiting: tells the second that it waits.

        Raises OutputError, also where the first takes too long.
        """
        self.make_folder()
        with contextlib.ExitStack() as stack:
            try:
                ours = stack.enter_context(held(self.folder / "lock", wait=_PATIENCE, waiting=waiting))
            except OSError as error:
                raise output_error(self.folder, error) from error
            if not ours:
                raise OutputError(
                    f"another run has been correcting {printable(self.folder.name)} for {_PATIENCE:.0f} seconds; wait "
                    "until it has ended, then try again"
                )
            yield

    def entries(self) -> list[dict[str, Any]]:
        """All of it, oldest first, without lines that are damaged or not ours."""
        found = []
        for _, row in read_rows(self.path):
            with contextlib.suppress(ValidationError):
                told = _Entry.model_validate(row)
                pictures = {"pictures": [dict(vars(one)) for one in told.pictures]} if told.action == "correct" else {}
                found.append(row | {"number": told.number} | pictures)
        return found

    def next_number(self) -> int:
        """Of a further correction: what is kept of one whose line is lost is not written over."""
        kept = [int(file.stem) for file in self.folder.glob("*.json") if re.fullmatch(r"\d{4,9}", file.stem)]
        return max(super().next_number(), 1 + max(kept, default=0))

    def keep(self, number: int, profile: Profile) -> None:
        """Keep the profile as it is before a correction."""
        profile.in_hand().save(self._snapshot(number))

    def before(self, profile: Profile) -> tuple[int, Profile]:
        """The last correction in force, and the profile before it, in hand. Raises ConfigError where there is none,
        InputError where the snapshot is gone."""
        from anomalyclip.calibration.files import read_profile

        if profile.corrections is None or not profile.corrections.numbers:
            raise ConfigError(f"the profile {profile.name!r} holds no correction; there is nothing to undo")
        number = profile.corrections.numbers[-1]
        if not self._snapshot(number).is_file():
            raise InputError(
                f"{printable(self._snapshot(number))} is missing: what was before correction {number} is not known; "
                "calibrate again"
            )
        return number, read_profile(self._snapshot(number)).in_hand()

    def _snapshot(self, number: int) -> Path:
        return self.folder / f"{number:04d}.json"

    def _append(self, entry: dict[str, Any]) -> None:
        file = LineFile(self.path)
        try:
            file.append(json_line(entry))
        finally:
            file.close()


def as_csv(journal: Journal, profile: Profile) -> str:
    """Every picture that was corrected, undone ones too."""
    numbers = set(profile.corrections.numbers) if profile.corrections is not None else set()
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, picture in _pictures(journal):
        region = "" if picture["region"] is None else " ".join(map(str, picture["region"]))
        cells = [row["number"], row["at"], row["by"], picture["said"], picture["path"], region,
                 picture["score_before"], picture["score_after"], row["number"] in numbers]  # fmt: skip
        writer.writerow([_cell(cell) for cell in cells])
    return buffer.getvalue()


def as_coco(journal: Journal, profile: Profile) -> str:
    """The corrections in force as COCO: boxes of faults and of false alarms; a picture without regions is one box."""
    places: dict[tuple[str, str | None], int] = {}
    images, annotations = list[dict[str, Any]](), list[dict[str, Any]]()
    for row, picture in journal.in_force(profile):
        width, height = picture["size"] or (0, 0)
        number = places.setdefault((picture["path"], picture.get("digest")), len(places) + 1)
        if number > len(images):
            images.append({"id": number, "file_name": picture["path"], "width": width, "height": height})
        whole = picture["said"] == FALSE_ALARM or not picture["regions"]
        boxes = [picture["region"]] if picture["region"] else [[0, 0, width, height]] if whole else picture["regions"]
        for box in boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1 if picture["said"] == FAULTY else 2,
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                    "correction": row["number"],
                }
            )
    info = {"description": f"corrections of the profile {profile.name}", "version": f"anomalyclip {__version__}"}
    categories = [{"id": 1, "name": FAULTY}, {"id": 2, "name": FALSE_ALARM}]
    content = {"info": info, "categories": categories, "images": images, "annotations": annotations}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _pictures(journal: Journal) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for row in journal.entries():
        if row.get("action") == "correct":
            for picture in row["pictures"]:
                yield row, picture


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_START) else str(value)
