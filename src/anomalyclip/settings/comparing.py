"""Settings of the verbs that look at finished results: `compare`, `validate`, `correct`, `doctor`."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import COMPARE, CORRECT, DOCTOR, VALIDATE
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
        "results",
        Path,
        "An --output folder of detect.",
        (CORRECT,),
        argument=True,
        required=True,
        metavar="RESULTS_DIR",
    ),
    Setting(
        "profile", str, "The profile to correct: FILE, or FILE:NAME.", (CORRECT,), required=True, metavar="FILE[:NAME]"
    ),
    Setting(
        "normal",
        str,
        "A false alarm: a row's path or file name, NAME#region=N for its N-th region; repeatable.",
        (CORRECT,),
        many=True,
        metavar="NAME",
    ),
    Setting(
        "faulty",
        str,
        "Really faulty: a row's path or file name; repeatable. Never used as normal.",
        (CORRECT,),
        many=True,
        metavar="NAME",
    ),
    Setting("undo", bool, "Take the last correction back.", (CORRECT,), default=False),
    Setting(
        "min_recall",
        float,
        "Share of the faulty pictures to find, where they set the operating point.",
        (CORRECT,),
        default=0.95,
        range=Range(0, 1, "a share", open=True),
    ),
    Setting("by", str, "Who says so, for the journal (default: the user's name).", (CORRECT,), metavar="NAME"),
    Setting("export", Path, "Write all corrections: .csv, or .json for COCO.", (CORRECT,), metavar="FILE"),
    Setting("artefact", Path, "The folder of an export.", (VALIDATE,), argument=True, required=True, metavar="EXPORT"),
    Setting(
        "inputs",
        str,
        "Images, folders or globs that both look at.",
        (VALIDATE,),
        many=True,
        required=True,
        flags=("--data",),
        metavar="DIR",
    ),
    Setting(
        "threshold",
        float,
        "Where decisions are compared (default: the profile's in the export, else 0.5).",
        (VALIDATE,),
        range=Range(0, 1, "an image score"),
    ),
    Setting(
        "most_flipped",
        int,
        "So many decisions may differ.",
        (VALIDATE,),
        default=0,
        range=Range(0, 10**9, "decisions"),
    ),
    Setting("most", int, "At most so many images.", (VALIDATE,), flags=("--images",), range=Range(1, 10**9, "images")),
    Setting("threads", int, "CPU threads.", (CORRECT, VALIDATE), range=Range(1, 1024, "threads")),
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
    Setting("as_json", bool, "For scripts: JSON on stdout.", (DOCTOR, VALIDATE), default=False, flags=("--json",)),
    Setting(
        "quiet",
        bool,
        "Errors and warnings only.",
        (COMPARE, CORRECT, DOCTOR, VALIDATE),
        default=False,
        flags=("--quiet", "-q"),
        panel=OUTPUT,
    ),
)
