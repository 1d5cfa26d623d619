"""Settings of `watch` alone."""

from __future__ import annotations

from anomalyclip.settings.faces import WATCH
from anomalyclip.settings.panels import DECISIONS, LOOKING, TELLING
from anomalyclip.settings.setting import Range, Setting

WATCHING: tuple[Setting, ...] = (
    Setting("once", bool, "Score what is there and stop.", (WATCH,), default=False, panel=LOOKING),
    Setting(
        "interval",
        float,
        "Seconds between two looks into a folder.",
        (WATCH,),
        default=1.0,
        range=Range(0.01, 86_400, "seconds"),
        panel=LOOKING,
    ),
    Setting(
        "settle",
        float,
        "Seconds without a change that make a file complete (0: files appear by renaming only).",
        (WATCH,),
        default=1.0,
        range=Range(0, 86_400, "seconds"),
        panel=LOOKING,
    ),
    Setting(
        "every",
        int,
        "Of a video or camera: every so many frames.",
        (WATCH,),
        default=1,
        range=Range(1, 10**9, "frames"),
        panel=LOOKING,
    ),
    Setting(
        "fps",
        float,
        "Of a video or camera: so many frames per second at most.",
        (WATCH,),
        range=Range(0.0001, 1000, "frames per second"),
        panel=LOOKING,
    ),
    Setting(
        "learn",
        bool,
        "Go on learning: what looks normal joins the memory of --profile, or of a line made from the first pictures.",
        (WATCH,),
        default=False,
        panel=DECISIONS,
    ),
    Setting("webhook", str, "POST a JSON message there, until it is taken.", (WATCH,), metavar="URL", panel=TELLING),
    Setting(
        "command",
        str,
        "Run this program (no shell); {path}, {score}, {evidence}, {id}, {time}, {source} are filled in.",
        (WATCH,),
        metavar="LINE",
        panel=TELLING,
    ),
    Setting(
        "mqtt",
        str,
        "Publish it there, as mqtt://HOST:1883/TOPIC: anomalies with QoS 1, and a retained state.",
        (WATCH,),
        metavar="URL",
        panel=TELLING,
    ),
    Setting(
        "gate",
        str,
        "Set a bit of a controller: modbus://HOST/COIL or opc.tcp://HOST:4840#NODE; true for all but normal.",
        (WATCH,),
        metavar="ADDRESS",
        panel=TELLING,
    ),
    Setting(
        "allow_link_local",
        bool,
        "Let messages and streams reach link-local addresses, a cloud's metadata among them.",
        (WATCH,),
        default=False,
        panel=TELLING,
    ),
    Setting(
        "timeout",
        float,
        "Seconds that one message or program may take.",
        (WATCH,),
        default=10.0,
        range=Range(0.1, 3600, "seconds"),
        panel=TELLING,
    ),
    Setting(
        "keep",
        int,
        "Anomalies whose pictures are kept.",
        (WATCH,),
        default=1000,
        range=Range(0, 10**6, "anomalies"),
        panel=TELLING,
    ),
    Setting(
        "keep_mb",
        float,
        "Megabytes that these pictures may take together.",
        (WATCH,),
        default=1000.0,
        range=Range(0, 10**9, "megabytes"),
        panel=TELLING,
    ),
)
