"""Settings of the verbs that look at finished results: `compare`, `validate`, `correct`, `doctor`."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import COMPARE, DOCTOR
from anomalyclip.settings.panels import OUTPUT
from anomalyclip.settings.setting import Range, Setting

RESULTS: tuple[Setting, ...] = (
    Setting(
        "runs",
        Path,
        "Output folders of evaluate, or of detect with --data; the first is what others are compared with.",
        (COMPARE,),
        many=True,
        argument=True,
        required=True,
        metavar="RUN_DIR",
    ),
    Setting("data", Path, "The labelled data set that runs of detect looked at.", (COMPARE,), metavar="DIR"),
    Setting(
        "resamples",
        int,
        "Of the bootstrap behind intervals and differences; 0: none.",
        (COMPARE,),
        default=1000,
        range=Range(0, 1_000_000, "resamples"),
    ),
    Setting("seed", int, "Of the bootstrap.", (COMPARE,), default=0, range=Range(0, 2**32 - 1, "a seed")),
    Setting(
        "format",
        str,
        "What stands on stdout.",
        (COMPARE,),
        default="table",
        choices=("table", "markdown", "latex", "json"),
        panel=OUTPUT,
        flags=("--format", "-f"),
    ),
    Setting(
        "output",
        Path,
        "Write comparison.md, comparison.tex, comparison.json and pictures there.",
        (COMPARE,),
        flags=("--output", "-o"),
        metavar="DIR",
        panel=OUTPUT,
    ),
    Setting(
        "images",
        int,
        "So many images that differ most are listed, and drawn with both maps.",
        (COMPARE,),
        default=12,
        range=Range(0, 10_000, "images"),
        panel=OUTPUT,
    ),
    Setting(
        "bundle",
        Path,
        "Write all of it as JSON for a bug report, without paths, user and machine names.",
        (DOCTOR,),
        metavar="FILE",
    ),
    Setting("as_json", bool, "For scripts: JSON on stdout.", (DOCTOR,), default=False, flags=("--json",)),
    Setting(
        "quiet",
        bool,
        "Errors and warnings only.",
        (COMPARE, DOCTOR),
        default=False,
        flags=("--quiet", "-q"),
        panel=OUTPUT,
    ),
)
