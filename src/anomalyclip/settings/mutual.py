"""Settings of a batch that judges itself."""

from __future__ import annotations

from anomalyclip.settings.faces import DETECT, EVALUATE, PYTHON_BATCH
from anomalyclip.settings.panels import BATCH
from anomalyclip.settings.setting import Range, Setting

MUTUAL: tuple[Setting, ...] = (
    Setting(
        "mutual",
        bool,
        "Judge the pictures by each other, too: what is rare among them is odd. Reads all of them twice.",
        (DETECT, EVALUATE),
        default=False,
        panel=BATCH,
        differs={EVALUATE: {"help": "Judge the pictures of each class by each other, too. Reads all of them twice."}},
    ),
    Setting(
        "groups",
        bool,
        "With --mutual and --output: groups.html, a card for each kind of oddity (default: where scikit-learn is).",
        (DETECT,),
        flags=("--groups/--no-groups",),
        panel=BATCH,
    ),
    Setting(
        "partners",
        int,
        "Other pictures that each one is compared with, at most; more take longer.",
        (DETECT, EVALUATE, PYTHON_BATCH),
        default=48,
        range=Range(4, 10**6, "pictures"),
        panel=BATCH,
        part="mutual",
    ),
    Setting(
        "mutual_mb",
        float,
        "Megabytes that comparing them may take; what is more goes to disk.",
        (DETECT, EVALUATE, PYTHON_BATCH),
        default=512.0,
        range=Range(16, 10**7, "megabytes"),
        panel=BATCH,
        part="mutual",
    ),
)
