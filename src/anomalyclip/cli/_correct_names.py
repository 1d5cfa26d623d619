"""Which pictures the names of `anomalyclip correct` mean: rows of a results folder, and regions in them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.detect import InputItem

SAID = "anomalyclip-said"
"""What the file of a report's corrections calls itself."""


@dataclass(frozen=True)
class Named:
    """One NAME: its row, the file, and the region that is meant, None is the whole picture."""

    row: dict[str, Any]
    path: str
    region: tuple[int, int, int, int] | None

    @property
    def item(self) -> InputItem:
        """To be read as `detect` read it."""
        return item_of(self.path, (self.row.get("settings") or {}).get("axis", "z"))


@dataclass
class Rows:
    """The rows with a score in the --output folder of `detect`."""

    folder: Path

    def named(self, names: Sequence[str]) -> list[Named]:
        """What the names mean, each once. Raises ConfigError and InputError, see :meth:`find`."""
        return [self.find(name) for name in dict.fromkeys(names)]

    @cached_property
    def _rows(self) -> tuple[str, list[dict[str, Any]]]:
        """The folder that paths count from, and the rows."""
        from anomalyclip.detect import folder
        from anomalyclip.detect.journal import read_rows
        from anomalyclip.detect.result import is_row

        results = self.folder
        if not (results / folder.RESULTS).is_file():
            raise InputError(f"{printable(results)} holds no {folder.RESULTS}: expected the --output folder of detect")
        try:
            cwd = json.loads((results / folder.RUN).read_bytes()).get("cwd") or ""
        except (OSError, ValueError, AttributeError, RecursionError):
            cwd = ""
        return cwd, [row for _, row in read_rows(results / folder.RESULTS) if is_row(row)]

    def find(self, name: str) -> Named:
        """Raises ConfigError for a name of no row with a score, of several, or a region that the row does not have."""
        cwd, every = self._rows
        rows = [row for row in every if row.get("score") is not None]
        plain, _, number = name.partition("#region=")
        matches = [row for row in rows if row["path"] == plain] or [
            row for row in rows if Path(row["path"]).name == plain
        ]
        if len(matches) != 1:
            if matches:
                listed = ", ".join(printable(row["path"]) for row in matches[:3])
                raise ConfigError(f"{printable(plain)} is the name of {len(matches)} rows ({listed}): give the path")
            for row in every:
                if plain in (row["path"], Path(row["path"]).name):
                    raise ConfigError(f"{printable(plain)} was not scored, so it cannot be corrected: {row['error']}")
            near = get_close_matches(plain, [Path(row["path"]).name for row in rows], n=1)
            hint = f"; did you mean {printable(near[0])}?" if near else ""
            raise ConfigError(f"no row of {printable(self.folder)} with a score is called {printable(plain)}{hint}")
        row = matches[0]
        region = None
        if number:
            boxes = [region["box"] for region in row["regions"]]
            if not re.fullmatch(r"[1-9]\d*", number) or int(number) > len(boxes):
                many = f"{len(boxes)} region{'s' * (len(boxes) != 1)}"
                raise ConfigError(f"{printable(name)}: {printable(plain)} has {many}, counted from 1")
            x, y, width, height = boxes[int(number) - 1]
            region = (x, y, width, height)
        return Named(row, _path_of(row, cwd), region)

    def paths(self) -> set[str]:
        """The absolute path of every row, as the journal has it. Raises InputError where the folder is no run."""
        cwd, rows = self._rows
        return {_path_of(row, cwd) for row in rows}


def _path_of(row: dict[str, Any], cwd: str) -> str:
    from anomalyclip.detect.names import file_of

    frame = row.get("frame")
    path = os.path.abspath(os.path.join(cwd, file_of(row["path"], frame)))  # noqa: PTH100, PTH118
    return path if frame is None else f"{path}#frame={frame}"


def item_of(path: str, axis: str = "z") -> InputItem:
    """A file, or one picture of a file of several as rows name it."""
    from anomalyclip.detect import InputItem
    from anomalyclip.detect.names import frame_key, path_key

    found = re.fullmatch(r"(.*)#frame=(\d+)", path, re.DOTALL)
    if found is None or Path(path).exists():
        return InputItem(path, Path(path).stem, path_key(path))
    frame = int(found[2])
    return InputItem(path, Path(path).stem, frame_key(path_key(found[1]), frame), frame=frame, axis=axis)


def said_in(file: Path) -> tuple[list[str], list[str]]:
    """(normal, faulty) names in a file that `report.html` saved. Raises InputError."""
    try:
        told = json.loads(file.read_bytes())
        names = told["normal"], told["faulty"]
        if told["format"] != SAID or not all(isinstance(one, str) for group in names for one in group):
            raise ValueError
    except OSError as error:
        raise InputError(f"--said-in {printable(file)} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"--said-in {printable(file)}: expected a file that report.html saved (its Corrections)"
        ) from error
    return list(names[0]), list(names[1])
