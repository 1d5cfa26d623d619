"""Settings that say what is read and what is written, of the verbs that score."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import (
    CALIBRATE,
    DATA_CHECK,
    DETECT,
    EVALUATE,
    EXPORT,
    PYTHON,
    REPRODUCE,
    REST,
    REST_CALIBRATE,
    SERVE,
    TRAIN,
    WATCH,
)
from anomalyclip.settings.panels import LOOKING, OUTPUT
from anomalyclip.settings.reading import FRAMES, FULL_SCALE, frames_of, full_scale_of
from anomalyclip.settings.setting import Setting

INPUTS: tuple[Setting, ...] = (
    Setting(
        "inputs",
        str,
        "Images, folders or globs.",
        (DETECT, CALIBRATE),
        many=True,
        argument=True,
        required=True,
        metavar="INPUT",
        differs={
            CALIBRATE: {
                "metavar": "NORMALS",
                "help": "Images, folders or globs without any defect.",
                "required": False,
            }
        },
    ),
    Setting(
        name="frames",
        type=str,
        metavar="first|all|N",
        help="Pictures taken of a file of several (pages, frames): first, all up to 4,096, or how many (default: all).",
        where=(DETECT, CALIBRATE, WATCH, EVALUATE, PYTHON, REST, REST_CALIBRATE),
        pattern=FRAMES,
        read=frames_of,
        differs={
            REST: {"help": "Pictures taken of a file of several: first, all, or how many (default: as have room)."},
            REST_CALIBRATE: {"help": "Pictures taken of a file of several: first, all, or how many."},
            PYTHON: {
                "help": "Of a file of several pictures: 'first', 'all' or how many are taken, as a list; "
                "None refuses such a file."
            },
        },
    ),
    Setting(
        name="axis",
        type=str,
        default="z",
        choices=("x", "y", "z"),
        help="Of the patient, along which a volume (NIfTI) is cut into slices: x left to right, y back to front, z up.",
        where=(DETECT, CALIBRATE, WATCH, EVALUATE, SERVE, PYTHON, REST, REST_CALIBRATE),
        differs={REST: {"default": None}, REST_CALIBRATE: {"default": None}},
    ),
    Setting(
        name="full_scale",
        type=str,
        metavar="[BLACK:]WHITE",
        help="The stored value that is white in files deeper than 8 bits that do not say so, as 4095 for a 12-bit "
        "camera, or both ends, as -20:40 (default: 65535 for integers; 1, 255 or 65535 for floats).",
        where=(
            *(DETECT, CALIBRATE, WATCH, EVALUATE, SERVE, TRAIN, REPRODUCE, DATA_CHECK),
            *(PYTHON, REST, REST_CALIBRATE),
        ),
        pattern=FULL_SCALE,
        read=full_scale_of,
        differs={SERVE: {"help": "The stored value of white, or BLACK:WHITE, where no file and no request says."}},
    ),
    Setting(
        "target",
        str,
        "A folder, a video file, camera:0, or rtsp://... .",
        (WATCH,),
        argument=True,
        required=True,
        metavar="TARGET",
    ),
    Setting(
        "data",
        Path,
        "A data set's folder, a meta.json or a CSV.",
        (EVALUATE,),
        argument=True,
        required=True,
        metavar="DATA",
    ),
    Setting(
        "recursive",
        bool,
        "Look into subfolders of folders.",
        (DETECT, CALIBRATE, WATCH),
        default=False,
        flags=("--recursive", "-r"),
        differs={WATCH: {"panel": LOOKING, "help": "Subfolders too."}},
    ),
)

FILES: tuple[Setting, ...] = (
    Setting(
        "output",
        Path,
        "Write results.csv, results.jsonl, report.html, overlays/ and maps/ there.",
        (DETECT, CALIBRATE, WATCH, EVALUATE, EXPORT),
        flags=("--output", "-o"),
        metavar="DIR",
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
        "overlay",
        bool,
        "Heat map over each image (default: yes).",
        (DETECT,),
        flags=("--overlay/--no-overlay",),
        panel=OUTPUT,
    ),
    Setting(
        "maps",
        str,
        "Raw float32 maps at the image's size (default: tiff).",
        (DETECT,),
        choices=("tiff", "npz", "none"),
        panel=OUTPUT,
    ),
    Setting(
        "findings",
        str,
        "Regions with their outlines, as a file for other tools (default: none).",
        (DETECT,),
        choices=("coco", "geojson", "cvat", "label-studio"),
        panel=OUTPUT,
    ),
    Setting(
        "report",
        bool,
        "The gallery report.html (default: yes).",
        (DETECT,),
        flags=("--report/--no-report",),
        panel=OUTPUT,
    ),
    Setting("add", bool, "Put the profile beside others in FILE.", (CALIBRATE,), default=False, panel=OUTPUT),
    Setting(
        "plot",
        bool,
        "A histogram beside FILE, as PNG.",
        (CALIBRATE,),
        default=True,
        flags=("--plot/--no-plot",),
        panel=OUTPUT,
    ),
    Setting(
        "plots",
        bool,
        "ROC, precision-recall, score histograms and a gallery of maps in DIR/plots (default: yes where "
        "matplotlib is installed).",
        (EVALUATE,),
        flags=("--plots/--no-plots",),
        panel=OUTPUT,
    ),
    Setting(
        "mlflow",
        str,
        "Log the run to this tracking server or store of MLflow: http://HOST:5000, sqlite:///runs.db, or a folder.",
        (EVALUATE,),
        metavar="URI",
        panel=OUTPUT,
    ),
    Setting(
        "resume",
        bool,
        "Continue an earlier run in DIR: skip what is done, retry what failed.",
        (DETECT, EVALUATE),
        default=False,
        panel=OUTPUT,
        differs={EVALUATE: {"help": "Continue an earlier run in DIR: skip finished classes."}},
    ),
    Setting(
        "overwrite",
        bool,
        "Replace an earlier run in DIR; other files stay.",
        (DETECT, CALIBRATE, EVALUATE, EXPORT),
        default=False,
        panel=OUTPUT,
        differs={
            CALIBRATE: {"help": "Replace FILE; with --add, a profile of that name."},
            EXPORT: {"panel": None, "help": "Replace an earlier export in DIR."},
        },
    ),
    Setting(
        "format",
        str,
        "On stdout: a table (beyond 50 images the 20 highest scores), or every row.",
        (DETECT, WATCH, EVALUATE, EXPORT),
        default="table",
        choices=("table", "jsonl", "csv"),
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
        "quiet",
        bool,
        "No progress, table or summary; errors only.",
        (DETECT, CALIBRATE, WATCH, EVALUATE, EXPORT),
        default=False,
        flags=("--quiet", "-q"),
        panel=OUTPUT,
        differs={
            CALIBRATE: {"help": "No progress or summary; errors only."},
            WATCH: {"help": "Nothing but troubles and rows."},
            EVALUATE: {"help": "No progress or notes; errors only."},
            EXPORT: {"panel": None, "help": "Errors and warnings only."},
        },
    ),
)
