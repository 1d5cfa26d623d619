"""The output folder of a run, local, mounted or in an object store: files that are whole or absent.

run.json                                what made the results; compared on --resume
manifest.json                           written when the list of inputs is complete
manifest/part=0007.parquet              inputs of one part (`BLOCKS_PER_PART` blocks), in order
results/part=0007/block-00000701.parquet  one block's rows; the name depends on the block alone
suspects/block-00000701.json            which image a worker was at, where blocks have killed workers
with --mutual:
batch/..., seen/block-00000701.json     what was seen of the pictures (removed at the end), and of which
pictures.json, pairs/task-00000012.f4   which were compared; distances of pairs of blocks (removed at the end)
verdicts.npz                            what all distances come to
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalyclip.cluster.places import is_url, open_place
from anomalyclip.errors import OutputError
from anomalyclip.io.atomic import output_error, write_bytes
from anomalyclip.io.names import printable

RUN, MANIFEST, RESULTS, SUSPECTS = "run.json", "manifest.json", "results", "suspects"
RECORDS, SEEN, PICTURES, PAIRS, VERDICTS = "batch", "seen", "pictures.json", "pairs", "verdicts.npz"
_OURS = ("manifest", RESULTS, SUSPECTS, RECORDS, SEEN, PICTURES, PAIRS, VERDICTS)
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")


class Store:
    """Files below one folder, by names with `/`. Workers and driver each open their own; it can be pickled."""

    def __init__(self, place: str) -> None:
        self.place = place if is_url(place) else str(Path(place).absolute())

    @property
    def local(self) -> bool:
        return not is_url(self.place)

    def write(self, name: str, data: bytes) -> None:
        """Replace the file in one step: rename on a file system, one upload in an object store. Raises OutputError."""
        try:
            if self.local:
                path = Path(self.place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, data, fsync=True)
            else:
                system, root = open_place(self.place)
                system.pipe_file(f"{root}/{name}", data)
        except OSError as error:
            raise output_error(self._path(name), error) from error

    def read(self, name: str) -> bytes | None:
        """None where there is no such file. Raises OutputError."""
        system, root = open_place(self.place)
        try:
            data: bytes = system.cat_file(f"{root}/{name}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"cannot read {printable(self._path(name))}: {error}") from error
        return data

    def read_json(self, name: str) -> Any:
        """None where there is no such file or it is damaged."""
        data = self.read(name)
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            return None

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Raises OutputError."""
        self.write(name, json.dumps(value, indent=2).encode() + b"\n")

    def names(self, folder: str = "") -> list[str]:
        """Sorted names of the files directly in `folder`, half-written ones left out; [] where it does not exist."""
        system, root = open_place(self.place)
        try:
            entries = system.ls(f"{root}/{folder}".rstrip("/"), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise OutputError(f"cannot list {printable(self._path(folder))}: {error}") from error
        names = sorted(entry.rstrip("/").rpartition("/")[2] for entry in entries)
        return [name for name in names if not _TEMPORARY.fullmatch(name)]

    def remove(self, name: str) -> None:
        """Also a folder with all in it; nothing where there is none."""
        system, root = open_place(self.place)
        if system.exists(path := f"{root}/{name}"):
            system.rm(path, recursive=True)

    def clear(self) -> None:
        """Remove an earlier run's files, nothing else."""
        for name in (RUN, MANIFEST, *_OURS):
            self.remove(name)

    def sweep(self) -> None:
        """Remove the half-written files of killed workers; an object store has none."""
        if self.local:
            for file in Path(self.place).glob("**/.*.tmp"):
                if _TEMPORARY.fullmatch(file.name):
                    file.unlink(missing_ok=True)

    def _path(self, name: str) -> str:
        return f"{self.place}/{name}".rstrip("/")
