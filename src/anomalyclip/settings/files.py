"""Settings that say what is read and what is written, of the verbs that score."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import CALIBRATE, DETECT, EVALUATE, EXPORT, PYTHON, WATCH
from anomalyclip.settings.panels import LOOKING, OUTPUT
from anomalyclip.settings.reading import frames_of
from anomalyclip.settings.setting import Setting

INPUTS: tuple[Setting, ...] = (
    Setting(
        name="inputs",
        type=str,
        many=True,
        argument=True,
        required=True,
        metavar="INPUT",
        help="Images, folders or globs.",
        where=(DETECT, CALIBRATE),
        differs={CALIBRATE: {"metavar": "NORMALS", "help": "Images, folders or globs without any defect."}},
    ),
    Setting(
        name="frames",
        type=int,
        metavar="first|all|N",
        help="Pictures taken of a file of several (pages, frames): first, all up to 4,096, or how many (default: all).",
        where=(DETECT, CALIBRATE, WATCH, EVALUATE, PYTHON),
        read=frames_of,
        differs={
            PYTHON: {
                "help": "Of a file of several pictures: 'first', 'all' or how many are taken, as a list; "
                "None refuses such a file."
            }
        },
    ),
    Setting(
        name="axis",
        type=str,
        default="z",
        choices=("x", "y", "z"),
        help="Of the patient, along which a volume (NIfTI) is cut into slices: x left to right, y back to front, z up.",
        where=(DETECT, CALIBRATE, PYTHON),
    ),
    Setting(
        name="target",
        type=str,
        argument=True,
        required=True,
        metavar="TARGET",
        help="A folder, a video file, camera:0, or rtsp://... .",
        where=(WATCH,),
    ),
    Setting(
        name="data",
        type=Path,
        argument=True,
        required=True,
        metavar="DATA",
        help="A data set's folder, a meta.json or a CSV.",
        where=(EVALUATE,),
    ),
    Setting(
        name="recursive",
        type=bool,
        default=False,
        flags=("--recursive", "-r"),
        help="Look into subfolders of folders.",
        where=(DETECT, CALIBRATE, WATCH),
        differs={WATCH: {"panel": LOOKING, "help": "Subfolders too."}},
    ),
)

FILES: tuple[Setting, ...] = (
    Setting(
        name="output",
        type=Path,
        flags=("--output", "-o"),
        metavar="DIR",
        help="Write results.csv, results.jsonl, report.html, overlays/ and maps/ there.",
        where=(DETECT, CALIBRATE, WATCH, EVALUATE, EXPORT),
        panel=OUTPUT,
        differs={
            CALIBRATE: {"default": Path("profile.json"), "metavar": "FILE", "help": "The profile, JSON."},
            WATCH: {
                "required": True,
                "help": "Results, evidence and the journal; give the same again to continue.",
            },
            EVALUATE: {"help": "Write metrics.json, per_image.csv, metrics.md and metrics.tex there."},
            EXPORT: {"required": True, "panel": None, "help": "A new folder for the files and anomalyclip.json."},
        },
    ),
    Setting(
        name="overlay",
        type=bool,
        flags=("--overlay/--no-overlay",),
        help="Heat map over each image (default: yes).",
        where=(DETECT,),
        panel=OUTPUT,
    ),
    Setting(
        name="maps",
        type=str,
        choices=("tiff", "npz", "none"),
        help="Raw float32 maps at the image's size (default: tiff).",
        where=(DETECT,),
        panel=OUTPUT,
    ),
    Setting(
        name="findings",
        type=str,
        choices=("coco", "geojson"),
        help="Regions with their outlines, for other tools (default: none).",
        where=(DETECT,),
        panel=OUTPUT,
    ),
    Setting(
        name="report",
        type=bool,
        flags=("--report/--no-report",),
        help="The gallery report.html (default: yes).",
        where=(DETECT,),
        panel=OUTPUT,
    ),
    Setting(
        name="add",
        type=bool,
        default=False,
        help="Put the profile beside others in FILE.",
        where=(CALIBRATE,),
        panel=OUTPUT,
    ),
    Setting(
        name="plot",
        type=bool,
        default=True,
        flags=("--plot/--no-plot",),
        help="A histogram beside FILE, as PNG.",
        where=(CALIBRATE,),
        panel=OUTPUT,
    ),
    Setting(
        name="plots",
        type=bool,
        flags=("--plots/--no-plots",),
        help="ROC, precision-recall, score histograms and a gallery of maps in DIR/plots (default: yes where "
        "matplotlib is installed).",
        where=(EVALUATE,),
        panel=OUTPUT,
    ),
    Setting(
        name="resume",
        type=bool,
        default=False,
        help="Continue an earlier run in DIR: skip what is done, retry what failed.",
        where=(DETECT, EVALUATE),
        panel=OUTPUT,
        differs={EVALUATE: {"help": "Continue an earlier run in DIR: skip finished classes."}},
    ),
    Setting(
        name="overwrite",
        type=bool,
        default=False,
        help="Replace an earlier run in DIR; other files stay.",
        where=(DETECT, CALIBRATE, EVALUATE, EXPORT),
        panel=OUTPUT,
        differs={
            CALIBRATE: {"help": "Replace FILE; with --add, a profile of that name."},
            EXPORT: {"panel": None, "help": "Replace an earlier export in DIR."},
        },
    ),
    Setting(
        name="format",
        type=str,
        default="table",
        choices=("table", "jsonl", "csv"),
        help="On stdout: a table (beyond 50 images the 20 highest scores), or every row.",
        where=(DETECT, WATCH, EVALUATE, EXPORT),
        panel=OUTPUT,
        differs={
            WATCH: {
                "default": "lines",
                "choices": ("lines", "jsonl", "csv"),
                "help": "A line per image on stderr, or rows on stdout.",
            },
            EVALUATE: {"choices": ("table", "markdown", "latex", "json"), "help": "On stdout."},
            EXPORT: {
                "default": "onnx",
                "choices": ("onnx", "openvino", "torchscript", "torch-export"),
                "flags": ("--format", "-f"),
                "panel": None,
                "help": "What to write.",
            },
        },
    ),
    Setting(
        name="quiet",
        type=bool,
        default=False,
        flags=("--quiet", "-q"),
        help="No progress, table or summary; errors only.",
        where=(DETECT, CALIBRATE, WATCH, EVALUATE, EXPORT),
        panel=OUTPUT,
        differs={
            CALIBRATE: {"help": "No progress or summary; errors only."},
            WATCH: {"help": "Nothing but troubles and rows."},
            EVALUATE: {"help": "No progress or notes; errors only."},
            EXPORT: {"panel": None, "help": "Errors and warnings only."},
        },
    ),
)
