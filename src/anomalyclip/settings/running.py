"""Settings of pace and limits: how many images at once, how many threads, how large an image may be."""

from __future__ import annotations

from anomalyclip.settings.faces import (
    CALIBRATE,
    DATA_CHECK,
    DETECT,
    EVALUATE,
    PYTHON,
    REPRODUCE,
    SCORING,
    SERVE,
    TRAIN,
    WATCH,
)
from anomalyclip.settings.panels import CLUSTERS, SPEED
from anomalyclip.settings.setting import Range, Setting

_STREAM = "stream"

RUNNING: tuple[Setting, ...] = (
    Setting(
        "batch_size",
        int,
        "Images per forward pass (default: 8 on a GPU, 1 on a CPU).",
        (*SCORING, PYTHON),
        range=Range(1, 1024, "images"),
        panel=SPEED,
        part=_STREAM,
        differs={
            SERVE: {"help": "Images that share a forward pass at most (default: 16 on a GPU, 4 on a CPU)."},
            PYTHON: {"default": 1, "help": "Images, or tiles of one image, per forward pass."},
        },
    ),
    Setting(
        "batch_wait",
        float,
        "Milliseconds that an image waits for others.",
        (SERVE,),
        default=5.0,
        range=Range(0, 60_000, "milliseconds"),
        panel=SPEED,
    ),
    Setting(
        "workers",
        int,
        "Threads that read images.",
        (*SCORING, REPRODUCE),
        default=2,
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
        "max_pixels",
        int,
        "Refuse larger images (default: 89 million pixels).",
        (*SCORING, TRAIN, REPRODUCE, DATA_CHECK, PYTHON),
        range=Range(1, 10**12, "pixels"),
        panel=SPEED,
        part=_STREAM,
        differs={
            DATA_CHECK: {"panel": None},
            SERVE: {"default": 50_000_000, "help": "Refuse images with more pixels."},
        },
    ),
    Setting(
        "isolate",
        str,
        "Decode in processes that can be ended. auto: all but JPEG and PNG, and what a process has died of.",
        (DETECT, WATCH, CALIBRATE, EVALUATE, DATA_CHECK),
        default="auto",
        choices=("auto", "on", "off"),
        panel=SPEED,
        differs={DATA_CHECK: {"panel": None}},
    ),
    Setting(
        "engine",
        str,
        "local: this process. ray: workers on a Ray cluster; INPUT and DIR may be URLs (s3, gs, http), INPUT also "
        "@FILE, a list; the results are Parquet.",
        (DETECT,),
        default="local",
        choices=("local", "ray"),
        panel=CLUSTERS,
    ),
    Setting(
        "address",
        str,
        "Of the cluster: auto, HOST:PORT or ray://HOST:PORT (default: $RAY_ADDRESS, else Ray on this machine).",
        (DETECT,),
        panel=CLUSTERS,
    ),
    Setting(
        "block_size",
        int,
        "Images per Parquet file, which are done again if their worker dies (default: 500).",
        (DETECT,),
        range=Range(1, 10**6, "images"),
        panel=CLUSTERS,
    ),
)
