"""One run of `anomalyclip detect --engine ray`: options -> plan -> cluster, with progress that logs can show too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._checks import mode_of
from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given
from anomalyclip.cli._ray_progress import RayProgress
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.cli._detect_job import DetectJob
    from anomalyclip.cluster import ClusterRun, Plan
    from anomalyclip.cluster.run import Mode

DONE, SOME_FAILED, INTERRUPTED = 0, 3, 130
_FILES = ("model", "prompts")


@dataclass
class RayJob:
    """The checked options of one run; `run` returns the exit code.

    workers: actors; None is as many as the cluster has room for now. threads: CPUs of each. device: with `auto`, each
    takes a GPU where the cluster has any. budget: bytes of memory for what a batch's driver sums up.
    """

    plan: Plan
    inputs: Sequence[str]
    recursive: bool
    mode: Mode
    block_size: int
    address: str | None
    workers: int | None
    threads: int
    device: str
    quiet: bool
    budget: int = 0

    def run(self) -> int:
        """Cheap refusals first, then the cluster. Ctrl-C keeps every finished block."""
        from anomalyclip.cluster import connected

        run = self._run()
        shown = RayProgress(quiet=self.quiet)
        try:
            run.check()
            with connected(self.address) as ray:
                resources, room = self._resources(ray.cluster_resources())
                blocks = run.blocks(ray, self.workers or room, resources, shown.workers)
                with closing(blocks), shown:
                    for totals in blocks:
                        shown.totals(totals)
        except KeyboardInterrupt:
            note("Interrupted. Finished blocks are kept: continue with the same command and --resume.", style="yellow")
            return INTERRUPTED
        shown.summarise(self.plan.store.place)
        return SOME_FAILED if shown.failed else DONE

    def _run(self) -> ClusterRun:
        from anomalyclip.cluster import ClusterRun
        from anomalyclip.cluster.batch_run import BatchRun
        from anomalyclip.cluster.batch_worker import BatchPlan

        call = self.plan, self.inputs, self.recursive, self.mode, self.block_size
        return BatchRun(*call, budget=self.budget) if isinstance(self.plan, BatchPlan) else ClusterRun(*call)

    def _resources(self, cluster: Mapping[str, float]) -> tuple[dict[str, Any], int]:
        """What an actor asks for, and how many have room. Raises ConfigError where none has and the device is named."""
        on_gpu = self.device.startswith("cuda") or (self.device == "auto" and cluster.get("GPU", 0) > 0)
        if on_gpu:
            if cluster.get("GPU", 0) < 1:
                raise ConfigError(f"--device {self.device}: the Ray cluster has no GPU; add nodes, or use --device cpu")
            return {"num_gpus": 1, "num_cpus": self.threads}, int(cluster["GPU"])
        return {"num_cpus": self.threads}, max(1, int(cluster.get("CPU", 1)) // self.threads)


def everywhere(loading: Mapping[str, Any]) -> dict[str, Any]:
    """Files among the options by absolute paths: workers run in folders of their own."""
    given = {name: Path(value) for name in _FILES if (value := loading.get(name))}
    return {**loading, **{name: str(path.absolute()) for name, path in given.items() if path.exists()}}


def check_engine(given: Given, *files: str) -> None:
    """Raises ConfigError for options of the other engine; `files` are settings that write what it does not."""
    of_ray = given.said("address", "block_size")
    if given.engine == "local" and of_ray:
        raise ConfigError(f"{', '.join(of_ray)} is of clusters: add --engine ray")
    if given.engine == "ray" and given.output is None:
        raise ConfigError("--engine ray needs a place for its Parquet files that every node can write to: --output DIR")
    refused = given.said(*files)
    if given.engine == "ray" and refused:
        raise ConfigError(
            f"{', '.join(refused)}: --engine ray writes Parquet only. Run detect without it on the images to look at"
        )


def ray_job(job: DetectJob) -> RayJob:
    """The same detection, on a cluster."""
    from anomalyclip.cluster import Plan
    from anomalyclip.cluster.run import DEFAULT_BLOCK_SIZE
    from anomalyclip.cluster.store import Store

    given = job.given
    threads = given.threads or 1
    form: Callable[..., Plan] = Plan
    if given.mutual:
        from anomalyclip.cluster.batch_worker import BatchPlan

        form = partial(BatchPlan, partners=given.partners, aligned=given.aligned)
    plan = form(
        # A path has only one slash after the scheme left.
        store=Store(re.sub(r"^([a-z][a-z0-9+]+):/(?!/)", r"\1://", str(given.output))),
        loading=everywhere(given.part("opening") | {"threads": threads}),
        rules=job.decisions.rules(),
        geometry=job.geometry,
        areas=job.areas,
        profile=None if job.decisions.profile is None else job.decisions.profile.in_hand(),
        batch_size=given.batch_size,
        reading=job.reading,
        frames=given.frames,
        isolate=given.isolate,
    )
    return RayJob(
        plan=plan,
        inputs=given.inputs,
        recursive=given.recursive,
        mode=mode_of(given),
        block_size=given.block_size or DEFAULT_BLOCK_SIZE,
        address=given.address,
        workers=given.workers,
        threads=threads,
        device=given.device,
        quiet=given.quiet,
        budget=int(given.mutual_mb * 2**20),
    )
