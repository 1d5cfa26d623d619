"""Settings that turn scores into decisions, and those by which `calibrate` chooses thresholds."""

from __future__ import annotations

from anomalyclip.settings.faces import (
    CALIBRATE,
    DETECT,
    EVALUATE,
    EXPORT,
    PYTHON,
    PYTHON_BATCH,
    REST,
    REST_CALIBRATE,
    REST_CORRECT,
    SERVE,
    WATCH,
)
from anomalyclip.settings.panels import ANOMALIES, BATCH, DECISIONS, FEW_SHOT
from anomalyclip.settings.setting import Range, Setting

NAME_PATTERN = r"^[A-Za-z0-9_.@+-]{1,100}$"
_RULES = "rules"
#: Ours, and the published ones of `anomalyclip.judges.memory.recipes`.
MEMORIES = ("auto", "april-gan", "winclip+", "anomalydino", "patchcore")
RATE, _SHARE = Range(0, 1, "a rate", open=True), Range(0, 1, "a share", open=True)

_THRESHOLD = Setting(
    "threshold",
    float,
    "Call an image anomalous from this score on.",
    (DETECT, WATCH, SERVE, PYTHON, REST),
    range=Range(0, 1, "an image score"),
    part=_RULES,
    differs={
        SERVE: {"help": "Anomalous from this image score on, where a request says nothing.", "panel": DECISIONS},
        REST: {"help": "Anomalous from this image score on."},
    },
)
_PIXEL_THRESHOLD = Setting(
    "pixel_threshold",
    float,
    "Report regions where the map reaches this value; default: --threshold.",
    (DETECT, WATCH, SERVE, PYTHON, REST),
    range=Range(0, 1, "an anomaly map value"),
    part=_RULES,
    differs={
        PYTHON: {"help": "Regions from this map value on; None is `threshold`."},
        SERVE: {"help": "Regions from this map value on; default: --threshold.", "panel": DECISIONS},
        REST: {"help": "Report regions from this map value on."},
    },
)
_PROFILE = Setting(
    "profile",
    str,
    "Take both thresholds from `anomalyclip calibrate`, add p-values, warn of drift.",
    (DETECT, WATCH, SERVE, EVALUATE, EXPORT, PYTHON, REST),
    metavar="FILE[:NAME]",
    differs={
        SERVE: {
            "many": True,
            "metavar": None,
            "panel": DECISIONS,
            "help": "A file or folder of `anomalyclip calibrate`; may be given several times. A single profile is used "
            "where a request names none.",
        },
        EVALUATE: {"help": "Judge by this profile of `anomalyclip calibrate`; tell its recall and false alarms, too."},
        EXPORT: {
            "metavar": None,
            "help": "A profile of `anomalyclip calibrate`: the export carries it, with its memory.",
        },
        REST: {"help": "Take the thresholds of this calibration profile.", "pattern": NAME_PATTERN},
    },
)
_MIN_AREA = Setting(
    "min_area",
    int,
    "Leave out regions with fewer pixels.",
    (DETECT, WATCH, SERVE, PYTHON, REST),
    default=1,
    range=Range(1, 10**9, "pixels"),
    part=_RULES,
    differs={SERVE: {"panel": DECISIONS}, REST: {"default": None}},
)

