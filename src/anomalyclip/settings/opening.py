"""Settings that say which model is opened, with which prompts, on what."""

from __future__ import annotations

from anomalyclip.settings.faces import (
    CALIBRATE,
    DETECT,
    EVALUATE,
    EXPORT,
    LOAD,
    REPRODUCE,
    SCORING,
    SERVE,
    TRAIN,
    WATCH,
)
from anomalyclip.settings.panels import MODEL, SPEED
from anomalyclip.settings.reading import device_of, heads_of
from anomalyclip.settings.scoring import DECIDING
from anomalyclip.settings.setting import Range, Setting

_OPENING = "opening"

_MODEL = Setting(
    "model",
    str,
    "A name of `anomalyclip models list`, a weights file, an export.",
    (*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    default="pocket",
    panel=MODEL,
    part=_OPENING,
    differs={
        EXPORT: {
            "argument": True,
            "required": True,
            "default": None,
            "metavar": "MODEL",
            "panel": None,
            "help": "A name of `anomalyclip models list`, a weights file, a run folder.",
        },
        TRAIN: {"help": "A name of `anomalyclip models list`, or a weights file."},
        REPRODUCE: {"help": "A name of `anomalyclip models list`, or a weights file; the paper's is vit-l-14-336."},
    },
)
_PROMPTS = Setting(
    "prompts",
    str,
    "A prompt file or name; default: the model's own.",
    (*SCORING, EXPORT, LOAD),
    panel=MODEL,
    part=_OPENING,
    differs={
        EVALUATE: {
            "help": "A prompt file, run folder or name; a baseline: clip, clip-ac, winclip, coop:PATH, vand:PATH; "
            "heads:PATH; or hand-written words alone: winclip-ensemble, april-gan-ensemble; default: the model's own."
        }
    },
)
_CLASS_NAME = Setting(
    "class_name",
    str,
    "Fills hand-written prompts such as `--prompts clip`.",
    (DETECT, CALIBRATE, WATCH, SERVE, EXPORT, LOAD),
    default="object",
    panel=MODEL,
    part=_OPENING,
)
_CLASS_AGNOSTIC = Setting(
    "class_agnostic",
    bool,
    'Fill prompts that name the class with "object".',
    (EVALUATE,),
    default=False,
    panel=MODEL,
    part=_OPENING,
)
_ACTIVATION = Setting(
    name="activation",
    type=str,
    choices=("quick_gelu", "gelu", "gelu_tanh"),
    help="Activation of a lone weights file that does not say it.",
    where=(*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    panel=MODEL,
    part=_OPENING,
)
_HEADS = Setting(
    name="heads",
    type=str,
    help="Attention heads VISION,TEXT of a lone weights file that does not say them.",
    where=(*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    panel=MODEL,
    metavar="VISION,TEXT",
    read=heads_of,
    part=_OPENING,
)
_ARCHITECTURE = Setting(
    name="architecture",
    type=str,
    help="The published model a lone weights file is, such as open_clip:ViT-B-16-plus-240.",
    where=(*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    panel=MODEL,
    part=_OPENING,
)
_DEVICE = Setting(
    "device",
    str,
    "auto, cpu, cuda, cuda:1, mps.",
    (*SCORING, LOAD, TRAIN, REPRODUCE),
    default="auto",
    panel=MODEL,
    read=device_of,
    part=_OPENING,
)
_OFFLINE = Setting(
    "offline",
    bool,
    "Never use the network.",
    (*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    default=False,
    panel=MODEL,
    part=_OPENING,
)
_THREADS = Setting(
    "threads",
    int,
    "CPU threads of the model (default: all).",
    (*SCORING, EXPORT, LOAD, TRAIN, REPRODUCE),
    range=Range(1, 1024, "threads"),
    panel=SPEED,
    part=_OPENING,
)
_RUNTIME = Setting(
    "runtime",
    str,
    "native: our own kernels, int8, and fp32 for pocket; openvino and onnx convert the model once and keep it, but for "
    "pocket's own graph; auto: an export's own; for pocket our kernels, else its graph; torch on a GPU; on a CPU "
    "OpenVINO where the model was converted before, else torch.",
    (*SCORING, LOAD, TRAIN),
    default="auto",
    choices=("auto", "torch", "native", "openvino", "onnx"),
    panel=SPEED,
    part=_OPENING,
    differs={
        TRAIN: {
            "help": "What encodes the images: native is int8; openvino and onnx convert the model once and keep it.",
            "default": "torch",
            "choices": ("torch", "native", "openvino", "onnx"),
        }
    },
)
_PRECISION = Setting(
    "precision",
    str,
    "fp32; fp16, bf16: torch on a GPU; int8: native, OpenVINO or ONNX (default: fp32, or the export's).",
    (*SCORING, LOAD),
    choices=("fp32", "fp16", "bf16", "int8"),
    panel=SPEED,
    part=_OPENING,
)

OPENING: tuple[Setting, ...] = (
    _MODEL,
    _PROMPTS,
    _CLASS_NAME,
    _CLASS_AGNOSTIC,
    _ACTIVATION,
    _HEADS,
    _ARCHITECTURE,
    _DEVICE,
    *DECIDING,
    _OFFLINE,
    _THREADS,
    _RUNTIME,
    _PRECISION,
)
