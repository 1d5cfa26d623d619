"""Settings of `evaluate` and of `export` alone."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import EVALUATE, EXPORT
from anomalyclip.settings.panels import INT8, METRICS, SPEED
from anomalyclip.settings.setting import Range, Setting

_DATA, _MEASURING, _EXPORT = "data", "measuring", "export"

EVALUATING: tuple[Setting, ...] = (
    Setting(
        name="name",
        type=str,
        help="Which known data set DATA is (default: found out).",
        where=(EVALUATE,),
        part=_DATA,
    ),
    Setting(name="split", type=str, default="test", help="test or train.", where=(EVALUATE,), part=_DATA),
    Setting(
        name="missing_masks",
        type=str,
        default="error",
        choices=("error", "image-only"),
        help="Anomalous images without a mask: refuse, or leave out of pixel metrics.",
        where=(EVALUATE,),
        part=_DATA,
    ),
    Setting(
        name="resolution",
        type=str,
        default="model",
        choices=("model", "native"),
        help="Compare pixels at the model's size, as published, or at each image's own.",
        where=(EVALUATE,),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        name="exact_pixels",
        type=bool,
        default=False,
        help="Keep every pixel of a class (4 bytes each) instead of a fine histogram.",
        where=(EVALUATE,),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        name="fpr_limit",
        type=float,
        default=0.3,
        help="AUPRO up to this false-positive rate.",
        where=(EVALUATE,),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        name="resamples",
        type=int,
        default=1000,
        help="Bootstrap resamples of the 95% intervals; 0: none.",
        where=(EVALUATE,),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        name="seed",
        type=int,
        default=0,
        help="Of the bootstrap.",
        where=(EVALUATE,),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        name="cache",
        type=bool,
        flags=("--cache/--no-cache",),
        help="Use the encoder's features of earlier runs and keep new ones (default: only with --cache-dir).",
        where=(EVALUATE,),
        panel=SPEED,
    ),
    Setting(
        name="cache_dir",
        type=Path,
        metavar="DIR",
        help="Where features are kept (train's too).",
        where=(EVALUATE,),
        panel=SPEED,
    ),
    Setting(
        name="cache_dtype",
        type=str,
        default="fp16",
        choices=("fp16", "fp32"),
        help="fp32 takes twice the disk and changes no number.",
        where=(EVALUATE,),
        panel=SPEED,
    ),
)

EXPORTING: tuple[Setting, ...] = (
    Setting(
        name="precision",
        type=str,
        default="fp32",
        choices=("fp32", "fp16", "int8"),
        help="int8: onnx and openvino only. fp16 of openvino: weights only.",
        where=(EXPORT,),
        part=_EXPORT,
    ),
    Setting(
        name="pixels",
        type=str,
        default="uint8",
        choices=("uint8", "normalised"),
        flags=("--input",),
        help="uint8: RGB (B, S, S, 3). normalised: float32 (B, 3, S, S).",
        where=(EXPORT,),
        part=_EXPORT,
    ),
    Setting(
        name="calibration",
        type=Path,
        metavar="FOLDER",
        help="Typical images to quantise with (default: rendered ones).",
        where=(EXPORT,),
        panel=INT8,
        part=_EXPORT,
    ),
    Setting(
        name="calibration_images",
        type=int,
        default=32,
        help="How many of them.",
        where=(EXPORT,),
        range=Range(1, 4096, "images"),
        panel=INT8,
        part=_EXPORT,
    ),
)
