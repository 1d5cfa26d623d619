"""Settings of pace and limits: how many images at once, how many threads, how large an image may be."""

from __future__ import annotations

from anomalyclip.settings.faces import DETECT, EVALUATE, PYTHON, REPRODUCE, SCORING, SERVE, TRAIN
from anomalyclip.settings.panels import CLUSTERS, SPEED
from anomalyclip.settings.setting import Range, Setting

_STREAM = "stream"

RUNNING: tuple[Setting, ...] = (
    Setting(
        name="batch_size",
        type=int,
        help="Images per forward pass (default: 8 on a GPU, 1 on a CPU).",
        where=(*SCORING, PYTHON),
        range=Range(1, 1024, "images"),
        panel=SPEED,
        part=_STREAM,
        differs={
            SERVE: {"help": "Images that share a forward pass at most (default: 16 on a GPU, 4 on a CPU)."},
            PYTHON: {"default": 1, "help": "Images, or tiles of one image, per forward pass."},
        },
    ),
    Setting(
        name="batch_wait",
        type=float,
        default=5.0,
        help="Milliseconds that an image waits for others.",
        where=(SERVE,),
        range=Range(0, 60_000, "milliseconds"),
        panel=SPEED,
    ),
    Setting(
        name="workers",
        type=int,
        default=2,
        help="Threads that read images, and as many that write.",
        where=(*SCORING, REPRODUCE),
        range=Range(1, 256, "threads"),
        panel=SPEED,
        part=_STREAM,
        differs={
            DETECT: {
                "default": None,
                "help": "Threads that read images, and as many that write (default: 2); with --engine ray: workers, "
                "each with a model (default: as many as have room).",
            },
            EVALUATE: {"help": "Threads that read images, and as many that compare maps."},
            REPRODUCE: {"help": "Threads that read images, and as many that compare maps."},
        },
    ),
    Setting(
        name="max_pixels",
        type=int,
        help="Refuse larger images (default: 89 million pixels).",
        where=(*SCORING, TRAIN, REPRODUCE),
        range=Range(1, 10**12, "pixels"),
        panel=SPEED,
        part=_STREAM,
        differs={SERVE: {"default": 50_000_000, "help": "Refuse images with more pixels."}},
    ),
    Setting(
        name="engine",
        type=str,
        default="local",
        choices=("local", "ray"),
        help="local: this process. ray: workers on a Ray cluster; INPUT and DIR may be URLs (s3, gs, http), INPUT also "
        "@FILE, a list; the results are Parquet.",
        where=(DETECT,),
        panel=CLUSTERS,
    ),
    Setting(
        name="address",
        type=str,
        help="Of the cluster: auto, HOST:PORT or ray://HOST:PORT (default: $RAY_ADDRESS, else Ray on this machine).",
        where=(DETECT,),
        panel=CLUSTERS,
    ),
    Setting(
        name="block_size",
        type=int,
        help="Images per Parquet file, which are done again if their worker dies (default: 500).",
        where=(DETECT,),
        range=Range(1, 10**6, "images"),
        panel=CLUSTERS,
    ),
)
