"""The list of a run's inputs, in blocks: written once, then read part by part, so that every start sees the same."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from anomalyclip.cluster.listing import Source
from anomalyclip.cluster.store import MANIFEST, RESULTS, Store
from anomalyclip.errors import OutputError
from anomalyclip.io.scanning import PassedOver

BLOCKS_PER_PART = 200
_SCHEMA = pa.schema([("path", pa.binary()), ("problem", pa.string())])


@dataclass(frozen=True)
class Block:
    """A run of inputs that is scored and written at one go: the unit of work, of retry and of storage.

    index: from 0. first: running number of its first input. sources: its inputs, in order.
    """

    index: int
    first: int
    sources: tuple[Source, ...]

    @property
    def file(self) -> str:
        """Where its rows go: a function of the index alone, so that whoever repeats the block replaces the file."""
        return result_file(self.index)


@dataclass(frozen=True)
class Manifest:
    """inputs: how many there are. block_size: inputs per block, but for the last. passed_over: what was no input."""

    store: Store
    inputs: int
    block_size: int
    passed_over: PassedOver = field(default_factory=PassedOver)

    @classmethod
    def write(
        cls, store: Store, sources: Iterable[Source], block_size: int, passed_over: PassedOver | None = None
    ) -> Manifest:
        """Go through the sources once; memory holds one part. Raises OutputError.

        passed_over: filled by whoever lists the sources, complete at their end.
        """
        passed = passed_over if passed_over is not None else PassedOver()
        stream, inputs, part = iter(sources), 0, 0
        while rows := list(islice(stream, block_size * BLOCKS_PER_PART)):
            store.write(_part_file(part), _encoded(rows, block_size))
            inputs, part = inputs + len(rows), part + 1
        told = {"inputs": inputs, "block_size": block_size, "passed_over": passed.record()}
        store.write_json(MANIFEST, told)
        return cls(store, inputs, block_size, passed)

    @classmethod
    def read(cls, store: Store) -> Manifest | None:
        """None where it was never completed."""
        told = store.read_json(MANIFEST)
        if told is None:
            return None
        return cls(store, told["inputs"], told["block_size"], PassedOver.recorded(told.get("passed_over", {})))

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.inputs // self.block_size)

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.blocks // BLOCKS_PER_PART)

    def done(self, part: int) -> set[int]:
        """Which blocks of a part have their file."""
        there = set(self.store.names(_result_folder(part)))
        return {index for index in self.indices(part) if _block_name(index) in there}

    def read_blocks(self, part: int, wanted: Sequence[int] | set[int]) -> Iterator[Block]:
        """The wanted blocks of a part. Raises OutputError where the part is missing."""
        data = self.store.read(_part_file(part))
        if data is None:
            raise OutputError(
                f"{self.store.place}: part {part} of the manifest is missing; start again with --overwrite"
            )
        file = pq.ParquetFile(pa.BufferReader(data))
        for index in sorted(wanted):
            rows = file.read_row_group(index - part * BLOCKS_PER_PART)
            paths, problems = rows["path"].to_pylist(), rows["problem"].to_pylist()
            sources = tuple(Source(os.fsdecode(path), why) for path, why in zip(paths, problems, strict=True))
            yield Block(index, index * self.block_size, sources)

    def indices(self, part: int) -> range:
        """The numbers of a part's blocks."""
        return range(part * BLOCKS_PER_PART, min((part + 1) * BLOCKS_PER_PART, self.blocks))

    def left(self, part: int) -> list[int]:
        """Which blocks of a part have no file yet."""
        done = self.done(part)
        return [index for index in self.indices(part) if index not in done]


def result_file(index: int) -> str:
    """Named as Hive names partitions, so that readers of Parquet give `part` as a column."""
    return f"{_result_folder(index // BLOCKS_PER_PART)}/{_block_name(index)}"


def _result_folder(part: int) -> str:
    return f"{RESULTS}/part={part:04d}"


def _block_name(index: int) -> str:
    return f"block-{index:08d}.parquet"


def _part_file(part: int) -> str:
    return f"manifest/part={part:04d}.parquet"


def _encoded(rows: list[Source], block_size: int) -> bytes:
    """One row group per block, so that one block can be read alone."""
    paths = [os.fsencode(row.path) for row in rows]
    table = pa.table({"path": paths, "problem": [row.problem for row in rows]}, schema=_SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=block_size, compression="zstd")
    return buffer.getvalue()
