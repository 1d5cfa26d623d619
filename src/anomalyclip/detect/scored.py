"""The output folder of `detect`, read back picture by picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows
from anomalyclip.detect.names import file_of, frame_key, path_key
from anomalyclip.detect.result import is_readable
from anomalyclip.errors import InputError
from anomalyclip.geometry.regions import find_regions
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomalyclip.geometry.regions import Region


@dataclass(frozen=True)
class Scored:
    """One picture with a score.

    Attributes:
        file: its absolute path. frame: which picture of a file of several, else None.
        row: its row in `results.jsonl`.
        map_file: its anomaly map; None where none was kept (`--maps none`).
    """

    file: Path
    frame: int | None
    row: Row
    map_file: Path | None

    @property
    def pixel_threshold(self) -> float | None:
        """From which map value on regions were cut; None where there was none."""
        found = self.row.get("settings", {}).get("pixel_threshold")
        return None if found is None else float(found)

    def anomaly_map(self) -> NDArray[np.float32] | None:
        """(H, W) float32 in [0, 1] at the picture's own size, None where it was not kept. Raises InputError."""
        from anomalyclip.io import read_map

        return None if self.map_file is None else read_map(self.map_file)

    def masks(self) -> list[NDArray[np.bool_] | None]:
        """Per region of the row its pixels within its box, (height, width); None where nothing tells them."""
        from anomalyclip.detect.findings.parts import filled

        regions: list[Region] = self.row["regions"]
        if not regions:
            return []
        if all("polygons" in one for one in regions):
            return [filled(one) for one in regions]
        values = self.anomaly_map()
        if values is None or self.pixel_threshold is None:
            return [None] * len(regions)
        again = {tuple(one["peak_xy"]): one for one in find_regions(values, self.pixel_threshold, outlines=True)}
        same = [again.get((one["peak_xy"][0], one["peak_xy"][1])) for one in regions]
        return [
            filled(found) if found is not None and found["box"] == one["box"] else None
            for one, found in zip(regions, same, strict=True)
        ]


def read_results(path: str | Path) -> Iterator[Scored]:
    """Every picture of an output folder that has a score, in the order of its rows.

    Raises InputError where the folder holds no results of `detect` or `watch`, or a row that they did not write.
    """
    path = Path(path)
    if not (path / folder.RESULTS).is_file():
        raise InputError(
            f"{printable(path)} holds no {folder.RESULTS}; name the --output folder of anomalyclip detect or watch"
        )
    return _scored(path)


def _scored(path: Path) -> Iterator[Scored]:
    cwd = folder.working_folder(path)
    names = {bytes.fromhex(card["key"]): str(card["name"]) for _, card in read_rows(path / folder.CARDS)}
    for _, row in read_rows(path / folder.RESULTS):
        if not is_readable(row):
            told = (
                f"{printable(path / folder.RESULTS)} holds a row that detect did not write ({printable(str(row)[:80])})"
            )
            raise InputError(f"{told}: run detect with --resume, which scores its picture again")
        if row.get("score") is None:
            continue
        frame = row.get("frame")
        name = file_of(row["path"], frame)
        key = path_key(name, cwd=cwd)
        yield Scored(
            Path(os.path.normpath(os.path.join(cwd, name))),  # noqa: PTH118 - a name as it is
            frame,
            row,
            _map_of(path, names, key if frame is None else frame_key(key, frame)),
        )


def _map_of(path: Path, names: Mapping[bytes, str], key: bytes) -> Path | None:
    name: Any = names.get(key)
    files = (path / folder.MAPS / f"{name}{suffix}" for suffix in (".tiff", ".npz"))
    return next((file for file in files if name and file.is_file()), None)
