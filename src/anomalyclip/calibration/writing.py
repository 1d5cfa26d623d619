"""Profiles written: a file of profiles and the memories beside it, or one file that carries both."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from anomalyclip.calibration.memory_file import memory_name, waiting
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.io.atomic import output_error, sweep, write_bytes
from anomalyclip.io.locks import held, is_locked
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration.memory_file import MemoryPart

FORMAT, VERSION = "anomalyclip-profiles", 1
PATIENCE = 20.0  # seconds that a run waits for others who change the same file; each takes a moment
SERVER_LOCK = ".serve.lock"
"""In a folder that `serve --keep` has, locked as long as it runs."""


class Written(Protocol):
    """What writing asks of a profile, which knows how to save itself and so stands above."""

    name: str
    memory: MemoryPart | None

    def lies_at(self, place: Path) -> bool:
        """Whether its memory is the file `place`."""

    def memory_bytes(self) -> bytes:
        """Of its memory file."""

    def remembering(self, part: MemoryPart) -> Written:
        """The same profile, whose memory has another name; it holds the bytes."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Everything, as JSON values."""


def write_profiles(path: str | Path, profiles: Iterable[Written]) -> None:
    """Write a file of profiles, with the memories beside it that do not lie there yet; all of it or nothing.

    Killed at any moment, it leaves what was there before or what is new, see :mod:`memory_file`. Raises
    OutputError, also where others do not stop changing the file, ConfigError where a server keeps it, and InputError
    where a memory to copy is missing.
    """
    with changing(Path(path)):
        write_owned(path, profiles)


def write_new_profiles(path: str | Path, profiles: Sequence[Written]) -> Path:
    """`write_profiles` into a file that is not there; where it is by now, into the first free one beside it.

    What another run wrote meanwhile stays: `line.json`, then `line-2.json`, `line-3.json` ... Gives the file written.
    Raises as `write_profiles` does.
    """
    file = Path(path)
    names = itertools.chain([file.name], (f"{file.stem}-{number}{file.suffix}" for number in itertools.count(2)))
    for place in map(file.with_name, names):
        with _claimed(place) as ours:
            if ours and not place.exists():
                write_owned(place, profiles)
                return place
    raise AssertionError  # names do not end


@contextlib.contextmanager
def changing(file: Path) -> Iterator[None]:
    """Nobody else changes a file of profiles before the block ends, where the system has locks.

    Raises OutputError where others have it for long, ConfigError where a server keeps it.
    """
    with _claimed(file, wait=PATIENCE) as ours:
        if not ours:
            raise OutputError(
                f"cannot write {printable(file)}: another run has been changing it for {PATIENCE:.0f} seconds; wait "
                "until it has ended, then try again"
            )
        yield


def refuse_kept(file: Path) -> None:
    """Raises ConfigError where a server keeps the profiles of this folder: it would write over what others write."""
    if is_locked(file.with_name(SERVER_LOCK)):
        raise ConfigError(
            f"a server keeps {printable(file)} (serve --keep {printable(file.parent)}): change the profile on its "
            "page, or end the server first"
        )


@contextlib.contextmanager
def _claimed(place: Path, wait: float = 0.0) -> Iterator[bool]:
    """Whether no other run is writing `place` now; none begins before the block ends, where the system has locks."""
    refuse_kept(place)
    target = Path(os.path.realpath(place))  # as it is written, see `atomic_write`
    with contextlib.ExitStack() as stack:
        try:
            ours = stack.enter_context(held(target.with_name(f".{target.name}.writing"), wait=wait))
        except (OSError, ValueError) as error:
            raise output_error(place, error) from error
        sweep(target.parent)
        yield ours


def write_owned(path: str | Path, profiles: Iterable[Written]) -> None:
    """`write_profiles` for whoever has made sure that nobody else writes the file."""
    file = Path(path)
    written = [_named(profile, file) for profile in profiles]
    content = json.dumps(as_content(written), indent=1, allow_nan=False, default=str).encode() + b"\n"
    moves: list[tuple[Path, Path]] = []
    try:
        for profile in written:
            if profile.memory is None or profile.lies_at(target := file.with_name(profile.memory.file)):
                continue
            moves.append((waiting(target), target))
            _write_aside(target, profile.memory_bytes())
        write_bytes(file, content, fsync=True)
    except BaseException:
        for aside, _ in moves:
            aside.unlink(missing_ok=True)
        raise
    try:
        for aside, target in moves:
            aside.replace(target)
    except OSError as error:  # the profile finds it where it waits
        raise output_error(file, error) from error


def _write_aside(target: Path, data: bytes) -> None:
    """What is to become `target`, under the name where it waits; an error names the file that people know."""
    try:
        write_bytes(waiting(target), data, fsync=True)
    except OutputError as error:
        cause = error.__cause__
        raise (output_error(target, cause) if isinstance(cause, OSError | ValueError) else error) from error


def _named(profile: Written, file: Path) -> Written:
    """A profile whose memory is named after the file that it is written to."""
    if profile.memory is None or profile.lies_at(file.with_name(profile.memory.file)):
        return profile
    part = profile.memory.model_copy(update={"file": memory_name(file, profile.name)})
    return profile.remembering(part)


def as_content(profiles: Sequence[Written], *, memories: bool = False) -> dict[str, Any]:
    """What a file of profiles holds, as JSON values.

    memories: the file carries them as base64, so that nothing lies beside it. Raises InputError where one is missing.
    """
    told = {"format": FORMAT, "version": VERSION, "profiles": [one.model_dump(mode="json") for one in profiles]}
    if not memories:
        return told
    held = {one.name: base64.b64encode(one.memory_bytes()).decode("ascii") for one in profiles if one.memory}
    return told | {"memories": held}
