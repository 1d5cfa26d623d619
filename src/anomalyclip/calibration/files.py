"""Profiles read: one JSON file holds one profile or several; a folder of such files holds them all."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from anomalyclip.calibration.profile import Profile
from anomalyclip.calibration.writing import FORMAT, VERSION
from anomalyclip.encoders.exported import SIDECAR, find_artefact
from anomalyclip.encoders.sidecar import parse_artefact
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.headers import what_it_is
from anomalyclip.io.json_objects import loads_once
from anomalyclip.io.names import printable

MAX_BYTES = 128 * 2**20  # two numbers per image: enough for millions, and for memories in base64
_SHOWN = 3


def read_profile(path: str | Path) -> Profile:
    """One profile: `FILE` or `FOLDER` where it holds a single one, else `FILE:NAME`, `FOLDER:NAME`; or an export's.

    Raises InputError for a file that is missing, too large or no profile, ConfigError for an ambiguous or unknown name.
    """
    place, name = split_name(str(path))
    if name is None and (carried := carried_profile(place)) is not None:
        return carried
    profiles = read_profiles(place)
    if name is None and len(profiles) == 1:
        return next(iter(profiles.values()))
    if name in profiles:
        return profiles[name]
    names = ", ".join(sorted(profiles))
    wanted = "no name was given" if name is None else f"there is no profile {name!r}"
    raise ConfigError(f"{printable(place)} holds the profiles {names}, and {wanted}: choose one, as {place}:NAME")


def carried_profile(model: str | Path) -> Profile | None:
    """The profile that an export carries, with its memory; None for what is no export, or has none.

    Raises InputError for an export that is damaged.
    """
    folder = find_artefact(model)
    told = None if folder is None else parse_artefact(folder / SIDECAR).profile
    if folder is None or told is None:
        return None
    return _checked(folder / SIDECAR, [told])[0]


def read_profiles(path: str | Path) -> dict[str, Profile]:
    """All profiles of a file, or of every `*.json` in a folder, by name. Raises InputError, also for a name twice."""
    place = Path(path)
    found: dict[str, Profile] = {}
    for file in sorted(place.glob("*.json")) if place.is_dir() else [place]:
        for profile in _read_file(file):
            if profile.name in found:
                raise InputError(f"{printable(path)} holds two profiles named {profile.name!r}; rename or remove one")
            found[profile.name] = profile
    if not found:
        raise InputError(f"{printable(path)} holds no profile; make one with `anomalyclip calibrate`")
    return found


def from_content(data: bytes, name: str) -> list[Profile]:
    """The profiles in the bytes of a file of profiles. name: for messages. Raises InputError."""
    return _profiles_in(_parsed(data, Path(name)), Path(name))


def split_name(given: str) -> tuple[str, str | None]:
    """`a.json:name` -> (a.json, name); a path that exists is taken as it is (`C:\\a.json`, names with colons)."""
    place, colon, name = given.rpartition(":")
    return (given, None) if not colon or not place or Path(given).exists() else (place, name)


def _read_file(path: Path) -> list[Profile]:
    found = _profiles_in(_json(path), path)
    return [one.read_from(printable(path) + f":{one.name}" * (len(found) > 1)) for one in found]


def _profiles_in(content: Any, path: Path) -> list[Profile]:
    if (
        not isinstance(content, dict)
        or content.get("format") != FORMAT
        or not isinstance(content.get("profiles"), list)
    ):
        raise InputError(f"{printable(path)} is no file of profiles; make one with `anomalyclip calibrate`")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise InputError(
            f"{printable(path)} has version {content.get('version')!r}, this program reads version {VERSION}; "
            "update anomalyclip, or calibrate again"
        )
    found = _checked(path, content["profiles"])
    memories = content.get("memories", {})
    if not isinstance(memories, dict):
        raise InputError(f"{printable(path)} is damaged (memories: expected one by profile name); calibrate again")
    return [_with_memory(path, profile, memories.get(profile.name)) for profile in found]


def _with_memory(path: Path, profile: Profile, text: object) -> Profile:
    """The profile, holding the memory that its file carries. Raises InputError for one that is not its own."""
    if text is None or profile.memory is None:
        return profile
    try:
        data = base64.b64decode(str(text), validate=True)
    except binascii.Error as error:
        raise InputError(f"{printable(path)}: the memory of {profile.name!r} is no base64; save it again") from error
    if hashlib.sha256(data).hexdigest() != profile.memory.sha256:
        raise InputError(f"{printable(path)}: the memory of {profile.name!r} is not its own (sha256); save it again")
    return profile.holding(data)


def _checked(path: Path, profiles: list[Any]) -> list[Profile]:
    try:
        return [Profile.model_validate(one).lying_in(path.parent) for one in profiles]
    except ValidationError as error:
        reasons = [
            ": ".join(filter(None, (_place(one["loc"]), one["msg"].removeprefix("Value error, "))))
            for one in error.errors()[:_SHOWN]
        ]
        raise InputError(f"{printable(path)} is damaged ({'; '.join(reasons)}); calibrate again") from error


def _place(names: tuple[int | str, ...]) -> str:
    return printable(".".join(map(str, names)))


def _json(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():  # a pipe would block, a device has no end
            raise InputError(f"the profile {printable(path)} is a pipe or device; give a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"no profile at {printable(path)}; check the path, or make one with `anomalyclip calibrate`"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the profile {printable(path)}: {error}; check the path") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{printable(path)} is larger than {MAX_BYTES // 2**20} MiB; no profile is, check the path")
    return _parsed(data, path)


def _parsed(data: bytes, path: Path) -> Any:
    try:
        return loads_once(data)
    except InputError as error:  # by hand: the second threshold would hide the first
        raise InputError(f"{printable(path)} is damaged: {error}") from error
    except (ValueError, RecursionError) as error:
        if not data.lstrip().startswith(b"{") and (told := what_it_is(path)) is not None:
            raise InputError(f"{printable(path)} is no profile: {told}; give the file that calibrate wrote") from error
        raise InputError(f"{printable(path)} is no JSON ({error}); check the path, or calibrate again") from error
