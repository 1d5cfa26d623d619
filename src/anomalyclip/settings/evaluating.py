"""Settings of `evaluate` and of `export` alone."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import EVALUATE, EXPORT
from anomalyclip.settings.panels import FEW_SHOT, INT8, METRICS, SPEED
from anomalyclip.settings.reading import counts_of, kinds_of
from anomalyclip.settings.setting import Range, Setting

_DATA, _MEASURING, _EXPORT = "data", "measuring", "export"

EVALUATING: tuple[Setting, ...] = (
    Setting("name", str, "Which known data set DATA is (default: found out).", (EVALUATE,), part=_DATA),
    Setting("split", str, "test or train.", (EVALUATE,), default="test", part=_DATA),
    Setting(
        "missing_masks",
        str,
        "Anomalous images without a mask: refuse, or leave out of pixel metrics.",
        (EVALUATE,),
        default="error",
        choices=("error", "image-only"),
        part=_DATA,
    ),
    Setting(
        "shots",
        int,
        "Also draw lines from so many good pictures of each class, such as 1,2,4,8,16,25, and measure them.",
        (EVALUATE,),
        many=True,
        read=counts_of,
        metavar="K,...",
        panel=FEW_SHOT,
    ),
    Setting(
        "draws",
        int,
        "How often good pictures are drawn, by --seed (default: 5).",
        (EVALUATE,),
        range=Range(1, 1000, "draws"),
        panel=FEW_SHOT,
    ),
    Setting(
        "resolution",
        str,
        "Compare pixels at the model's size, as published, or at each image's own.",
        (EVALUATE,),
        default="model",
        choices=("model", "native"),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        "exact_pixels",
        bool,
        "Keep every pixel of a class (4 bytes each) instead of a fine histogram.",
        (EVALUATE,),
        default=False,
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        "fpr_limit",
        float,
        "AUPRO up to this false-positive rate.",
        (EVALUATE,),
        default=0.3,
        range=Range(0, 1, "a share"),
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        "resamples",
        int,
        "Bootstrap resamples of the 95% intervals; 0: none.",
        (EVALUATE,),
        default=1000,
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        "seed",
        int,
        "Of the bootstrap, and of the good pictures that are drawn.",
        (EVALUATE,),
        default=0,
        panel=METRICS,
        part=_MEASURING,
    ),
    Setting(
        "cache",
        bool,
        "Use the encoder's features of earlier runs and keep new ones (default: only with --cache-dir).",
        (EVALUATE,),
        flags=("--cache/--no-cache",),
        panel=SPEED,
    ),
    Setting("cache_dir", Path, "Where features are kept (train's too).", (EVALUATE,), metavar="DIR", panel=SPEED),
    Setting(
        "cache_dtype",
        str,
        "fp32 takes twice the disk and changes no number.",
        (EVALUATE,),
        default="fp16",
        choices=("fp16", "fp32"),
        panel=SPEED,
    ),
)

EXPORTING: tuple[Setting, ...] = (
    Setting(
        "precision",
        str,
        "int8: onnx and openvino only. fp16 of openvino: weights only.",
        (EXPORT,),
        default="fp32",
        choices=("fp32", "fp16", "int8"),
        part=_EXPORT,
    ),
    Setting(
        "pixels",
        str,
        "uint8: RGB (B, S, S, 3). normalised: float32 (B, 3, S, S).",
        (EXPORT,),
        default="uint8",
        choices=("uint8", "normalised"),
        flags=("--input",),
        part=_EXPORT,
    ),
    Setting(
        name="features",
        type=str,
        help="Further outputs, for judges of other programs: some of image, patches, tokens (of --layers) and stages.",
        where=(EXPORT,),
        metavar="KINDS",
        read=kinds_of,
    ),
    Setting(
        "calibration",
        Path,
        "Typical images to quantise with (default: rendered ones).",
        (EXPORT,),
        metavar="FOLDER",
        panel=INT8,
        part=_EXPORT,
    ),
    Setting(
        "calibration_images",
        int,
        "How many of them.",
        (EXPORT,),
        default=32,
        range=Range(1, 4096, "images"),
        panel=INT8,
        part=_EXPORT,
    ),
)
