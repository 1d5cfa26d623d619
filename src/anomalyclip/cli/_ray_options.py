"""Options of `detect --engine ray`, and the way from a checked `DetectJob` to a `RayJob`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.cli._detect_job import DetectJob
    from anomalyclip.cli._ray_job import RayJob

PANEL = "Clusters"


class Engine(str, Enum):
    """What runs the model."""

    local = "local"
    ray = "ray"


EngineOption = Annotated[
    Engine,
    typer.Option(
        help="local: this process. ray: workers on a Ray cluster; INPUT and DIR may be URLs (s3, gs, http), INPUT also "
        "@FILE, a list; the results are Parquet.",
        rich_help_panel=PANEL,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Of the cluster: auto, HOST:PORT or ray://HOST:PORT (default: $RAY_ADDRESS, else Ray on this machine).",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
BlockSize = Annotated[
    int | None,
    typer.Option(
        help="Images per Parquet file, which are done again if their worker dies (default: 500).",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def check_engine(
    engine: Engine, output: object | None, files: Mapping[str, object], ray_only: Mapping[str, object]
) -> None:
    """Raises ConfigError for options of the other engine. Values of options that were not given are None or False."""
    of_ray = [option for option, value in ray_only.items() if value is not None]
    if engine is Engine.local and of_ray:
        raise ConfigError(f"{', '.join(of_ray)} is of clusters: add --engine ray")
    if engine is Engine.ray and output is None:
        raise ConfigError("--engine ray needs a place for its Parquet files that every node can write to: --output DIR")
    refused = [option for option, value in files.items() if value]
    if engine is Engine.ray and refused:
        raise ConfigError(
            f"{', '.join(refused)}: --engine ray writes Parquet only. Run detect without it on the images to look at"
        )


def ray_job(job: DetectJob, address: str | None, block_size: int | None, workers: int | None) -> RayJob:
    """The same detection, on a cluster."""
    from anomalyclip.cli._ray_job import RayJob, everywhere
    from anomalyclip.cluster import Plan
    from anomalyclip.cluster.run import DEFAULT_BLOCK_SIZE
    from anomalyclip.cluster.store import Store
    from anomalyclip.detect import Rules

    threads = int(job.loading["threads"] or 1)
    plan = Plan(
        # A path has only one slash after the scheme left.
        store=Store(re.sub(r"^([a-z][a-z0-9+]+):/(?!/)", r"\1://", str(job.output))),
        loading=everywhere({**job.loading, "threads": threads}),
        rules=Rules(job.threshold, job.pixel_threshold, job.min_area),
        geometry=job.geometry,
        areas=job.areas,
        profile=job.profile,
        batch_size=job.batch_size,
        max_pixels=job.max_pixels,
    )
    return RayJob(
        plan=plan,
        inputs=job.inputs,
        recursive=job.recursive,
        mode=job.mode,
        block_size=block_size or DEFAULT_BLOCK_SIZE,
        address=address,
        workers=workers,
        threads=threads,
        device=str(job.loading["device"]),
        quiet=job.quiet,
    )
