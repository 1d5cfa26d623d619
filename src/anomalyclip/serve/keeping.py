"""What clients made of profiles, kept in a folder (`--keep DIR`), so that it outlives the server.

DIR/NAME.json, and its memory beside it     the profile as it is now, for `--profile`, too
DIR/NAME.NAME.corrections/journal.jsonl     who said what of which picture, as `anomalyclip correct` writes it
DIR/NAME.NAME.corrections/0001.json ...     the profile before correction 1, to go back to
DIR/NAME.NAME.corrections/0001.npz ...      what is known of the pictures of correction 1
DIR/NAME.NAME.corrections/state.json        the revision, and of which profile of the server's own it was made

The profile is written last. A server that is killed at any moment leaves what was there before or what is new, and at
most an entry in the journal that is not in force.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from anomalyclip.calibration.corrections_journal import CorrectionsJournal
from anomalyclip.calibration.files import read_profiles
from anomalyclip.calibration.memory_file import memory_name
from anomalyclip.calibration.writing import SERVER_LOCK, write_owned
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.atomic import output_error, write_bytes
from anomalyclip.io.json_objects import whole_number
from anomalyclip.io.names import printable
from anomalyclip.serve.corrections import Desk
from anomalyclip.serve.known import known_bytes, known_in

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile

_STATE = "state.json"


@dataclass(frozen=True)
class Kept:
    """A profile that was kept: its revision, its corrections, and the fingerprint of the server's own one that it was
    made of, None where a client made it."""

    profile: Profile
    revision: int
    desk: Desk
    given: str | None


class KeptJournal(CorrectionsJournal):
    """A journal in the folder. after: the last number that was given before it began."""

    def __init__(self, profile_file: Path, name: str, after: int) -> None:
        super().__init__(profile_file, name)
        self._after = after

    def next_number(self) -> int:
        """Of a further correction."""
        return max(1 + self._after, super().next_number())

    def _append(self, entry: dict[str, Any]) -> None:
        self.make_folder()
        super()._append(entry)


@dataclass
class Keeper:
    """The folder of one server, locked as long as it runs. Raises ConfigError where another server has it."""

    folder: Path
    _lock: filelock.FileLock = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(str(self.folder / SERVER_LOCK), thread_local=False)
            self._lock.acquire(timeout=1)  # others look at it for a moment
        except filelock.Timeout:
            raise ConfigError(
                f"--keep {printable(self.folder)}: another server keeps its profiles there; end it, or name another"
            ) from None
        except OSError as error:
            raise output_error(self.folder, error) from error

    def close(self) -> None:
        """Let another server have the folder."""
        self._lock.release()

    def load(self, given: Sequence[Profile]) -> Iterator[Kept]:
        """Everything that is kept. given: the server's own profiles.

        Raises InputError for what is damaged, and where a profile that came with the server is no longer the one that
        people corrected; the folder is free again then.
        """
        try:
            yield from self._load(given)
        except BaseException:
            self.close()
            raise

    def _load(self, given: Sequence[Profile]) -> Iterator[Kept]:
        prints = {one.name: fingerprint(one) for one in given}
        for file in sorted(self.folder.glob("*.json")):
            profile = self._only(file)
            name, state = profile.name, self._state(profile.name)
            if name in prints and state.get("given") != prints[name]:
                raise InputError(
                    f"the profile {name!r} was made anew since people corrected it: move {printable(file)} away to "
                    "begin with the new one, or leave its --profile out to go on with what is kept"
                )
            yield Kept(profile.in_hand(), state.get("revision", 1), self._desk(profile), state.get("given"))

    @staticmethod
    def _only(file: Path) -> Profile:
        """The profile in a file; a server keeps each in its own. Raises InputError."""
        found = list(read_profiles(file).values())
        if len(found) > 1:
            raise InputError(
                f"{printable(file)} holds {len(found)} profiles, and a server keeps each in a file of its own: move it "
                "out of the --keep folder, and give it with --profile"
            )
        return found[0]

    def way_on(self, profile: Profile) -> str:
        """What to do where a kept profile is of another model: its pictures were sent, and lie nowhere."""
        return (
            f"Move {printable(self._file(profile.name))} away and make the profile anew from good pictures, or serve "
            "the model of before"
        )

    def journal(self, profile: Profile) -> KeptJournal:
        """Of a profile's corrections."""
        numbers = () if profile.corrections is None else profile.corrections.numbers
        return KeptJournal(self._file(profile.name), profile.name, max(numbers, default=0))

    def write(self, profile: Profile, revision: int, desk: Desk | None, given: str | None) -> None:
        """Keep a profile as it is now. desk: None of a new line, whose journal begins anew. Raises OutputError."""
        journal = self.journal(profile)
        journal.make_folder()
        if desk is None:
            self._set_aside(journal)
        else:
            self._write_steps(journal, desk)
        write_bytes(journal.folder / _STATE, json.dumps({"revision": revision, "given": given}).encode())
        write_owned(self._file(profile.name), [profile.in_hand()])
        if desk is not None:
            self._forget_steps(journal, desk)

    def remove(self, name: str) -> None:
        """Forget a profile; its journal stays, set aside."""
        file = self._file(name)
        self._set_aside(KeptJournal(file, name, 0))
        for one in (file, *self.folder.glob(f"{name}.{name}.memory*")):
            with suppress(FileNotFoundError):
                one.unlink()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _state(self, name: str) -> dict[str, Any]:
        path = CorrectionsJournal(self._file(name), name).folder / _STATE
        try:
            told = json.loads(path.read_bytes(), parse_int=whole_number)
            if not isinstance(told, dict) or type(told.get("revision", 1)) is not int:
                raise ValueError("it is not what a server wrote")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(
                f"{printable(path)} cannot be read ({error}); remove it, or name another --keep"
            ) from error
        return told

    def _desk(self, profile: Profile) -> Desk:
        """The corrections in force, and the way back as far as it is known."""
        desk = Desk(self.journal(profile))
        folder = CorrectionsJournal(self._file(profile.name), profile.name).folder
        for number in () if profile.corrections is None else profile.corrections.numbers:
            snapshot, known = folder / f"{number:04d}.json", folder / f"{number:04d}.npz"
            if snapshot.is_file():
                desk.before.append((number, self._in_hand(self._only(snapshot))))
            else:
                desk.before.clear()  # only what follows without a gap can be taken back
            if known.is_file():
                desk.said[number], faulty = known_in(known)
                if faulty:
                    desk.faulty[number] = faulty
        return desk

    def _in_hand(self, profile: Profile) -> Profile:
        """A profile as it was before, with its memory, under the name that this has in the folder."""
        if profile.memory is None:
            return profile
        name = memory_name(self._file(profile.name), profile.name)
        return profile.remembering(profile.memory.model_copy(update={"file": name}))

    def _write_steps(self, journal: KeptJournal, desk: Desk) -> None:
        for number, before in desk.before:
            if not (journal.folder / f"{number:04d}.json").exists():
                journal.keep(number, before)
        for number, said in desk.said.items():
            if not (path := journal.folder / f"{number:04d}.npz").exists():
                write_bytes(path, known_bytes(said, desk.faulty.get(number, ())))

    def _forget_steps(self, journal: KeptJournal, desk: Desk) -> None:
        """What was taken back, and what is too long ago to be."""
        steps = {f"{number:04d}" for number, _ in desk.before}
        known = {f"{number:04d}" for number in desk.said}
        for path in journal.folder.glob("[0-9]*"):
            if path.name.partition(".")[0] not in (known if path.suffix == ".npz" else steps):
                path.unlink(missing_ok=True)

    def _set_aside(self, journal: KeptJournal) -> None:
        """The journal of a line that is no more."""
        for path in journal.folder.glob("[0-9]*"):
            path.unlink(missing_ok=True)
        if journal.path.exists():
            now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%f")
            journal.path.replace(journal.path.with_name(f"journal-until-{now}.jsonl"))


def fingerprint(profile: Profile) -> str:
    """Tells a profile from one that was made anew; what it is not about may be told otherwise by another version."""
    memory = None if profile.memory is None else profile.memory.sha256
    return hashlib.sha256(json.dumps([profile.made, profile.image.scores, memory]).encode()).hexdigest()
