"""One run of `anomalyclip detect --engine ray`: options -> plan -> cluster, with progress that logs can show too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cli._console import note
from anomalyclip.cli._ray_progress import RayProgress
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.cluster import Plan
    from anomalyclip.cluster.run import Mode

DONE, SOME_FAILED, INTERRUPTED = 0, 3, 130
_FILES = ("model", "prompts")


@dataclass
class RayJob:
    """The checked options of one run; `run` returns the exit code.

    workers: actors; None is as many as the cluster has room for now. threads: CPUs of each. device: with `auto`, each
    takes a GPU where the cluster has any.
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

    def run(self) -> int:
        """Cheap refusals first, then the cluster. Ctrl-C keeps every finished block."""
        from anomalyclip.cluster import ClusterRun, connected

        run = ClusterRun(self.plan, self.inputs, self.recursive, self.mode, self.block_size)
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
