"""Settings of `watch` alone."""

from __future__ import annotations

from anomalyclip.settings.faces import WATCH
from anomalyclip.settings.panels import LOOKING, TELLING
from anomalyclip.settings.setting import Range, Setting

WATCHING: tuple[Setting, ...] = (
    Setting(
        name="once",
        type=bool,
        default=False,
        help="Score what is there and stop.",
        where=(WATCH,),
        panel=LOOKING,
    ),
    Setting(
        name="interval",
        type=float,
        default=1.0,
        help="Seconds between two looks into a folder.",
        where=(WATCH,),
        range=Range(0.01, 86_400, "seconds"),
        panel=LOOKING,
    ),
    Setting(
        name="settle",
        type=float,
        default=1.0,
        help="Seconds without a change that make a file complete (0: files appear by renaming only).",
        where=(WATCH,),
        range=Range(0, 86_400, "seconds"),
        panel=LOOKING,
    ),
    Setting(
        name="every",
        type=int,
        default=1,
        help="Of a video or camera: every so many frames.",
        where=(WATCH,),
        range=Range(1, 10**9, "frames"),
        panel=LOOKING,
    ),
    Setting(
        name="fps",
        type=float,
        help="Of a video or camera: so many frames per second at most.",
        where=(WATCH,),
        range=Range(0.0001, 1000, "frames per second"),
        panel=LOOKING,
    ),
    Setting(
        name="webhook",
        type=str,
        metavar="URL",
        help="POST a JSON message there, until it is taken.",
        where=(WATCH,),
        panel=TELLING,
    ),
    Setting(
        name="command",
        type=str,
        metavar="LINE",
        help="Run this program (no shell); {path}, {score}, {evidence}, {id}, {time}, {source} are filled in.",
        where=(WATCH,),
        panel=TELLING,
    ),
    Setting(
        name="timeout",
        type=float,
        default=10.0,
        help="Seconds that one message or program may take.",
        where=(WATCH,),
        range=Range(0.1, 3600, "seconds"),
        panel=TELLING,
    ),
    Setting(
        name="keep",
        type=int,
        default=1000,
        help="Anomalies whose pictures are kept.",
        where=(WATCH,),
        range=Range(0, 10**6, "anomalies"),
        panel=TELLING,
    ),
    Setting(
        name="keep_mb",
        type=float,
        default=1000.0,
        help="Megabytes that these pictures may take together.",
        where=(WATCH,),
        range=Range(0, 10**9, "megabytes"),
        panel=TELLING,
    ),
)
