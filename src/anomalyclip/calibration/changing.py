"""One profile of a file changed where others may change it, too: none takes back what another did meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.calibration.files import read_profiles
from anomalyclip.calibration.writing import changing, write_owned
from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from anomalyclip.calibration.profile import Profile

Stamp = tuple[int, int, int]


def put_profile(path: str | Path, profile: Profile, *, instead_of: Profile | None) -> bool:
    """Write a profile into a file, beside the others that are in it by now.

    instead_of: what the file held under this name when the work began, None where it held nothing.

    Returns:
        False, and nothing is written, where it holds something else by now. Raises as `write_profiles` does.
    """
    file = Path(path)
    with changing(file):
        try:
            now = read_profiles(file) if file.exists() else {}
        except InputError:  # it was readable when the work began
            return False
        if not _same(now.get(profile.name), instead_of):
            return False
        write_owned(file, [*(one for name, one in now.items() if name != profile.name), profile])
    return True


def replace_profiles(path: str | Path, profile: Profile, *, seen: Stamp | None) -> bool:
    """Write a file with one profile in the place of whatever was there when `seen` was taken of it.

    Returns:
        False, and nothing is written, where the file is another one by now. Raises as `write_profiles` does.
    """
    file = Path(path)
    with changing(file):
        if stamp(file) != seen:
            return False
        write_owned(file, [profile])
    return True


def stamp(path: Path) -> Stamp | None:
    """Tells a file from one that has taken its place; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _same(one: Profile | None, other: Profile | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.model_dump() == other.model_dump()
