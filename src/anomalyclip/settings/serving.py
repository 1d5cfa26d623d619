"""Settings of `serve` alone, and of its requests."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import REST, SERVE
from anomalyclip.settings.panels import SPEED
from anomalyclip.settings.setting import Range, Setting

_LIMITS = "limits"

SERVING: tuple[Setting, ...] = (
    Setting(
        name="host",
        type=str,
        default="127.0.0.1",
        help="Address to listen on; 0.0.0.0 lets other machines in.",
        where=(SERVE,),
    ),
    Setting(
        name="port",
        type=int,
        default=8000,
        help="0 takes a free one.",
        where=(SERVE,),
        range=Range(0, 65535, "a port number"),
    ),
    Setting(
        name="api_key_file",
        type=Path,
        help="Ask everything below /v1 for the key in this file.",
        where=(SERVE,),
    ),
    Setting(
        name="log_level",
        type=str,
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="Logs are JSON lines on stderr.",
        where=(SERVE,),
    ),
    Setting(
        name="queue",
        type=int,
        default=64,
        help="Images waiting at once; beyond it 429.",
        where=(SERVE,),
        range=Range(1, 100_000, "images"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        name="max_files",
        type=int,
        default=32,
        help="Images in one request.",
        where=(SERVE,),
        range=Range(1, 10_000, "images"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        name="max_bytes",
        type=int,
        default=64 * 2**20,
        help="Bytes of one request's body.",
        where=(SERVE,),
        range=Range(1024, 2**40, "bytes"),
        panel=SPEED,
        part=_LIMITS,
    ),
    Setting(
        name="max_seconds",
        type=float,
        default=60.0,
        help="From a complete request to its answer; beyond it 503.",
        where=(SERVE,),
        range=Range(0.1, 86_400, "seconds"),
        panel=SPEED,
    ),
    Setting(
        name="drain",
        type=float,
        default=2.0,
        help="Seconds between SIGTERM and taking no more requests.",
        where=(SERVE,),
        range=Range(0, 3600, "seconds"),
        panel=SPEED,
    ),
)

REQUESTS: tuple[Setting, ...] = (
    Setting(
        name="maps",
        type=str,
        choices=("png", "tiff16", "npz"),
        help="Send the anomaly maps along, in this format.",
        where=(REST,),
    ),
    Setting(
        name="map_side",
        type=int,
        help="Longest side of the maps in pixels; default: the image's own size.",
        where=(REST,),
        range=Range(1, 16384, "pixels"),
    ),
    Setting(
        name="preview",
        type=int,
        help="Send each image back as a JPEG with at most this longest side.",
        where=(REST,),
        range=Range(1, 2048, "pixels"),
    ),
)
