"""Settings of `serve` alone, and of its requests."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import REST, SERVE
from anomalyclip.settings.panels import SPEED
from anomalyclip.settings.setting import Range, Setting

_LIMITS = "limits"

SERVING: tuple[Setting, ...] = (
    Setting("host", str, "Address to listen on; 0.0.0.0 lets other machines in.", (SERVE,), default="127.0.0.1"),
    Setting("port", int, "0 takes a free one.", (SERVE,), default=8000, range=Range(0, 65535, "a port number")),
    Setting(
        "allow_host",
        str,
        "Answer under this name, too (repeatable); listening on this machine alone: else only under its own.",
        (SERVE,),
        metavar="NAME",
        many=True,
    ),
    Setting("live", Path, "Show a watch while it runs: its --output folder.", (SERVE,), metavar="DIR"),
    Setting(
        "keep",
        Path,
        "Keep profiles that clients make, and corrections with their journal, in this folder; else they end with the "
        "server.",
        (SERVE,),
        metavar="DIR",
    ),
    Setting("api_key_file", Path, "Ask everything below /v1 for the key in this file.", (SERVE,)),
    Setting(
        "log_level",
        str,
        "Logs are JSON lines on stderr.",
        (SERVE,),
        default="info",
        choices=("debug", "info", "warning", "error"),
    ),
    Setting(
        "queue",
        int,
        "Images waiting at once; beyond it 429.",
        (SERVE,),
        default=64,
        range=Range(1, 100_000, "images"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        "max_wait",
        float,
        "Seconds that accepted images should wait at most: where they begin to, fewer are accepted, others get 429.",
        (SERVE,),
        range=Range(0.1, 86_400, "seconds"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        "max_files",
        int,
        "Images in one request.",
        (SERVE,),
        default=32,
        range=Range(1, 10_000, "images"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        "max_bytes",
        int,
        "Bytes of one request's body.",
        (SERVE,),
        default=64 * 2**20,
        range=Range(1024, 2**40, "bytes"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        "memory_mb",
        int,
        "Megabytes that the server may take, the model included (default: what the container or machine has).",
        (SERVE,),
        range=Range(256, 10**8, "megabytes"),
        panel=SPEED,
    ),
    Setting(
        "max_seconds",
        float,
        "From a complete request to its answer; beyond it 503.",
        (SERVE,),
        default=60.0,
        range=Range(0.1, 86_400, "seconds"),
        panel=SPEED,
    ),
    Setting(
        "drain",
        float,
        "Seconds between SIGTERM and taking no more requests.",
        (SERVE,),
        default=2.0,
        range=Range(0, 3600, "seconds"),
        panel=SPEED,
    ),
)

REQUESTS: tuple[Setting, ...] = (
    Setting("maps", str, "Send the anomaly maps along, in this format.", (REST,), choices=("png", "tiff16", "npz")),
    Setting(
        "map_side",
        int,
        "Longest side of the maps in pixels; default: the image's own size.",
        (REST,),
        range=Range(1, 16384, "pixels"),
    ),
    Setting(
        "preview",
        int,
        "Send each image back as a JPEG with at most this longest side.",
        (REST,),
        range=Range(1, 2048, "pixels"),
    ),
)
