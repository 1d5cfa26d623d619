"""Settings of `data` and `models`: what is known, what lies here, and what is rendered."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import (
    DATA_CHECK,
    DATA_INFO,
    DATA_LIST,
    DATA_MAKE,
    DATA_META,
    MODELS_LIST,
    MODELS_PATH,
    MODELS_PULL,
    MODELS_VERIFY,
)
from anomalyclip.settings.setting import Setting

DATA: tuple[Setting, ...] = (
    Setting(
        "known", str, "A name of `anomalyclip data list`.", (DATA_INFO,), argument=True, required=True, metavar="NAME"
    ),
    Setting(
        "folders",
        Path,
        "Data sets: folders, meta.json files or CSVs.",
        (DATA_CHECK,),
        many=True,
        argument=True,
        required=True,
        metavar="DIR",
    ),
    Setting(
        "folder",
        Path,
        "A data set's folder, meta.json or CSV.",
        (DATA_META,),
        argument=True,
        required=True,
        metavar="DIR",
    ),
    Setting("name", str, "Which known data set it is, if its folder's name does not tell.", (DATA_CHECK, DATA_META)),
    Setting("split", str, "Which part.", (DATA_CHECK,), default="test", choices=("test", "train")),
    Setting(
        "missing_masks",
        str,
        "Anomalous images without a mask: refuse, or use without pixels.",
        (DATA_CHECK, DATA_META),
        default="error",
        choices=("error", "image-only"),
    ),
    Setting("out", Path, "A new folder.", (DATA_MAKE,), argument=True, required=True, metavar="OUT"),
    Setting("images", int, "How many pictures, half of them with defects.", (DATA_MAKE,), default=1000),
    Setting("size", int, "Side in pixels, 32 to 1024.", (DATA_MAKE,), default=256),
    Setting("seed", int, "The same seed renders the same set.", (DATA_MAKE,), default=0),
    Setting("families", str, "Materials and objects, separated by commas; default: all.", (DATA_MAKE,)),
    Setting(
        "layout",
        str,
        "Instead, stand-ins of known data sets in their published layouts, below OUT: names, or all.",
        (DATA_MAKE,),
    ),
    Setting("per_class", int, "With --layout: pictures per class.", (DATA_MAKE,), default=8),
    Setting("classes", int, "With --layout: at most so many classes (default: all).", (DATA_MAKE,)),
    Setting("resume", bool, "Continue an interrupted run, or add pictures.", (DATA_MAKE,), default=False),
)

MODELS: tuple[Setting, ...] = (
    Setting(
        "names",
        str,
        "Names of `anomalyclip models list`.",
        (MODELS_PULL, MODELS_VERIFY),
        many=True,
        argument=True,
        required=True,
        metavar="NAME...",
        differs={
            MODELS_VERIFY: {"required": False, "help": "Names to check; everything on this machine if none."},
        },
    ),
    Setting(
        "name",
        str,
        "A name of `anomalyclip models list`.",
        (MODELS_PATH,),
        argument=True,
        required=True,
        metavar="NAME",
    ),
    Setting("prompts", bool, "For a name that is both: the prompts.", (MODELS_PATH,), default=False),
    Setting(
        "source",
        str,
        "Whose copy of a model; auto takes what is cached, else OpenAI's.",
        (MODELS_PULL, MODELS_PATH),
        default="auto",
        choices=("auto", "openai", "huggingface"),
    ),
    Setting("offline", bool, "Never touch the network (or ANOMALYCLIP_OFFLINE=1).", (MODELS_PULL,), default=False),
    Setting(
        "as_json",
        bool,
        "For scripts: JSON on stdout.",
        (DATA_LIST, DATA_INFO, DATA_CHECK, MODELS_LIST),
        default=False,
        flags=("--json",),
    ),
)
