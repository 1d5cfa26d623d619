"""What `calibrate` found where it is to write, so that at the end nothing is replaced that came meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.calibration.changing import Stamp


@dataclass(frozen=True)
class Before:
    """The file that is to be written, as it was when the run began.

    add: beside the profiles that it holds. profile: that it holds under the new one's name, to be replaced. stamp: of
    the file, which is to be replaced where nothing is added; None where there was none.
    """

    file: Path
    add: bool
    profile: Profile | None
    stamp: Stamp | None

    @classmethod
    def of(cls, given: Given) -> Before:
        """Raises ConfigError where something would be lost without being asked for, or a server keeps the file."""
        from anomalyclip.calibration import check_name, read_profiles
        from anomalyclip.calibration.changing import stamp
        from anomalyclip.calibration.writing import refuse_kept

        check_name(given.name)
        file, place = given.output, printable(given.output)
        if file.is_dir():
            raise ConfigError(f"--output {place} is a folder: name a file, such as {printable(file / 'line.json')}")
        refuse_kept(file)
        found = stamp(file)
        if found is None or not given.add:
            if found is not None and not given.overwrite:
                raise ConfigError(
                    f"--output {place} exists: --add puts this profile beside its own, --overwrite replaces it"
                )
            return cls(file, given.add, None, found)
        profile = read_profiles(file).get(given.name)
        if profile is not None and not given.overwrite:
            raise ConfigError(
                f"{place} has a profile {given.name!r}: choose another --name, or replace it with --overwrite"
            )
        return cls(file, given.add, profile, found)

    def write(self, profile: Profile) -> Path:
        """Write the profile, beside what is there by now if another run changed just that; gives the file written."""
        from anomalyclip.calibration.changing import put_profile, replace_profiles
        from anomalyclip.calibration.writing import write_new_profiles

        if self.add:
            written = put_profile(self.file, profile, instead_of=self.profile)
        else:
            written = replace_profiles(self.file, profile, seen=self.stamp)
        return self.file if written else write_new_profiles(self.file, [profile])
