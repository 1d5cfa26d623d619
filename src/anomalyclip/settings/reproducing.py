"""Settings of `reproduce` alone."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import REPRODUCE
from anomalyclip.settings.panels import PROTOCOL, TRAINING
from anomalyclip.settings.reading import names_of
from anomalyclip.settings.setting import Setting

REPRODUCING: tuple[Setting, ...] = (
    Setting(
        "root",
        Path,
        "The folder below which the data sets lie.",
        (REPRODUCE,),
        argument=True,
        required=True,
        metavar="ROOT",
    ),
    Setting(
        "output",
        Path,
        "Tables, cells and trainings go there.",
        (REPRODUCE,),
        required=True,
        flags=("--output", "-o"),
        metavar="DIR",
    ),
    Setting("format", str, "On stdout.", (REPRODUCE,), default="table", choices=("table", "markdown", "latex", "json")),
    Setting("quiet", bool, "No progress or notes; errors only.", (REPRODUCE,), default=False, flags=("--quiet", "-q")),
    Setting(
        "tables",
        str,
        "Which, separated by commas: 1, 2, 3, 4, 5, dpam, length, depth, figure5; or all of these. few-shot: our lines "
        "from 1, 2 and 4 good pictures of MVTec AD and VisA, beside published figures.",
        (REPRODUCE,),
        default="1,2",
        flags=("--table",),
        read=names_of,
        panel=PROTOCOL,
    ),
    Setting(
        "methods",
        str,
        "For Tables 1 to 3, separated by commas: anomalyclip, clip, clip-ac, winclip, vand, coop; or all.",
        (REPRODUCE,),
        default="anomalyclip",
        read=names_of,
        panel=PROTOCOL,
    ),
    Setting(
        "datasets",
        str,
        "Only these targets, separated by commas (default: the table's).",
        (REPRODUCE,),
        default="",
        read=names_of,
        panel=PROTOCOL,
    ),
    Setting(
        "prompts",
        str,
        "Judge Tables 1 and 2 with these (default: the published ones by the paper's protocol for its backbone, "
        "else the model's own).",
        (REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        "missing_masks",
        str,
        "Anomalous images without a mask: refuse the data set, or leave out of pixel metrics.",
        (REPRODUCE,),
        default="error",
        choices=("error", "image-only"),
        panel=PROTOCOL,
    ),
    Setting(
        "train",
        bool,
        "Learn the prompts of Tables 1 and 2 here: on MVTec AD, for MVTec AD itself on VisA.",
        (REPRODUCE,),
        default=False,
        panel=TRAINING,
    ),
    Setting(
        "auxiliary",
        str,
        "Learn on this instead, a data set's name or path; may be repeated.",
        (REPRODUCE,),
        many=True,
        metavar="SET",
        panel=TRAINING,
    ),
    Setting("cache", bool, "Keep the features of test images for the next cell.", (REPRODUCE,), default=False),
)
