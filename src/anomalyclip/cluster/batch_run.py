"""A batch that judges itself on a cluster: blocks looked at, pairs of blocks compared, rows written; in that order.

What a start finds done it does not do again. The batch is what the first start saw: a picture that was replaced since
would change every score, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomalyclip.cluster.batch_worker import (
    BatchPlan,
    BatchWorker,
    Judge,
    Listed,
    Look,
    Pairs,
    digests_of,
    pairs_file,
    write_verdicts,
)
from anomalyclip.cluster.manifest import Manifest
from anomalyclip.cluster.pool import Job, Pool
from anomalyclip.cluster.run import ClusterRun, Totals
from anomalyclip.cluster.store import PAIRS, PICTURES, RECORDS, VERDICTS
from anomalyclip.detect.identity import Identity
from anomalyclip.errors import ConfigError
from anomalyclip.io.frames import split_frame
from anomalyclip.io.names import printable
from anomalyclip.judges.mutual_batch import BUDGET, empty_table, put_task, tasks_of
from anomalyclip.mutual.passes import FirstPass
from anomalyclip.mutual.scoring import Batch, Chosen, verdicts_of


@dataclass
class BatchRun(ClusterRun):
    """budget: bytes that the driver's table of distances may take in memory; what is more lies on disk."""

    budget: int = BUDGET

    def check(self) -> None:
        """As of any run; and all nodes must see one folder."""
        if not self.plan.store.local:
            raise ConfigError(
                "--mutual on a cluster keeps what is seen of every picture in --output: give a folder that all nodes "
                "mount, not a URL"
            )
        super().check()

    def blocks(
        self,
        ray: Any,
        workers: int,
        resources: dict[str, Any],
        progress: Callable[[int, int], object] = lambda ready, wanted: None,
    ) -> Generator[Totals, None, None]:
        """See :meth:`ClusterRun.blocks`. Raises InputError for fewer than 5 different pictures."""
        store = self.plan.store
        pool = Pool(ray, self.plan, workers, resources, progress, BatchWorker)
        try:
            manifest, totals, again = self._start(pool)
            yield totals
            looks = [Look(block) for part in range(manifest.parts) for block in _blocks_of(manifest, part)]
            known = [self.known(look) for look in looks]
            if VERDICTS not in store.names():
                left = [look for look, there in zip(looks, known, strict=True) if there is None]
                yield from self._done(pool, left, totals)
                yield from self._compared(pool, looks, totals)
            judged = (job._replace(block=Judge(job.block)) for job in self._jobs(manifest, again))
            yield from self._scored(pool, judged, totals)
            for name in (RECORDS, PAIRS):
                store.remove(name)
            store.sweep()
        finally:
            pool.close()

    def _done(self, pool: Pool, works: Iterable[Any], totals: Totals) -> Iterator[Totals]:
        for _ in pool.run(iter([Job(work) for work in works])):
            totals.lost = pool.lost
            yield totals

    def _compared(self, pool: Pool, looks: list[Look], totals: Totals) -> Iterator[Totals]:
        """Pairs by the workers; their sum, which is small, here."""
        plan, store = self.plan, self.plan.store
        assert isinstance(plan, BatchPlan)
        listed = digests_of(Listed.read(store.read_json(look.file)) for look in looks)
        first = self._first()
        first.store.shapes.update(listed.shapes)
        batch = Batch.of(listed.digests)
        chosen = Chosen.of(first.store, batch)
        kept = chosen.kept
        store.write(PICTURES, Listed(kept, {name: listed.shapes[name] for name in kept}).packed())
        tasks = tasks_of(len(kept), plan.partners)
        there = set(store.names(PAIRS))
        left = [
            Pairs(number, task, PICTURES)
            for number, task in enumerate(tasks)
            if Path(pairs_file(number)).name not in there
        ]
        yield from self._done(pool, left, totals)
        counts = [listed.shapes[name].patches for name in kept]
        table = empty_table(counts, plan.partners, self.budget, Path(store.place, RECORDS))
        for number, task in enumerate(tasks):
            put_task(table, task, np.frombuffer(store.read(pairs_file(number)) or b"", "<f4"), plan.partners)
        verdicts = verdicts_of(
            first.store, batch, chosen, table, line=first.line, sigma=first.settings.sigma, aligned=plan.aligned
        )
        totals.told = [
            *verdicts.doubts,
            f"Scores depend on this batch: {len(batch.digests):,} pictures ({batch.sha256[:12]})",
        ]
        write_verdicts(store, batch, verdicts)

    def _first(self) -> FirstPass:
        """A first pass of the driver's own, which reads what the workers kept."""
        plan = self.plan
        model = plan.open_detector()
        if plan.profile is not None:
            model = plan.profile.judged(model)
        return FirstPass(model, Path(plan.store.place, RECORDS))

    def known(self, look: Look) -> Listed | None:
        """What an earlier start saw of a block; None where that is not all there.

        Raises ConfigError where a picture was replaced since.
        """
        told = self.plan.store.read_json(look.file)
        if told is None:
            return None
        for number, identity in told["identities"]:
            path = split_frame(look.block.sources[number].path)[0]
            if not Identity.unpacked(bytes.fromhex(identity)).still_of(path):
                raise ConfigError(
                    f"{printable(path)} was replaced since this batch was seen, which would change every score: start "
                    "again with --overwrite"
                )
        return Listed.read(told)


def _blocks_of(manifest: Manifest, part: int) -> Iterator[Any]:
    yield from manifest.read_blocks(part, list(manifest.indices(part)))
