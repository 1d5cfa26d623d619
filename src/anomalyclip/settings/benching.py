"""Settings of `bench`."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.settings.faces import BENCH
from anomalyclip.settings.panels import ACCURACY, FILES, WHOLE_COMMAND
from anomalyclip.settings.reading import sides_of
from anomalyclip.settings.setting import Range, Setting

BENCHING: tuple[Setting, ...] = (
    Setting(
        "model",
        str,
        "A name or file as for detect, or random:vit-l-14-336 (true architecture, random weights).",
        (BENCH,),
        default="pocket",
    ),
    Setting(
        "variants",
        str,
        "Some of reference,torch,native,onnx,openvino,onnx-int8,openvino-int8,native-int8; default: all that run here.",
        (BENCH,),
    ),
    Setting(
        "batches",
        str,
        "Images per forward pass, such as 1,8.",
        (BENCH,),
        default="1",
        flags=("--batch",),
        read=sides_of,
    ),
    Setting(
        "image_sizes",
        str,
        "Sides in pixels, such as 320,518; default: the model's.",
        (BENCH,),
        flags=("--image-size",),
        read=sides_of,
    ),
    Setting("threads", str, "CPU threads, such as 1,2; default: all cores.", (BENCH,), read=sides_of),
    Setting(
        "rounds",
        int,
        "Timed rounds; in each every variant runs once.",
        (BENCH,),
        default=5,
        range=Range(1, 10**6, "rounds"),
    ),
    Setting(
        "operators", bool, "Profile torch's operators.", (BENCH,), default=True, flags=("--operators/--no-operators",)
    ),
    Setting(
        "renders",
        int,
        "Compare accuracy on so many labelled renders.",
        (BENCH,),
        default=40,
        range=Range(0, 10**6, "renders"),
        panel=ACCURACY,
    ),
    Setting("data", Path, "A data set, or a folder of them, to compare accuracy on.", (BENCH,), panel=ACCURACY),
    Setting(
        "data_images",
        int,
        "At most so many images of each data set.",
        (BENCH,),
        default=100,
        range=Range(1, 10**9, "images"),
        panel=ACCURACY,
    ),
    Setting("calibration", Path, "Typical images to quantise with; default: rendered ones.", (BENCH,), panel=ACCURACY),
    Setting(
        "detect_images",
        int,
        "Run `anomalyclip detect` on so many images.",
        (BENCH,),
        default=0,
        range=Range(0, 10**9, "images"),
        panel=WHOLE_COMMAND,
    ),
    Setting(
        "exports",
        Path,
        "Keep the exports here for the next time; default: thrown away.",
        (BENCH,),
        metavar="DIR",
        panel=FILES,
    ),
    Setting(
        "output",
        Path,
        "Write bench.json, bench.md and bench.png there.",
        (BENCH,),
        flags=("--output", "-o"),
        metavar="DIR",
        panel=FILES,
    ),
)
