"""Settings of `reproduce` alone."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import REPRODUCE
from anomalyclip.settings.panels import PROTOCOL, TRAINING
from anomalyclip.settings.reading import names_of
from anomalyclip.settings.setting import Setting

REPRODUCING: tuple[Setting, ...] = (
    Setting(
        name="root",
        type=Path,
        argument=True,
        required=True,
        metavar="ROOT",
        help="The folder below which the data sets lie.",
        where=(REPRODUCE,),
    ),
    Setting(
        name="output",
        type=Path,
        required=True,
        flags=("--output", "-o"),
        metavar="DIR",
        help="Tables, cells and trainings go there.",
        where=(REPRODUCE,),
    ),
    Setting(
        name="format",
        type=str,
        default="table",
        choices=("table", "markdown", "latex", "json"),
        help="On stdout.",
        where=(REPRODUCE,),
    ),
    Setting(
        name="quiet",
        type=bool,
        default=False,
        flags=("--quiet", "-q"),
        help="No progress or notes; errors only.",
        where=(REPRODUCE,),
    ),
    Setting(
        name="tables",
        type=str,
        default="1,2",
        flags=("--table",),
        read=names_of,
        help="Which, separated by commas: 1, 2, 3, 4, 5, dpam, length, depth, figure5; or all.",
        where=(REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        name="methods",
        type=str,
        default="anomalyclip",
        read=names_of,
        help="For Tables 1 to 3, separated by commas: anomalyclip, clip, clip-ac, winclip, vand, coop; or all.",
        where=(REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        name="datasets",
        type=str,
        default="",
        read=names_of,
        help="Only these targets, separated by commas (default: the table's).",
        where=(REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        name="prompts",
        type=str,
        help="Judge Tables 1 and 2 with these (default: the published ones by the paper's protocol for its backbone, "
        "else the model's own).",
        where=(REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        name="missing_masks",
        type=str,
        default="error",
        choices=("error", "image-only"),
        help="Anomalous images without a mask: refuse the data set, or leave out of pixel metrics.",
        where=(REPRODUCE,),
        panel=PROTOCOL,
    ),
    Setting(
        name="train",
        type=bool,
        default=False,
        help="Learn the prompts of Tables 1 and 2 here: on MVTec AD, for MVTec AD itself on VisA.",
        where=(REPRODUCE,),
        panel=TRAINING,
    ),
    Setting(
        name="auxiliary",
        type=str,
        many=True,
        metavar="SET",
        help="Learn on this instead, a data set's name or path; may be repeated.",
        where=(REPRODUCE,),
        panel=TRAINING,
    ),
    Setting(
        name="cache",
        type=bool,
        default=False,
        help="Keep the features of test images for the next cell.",
        where=(REPRODUCE,),
    ),
)
