"""One run on a cluster, from its inputs to the last Parquet file; continued where an earlier start of it ended."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from anomalyclip.cluster.listing import check_sources, list_sources
from anomalyclip.cluster.manifest import Block, Manifest
from anomalyclip.cluster.pool import Job, Pool
from anomalyclip.cluster.rows import decode_rows
from anomalyclip.cluster.store import RUN
from anomalyclip.cluster.worker import Plan, Receipt, is_kept, receipt_of
from anomalyclip.detect import Provenance
from anomalyclip.detect.folder import check_same_run
from anomalyclip.errors import ConfigError
from anomalyclip.io.scanning import PassedOver

Mode = Literal["new", "resume", "overwrite"]

DEFAULT_BLOCK_SIZE = 500
_COUNTING_THREADS = 16


@dataclass
class Totals:
    """What there is to do and what came of it; `done` counts inputs, those of earlier starts (`before`) included.

    told: lines for the user. lost: workers that died. passed_over: what the inputs' folders hold and was no input.
    """

    inputs: int = 0
    done: int = 0
    failed: int = 0
    anomalous: int = 0
    before: int = 0
    lost: int = 0
    passed_over: PassedOver = field(default_factory=PassedOver)
    told: list[str] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Count a finished block."""
        self.done += receipt.rows
        self.failed += receipt.failed
        self.anomalous += receipt.anomalous


@dataclass
class ClusterRun:
    """The inputs and where their rows go. `blocks` runs it and is an iterator, so that the caller shows progress.

    block_size: inputs per block, that is per file, and what is done again when a worker dies; a resumed run keeps the
    one it began with. workers: actors wanted; more than fit are started as nodes join.
    """

    plan: Plan
    inputs: Sequence[str]
    recursive: bool = False
    mode: Mode = "new"
    block_size: int = DEFAULT_BLOCK_SIZE

    def check(self) -> None:
        """Cheap refusals, before a cluster is asked for anything. Raises InputError, ConfigError, OutputError."""
        check_sources(self.inputs, recursive=self.recursive)
        store = self.plan.store
        if self.mode == "new" and (there := store.names()):
            earlier = "the results of an earlier run. Continue it with --resume, " if RUN in there else "other files. "
            raise ConfigError(
                f"--output {store.place} holds {earlier}replace an earlier run with --overwrite (other files stay), or "
                "name another folder"
            )

    def blocks(
        self,
        ray: Any,
        workers: int,
        resources: dict[str, Any],
        progress: Callable[[int, int], object] = lambda ready, wanted: None,
    ) -> Generator[Totals, None, None]:
        """Score what is left; gives the running totals first of all and after every block.

        Raises what a worker raises that is no loss of the worker. However it ends, finished blocks stay.
        """
        pool = Pool(ray, self.plan, workers, resources, progress)
        try:
            manifest, totals, again = self._start(pool)
            yield totals
            yield from self._scored(pool, self._jobs(manifest, again), totals)
            self.plan.store.sweep()
        finally:
            pool.close()

    def _start(self, pool: Pool) -> tuple[Manifest, Totals, set[int]]:
        """What the run is about, what of it is done, and the blocks to try again."""
        manifest = self._begin(pool.wait_for_one())
        totals = Totals(manifest.inputs, passed_over=manifest.passed_over)
        again = self._count_done(manifest, totals)
        totals.before = totals.done
        return manifest, totals, again

    def _scored(self, pool: Pool, jobs: Iterator[Job], totals: Totals) -> Iterator[Totals]:
        for receipt in pool.run(jobs):
            totals.add(receipt)
            totals.lost = pool.lost
            yield totals

    def _begin(self, provenance: Provenance) -> Manifest:
        """The manifest: of the run that is continued, or a new one."""
        store = self.plan.store
        now = {
            "engine": "ray",
            "model": provenance.model,
            "prompts": provenance.prompts,
            "settings": dict(provenance.settings),
            "inputs": list(self.inputs),
            "recursive": self.recursive,
        }
        if self.mode == "resume" and store.names():
            check_same_run(store.read_json(RUN), now, store.place)
            store.sweep()
            earlier = Manifest.read(store)
            if earlier is not None:
                return earlier
        elif self.mode == "overwrite":
            store.clear()
        store.write_json(RUN, now)
        passed = PassedOver()
        sources = list_sources(self.inputs, recursive=self.recursive, passed=passed)
        return Manifest.write(store, sources, self.block_size, passed)

    def _count_done(self, manifest: Manifest, totals: Totals) -> set[int]:
        """Count the rows that are there; gives the blocks to try again.

        Those are the ones with a damaged file, an error in a row, or a row whose file was replaced since.
        """
        again: set[int] = set()
        with ThreadPoolExecutor(_COUNTING_THREADS) as threads:
            for part in range(manifest.parts):
                for receipt in threads.map(self._read_receipt, manifest.read_blocks(part, manifest.done(part))):
                    if receipt.failed or not receipt.rows:
                        again.add(receipt.block)
                    else:
                        totals.add(receipt)
        return again

    def _read_receipt(self, block: Block) -> Receipt:
        rows = decode_rows(self.plan.store.read(block.file))
        receipt = receipt_of(block.index, rows, 0.0)
        return replace(receipt, failed=sum(not is_kept(row, block) for row in rows))

    def _jobs(self, manifest: Manifest, again: set[int]) -> Iterator[Job]:
        for part in range(manifest.parts):
            left = set(manifest.left(part))
            retried = {index for index in manifest.indices(part) if index in again}
            for block in manifest.read_blocks(part, left | retried):
                yield Job(block, retry=block.index in retried)
