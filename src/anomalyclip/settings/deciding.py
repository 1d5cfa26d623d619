"""Settings that turn scores into decisions, and those by which `calibrate` chooses thresholds."""

from __future__ import annotations

from anomalyclip.settings.faces import CALIBRATE, DETECT, EXPORT, PYTHON, REST, SERVE, WATCH
from anomalyclip.settings.panels import ANOMALIES, DECISIONS
from anomalyclip.settings.setting import Range, Setting

NAME_PATTERN = r"^[A-Za-z0-9_.@+-]{1,100}$"
_RULES = "rules"

_THRESHOLD = Setting(
    name="threshold",
    type=float,
    help="Call an image anomalous from this score on.",
    where=(DETECT, WATCH, SERVE, PYTHON, REST),
    range=Range(0, 1, "an image score"),
    part=_RULES,
    differs={
        SERVE: {"help": "Anomalous from this image score on, where a request says nothing.", "panel": DECISIONS},
        REST: {"help": "Anomalous from this image score on."},
    },
)
_PIXEL_THRESHOLD = Setting(
    name="pixel_threshold",
    type=float,
    help="Report regions where the map reaches this value; default: --threshold.",
    where=(DETECT, WATCH, SERVE, REST),
    range=Range(0, 1, "an anomaly map value"),
    part=_RULES,
    differs={
        SERVE: {"help": "Regions from this map value on; default: --threshold.", "panel": DECISIONS},
        REST: {"help": "Report regions from this map value on."},
    },
)
_PROFILE = Setting(
    name="profile",
    type=str,
    metavar="FILE[:NAME]",
    help="Take both thresholds from `anomalyclip calibrate`, add p-values, warn of drift.",
    where=(DETECT, WATCH, SERVE, EXPORT, REST),
    differs={
        SERVE: {
            "many": True,
            "metavar": None,
            "panel": DECISIONS,
            "help": "A file or folder of `anomalyclip calibrate`; may be given several times. A single profile is used "
            "where a request names none.",
        },
        EXPORT: {"metavar": None, "help": "A profile of `anomalyclip calibrate` to put into anomalyclip.json."},
        REST: {"help": "Take the thresholds of this calibration profile.", "pattern": NAME_PATTERN},
    },
)
_MIN_AREA = Setting(
    name="min_area",
    type=int,
    default=1,
    help="Leave out regions with fewer pixels.",
    where=(DETECT, WATCH, SERVE, REST),
    range=Range(1, 10**9, "pixels"),
    part=_RULES,
    differs={SERVE: {"panel": DECISIONS}, REST: {"default": None}},
)

CALIBRATING: tuple[Setting, ...] = (
    Setting(
        name="fpr",
        type=float,
        default=0.01,
        help="Share of normal images that may be called anomalous.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="pixel_fpr",
        type=float,
        help="The same for regions in the map; default: --fpr.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="pixel_rule",
        type=str,
        default="image",
        choices=("image", "pixel"),
        help="--pixel-fpr counts normal images with any region, or pixels of normal images.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="memory",
        type=bool,
        default=True,
        flags=("--memory/--no-memory",),
        help="Remember the good pictures and compare others with them (from 4 pictures on), or draw thresholds alone.",
        where=(CALIBRATE,),
    ),
    Setting(
        name="split",
        type=bool,
        default=False,
        help="Remember half of the pictures and let the other half draw the line: fewer of each, exact guarantee.",
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
        name="name",
        type=str,
        default="default",
        help="Of the camera or product; letters, digits and _ . @ + -",
        where=(CALIBRATE,),
    ),
    Setting(
        name="anomalies",
        type=str,
        many=True,
        metavar="PATH",
        help="Images, a folder or a glob with defects; may be repeated.",
        where=(CALIBRATE,),
        panel=ANOMALIES,
    ),
    Setting(
        name="min_recall",
        type=float,
        help="Decide so that this share of anomalies is found.",
        where=(CALIBRATE,),
        panel=ANOMALIES,
    ),
    Setting(
        name="cost_miss",
        type=float,
        help="Decide by cost: what a missed anomaly costs.",
        where=(CALIBRATE,),
        panel=ANOMALIES,
    ),
    Setting(
        name="cost_false_alarm",
        type=float,
        help="What a false alarm costs.",
        where=(CALIBRATE,),
        panel=ANOMALIES,
    ),
    Setting(
        name="anomaly_share",
        type=float,
        help="Share of anomalies among the images to come, needed for costs.",
        where=(CALIBRATE,),
        panel=ANOMALIES,
    ),
)
RULES: tuple[Setting, ...] = (_THRESHOLD, _PIXEL_THRESHOLD, _PROFILE, _MIN_AREA)