CALIBRATING: tuple[Setting, ...] = (
    Setting(
        "fpr",
        float,
        "Share of normal images that may be called anomalous.",
        (CALIBRATE, EVALUATE),
        default=0.01,
        range=RATE,
        differs={
            EVALUATE: {
                "default": None,
                "panel": FEW_SHOT,
                "help": "Share of good pictures that a line may call anomalous (default: 0.05).",
            }
        },
    ),
    Setting("pixel_fpr", float, "The same for regions in the map; default: --fpr.", (CALIBRATE,), range=RATE),
    Setting(
        "pixel_rule",
        str,
        "--pixel-fpr counts normal images with any region, or pixels of normal images.",
        (CALIBRATE, REST_CALIBRATE),
        default="image",
        choices=("image", "pixel"),
        differs={
            REST_CALIBRATE: {
                "help": "image: so many normal images show any region at most. pixel: so many of their pixels do."
            }
        },
    ),
    Setting(
        name="memory",
        type=bool,
        default=True,
        help="Remember the good pictures and compare others with them (from 4 pictures on), or draw thresholds alone.",
        where=(REST_CALIBRATE,),
    ),
    Setting(
        name="memory",
        type=str,
        default="auto",
        choices=MEMORIES,
        help="How good pictures are remembered and others compared with them (from 4 on): ours, or a published method.",
        where=(CALIBRATE, EVALUATE),
        differs={EVALUATE: {"default": None, "panel": FEW_SHOT, "help": "How they are remembered (default: auto)."}},
    ),
    Setting(
        name="no_memory",
        type=bool,
        default=False,
        help="Draw thresholds alone.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="aligned",
        type=int,
        metavar="RADIUS",
        help="For parts that lie alike: compare only with places at most so many patches away.",
        where=(CALIBRATE, EVALUATE, DETECT, PYTHON_BATCH),
        range=Range(0, 1000, "patches"),
        differs={
            EVALUATE: {"panel": FEW_SHOT},
            DETECT: {
                "panel": BATCH,
                "help": "With --mutual, parts that lie alike: compare only with places at most so many patches away.",
            },
        },
    ),
    Setting(
        name="augment",
        type=bool,
        default=False,
        help="For parts that lie as they fall: remember good pictures turned and mirrored, too.",
        where=(CALIBRATE, EVALUATE),
        differs={EVALUATE: {"panel": FEW_SHOT}},
    ),
    Setting(
        name="split",
        type=bool,
        default=False,
        help="Remember half of the pictures and let the other half draw the line: fewer of each, exact guarantee.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="self_test",
        type=bool,
        default=True,
        flags=("--self-test/--no-self-test",),
        help="Paint faults on the remembered pictures and tell which the line finds; about a minute.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="again",
        type=str,
        metavar="FILE[:NAME]",
        help="Make this profile anew from its own pictures, where they still lie, as for a new version of the model.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="drop",
        type=str,
        many=True,
        metavar="NAME",
        help="Leave out the picture of this file name; may be repeated.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="more",
        type=str,
        many=True,
        metavar="PATH",
        help="Further good pictures; may be repeated.",
        where=(CALIBRATE,),
    ),
    Setting(
        "name",
        str,
        "Of the camera or product; letters, digits and _ . @ + -",
        (CALIBRATE, REST_CALIBRATE),
        default="default",
        differs={
            REST_CALIBRATE: {
                "default": None,
                "required": True,
                "pattern": NAME_PATTERN,
                "help": "Of the profile, such as camera-3.",
            }
        },
    ),
    Setting("rate", float, "False-positive rate of image decisions.", (REST_CALIBRATE,), default=0.01, range=RATE),
    Setting("pixel_rate", float, "Of regions; default: `rate`.", (REST_CALIBRATE,), range=RATE),
    Setting(
        "append",
        bool,
        "Add to the images of earlier requests instead of starting anew.",
        (REST_CALIBRATE,),
        default=False,
    ),
    Setting(
        "revision",
        int,
        "Change the profile only if this is its revision (0: it is not there); else 409, another client changed it.",
        (REST_CALIBRATE, REST_CORRECT),
        range=Range(0, 10**9, "revisions"),
    ),
    Setting(
        "anomalies",
        str,
        "Images, a folder or a glob with defects; may be repeated.",
        (CALIBRATE,),
        many=True,
        metavar="PATH",
        panel=ANOMALIES,
    ),
    Setting(
        "min_recall",
        float,
        "Decide so that this share of anomalies is found.",
        (CALIBRATE,),
        range=_SHARE,
        panel=ANOMALIES,
    ),
    Setting("cost_miss", float, "Decide by cost: what a missed anomaly costs.", (CALIBRATE,), panel=ANOMALIES),
    Setting("cost_false_alarm", float, "What a false alarm costs.", (CALIBRATE,), panel=ANOMALIES),
    Setting(
        "anomaly_share",
        float,
        "Share of anomalies among the images to come, needed for costs.",
        (CALIBRATE,),
        range=_SHARE,
        panel=ANOMALIES,
    ),
)
RULES: tuple[Setting, ...] = (_THRESHOLD, _PIXEL_THRESHOLD, _PROFILE, _MIN_AREA)
