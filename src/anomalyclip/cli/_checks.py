"""Option values checked before anything heavy is loaded; every message names the option and its range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile

_DEVICE = re.compile(r"auto|cpu|(cuda|mps|xpu)(:\d+)?")

#: option -> (lowest, highest, what it is)
RANGES: dict[str, tuple[float, float, str]] = {
    "--threshold": (0, 1, "an image score"),
    "--pixel-threshold": (0, 1, "an anomaly map value"),
    "--min-area": (1, 10**9, "pixels"),
    "--batch-size": (1, 1024, "images"),
    "--image-size": (1, 8192, "pixels"),
    "--sigma": (0, 256, "pixels"),
    "--map-weight": (0, 1, "a share"),
    "--workers": (1, 256, "threads"),
    "--threads": (1, 1024, "threads"),
    "--calibration-images": (1, 4096, "images"),
    "--max-pixels": (1, 10**12, "pixels"),
    "--block-size": (1, 10**6, "images"),
    "--port": (0, 65535, "a port number"),
    "--batch-wait": (0, 60_000, "milliseconds"),
    "--queue": (1, 100_000, "images"),
    "--max-files": (1, 10_000, "images"),
    "--max-bytes": (1024, 2**40, "bytes"),
    "--max-seconds": (0.1, 86_400, "seconds"),
    "--drain": (0, 3600, "seconds"),
    "--interval": (0.01, 86_400, "seconds"),
    "--settle": (0, 86_400, "seconds"),
    "--every": (1, 10**9, "frames"),
    "--fps": (0.0001, 1000, "frames per second"),
    "--timeout": (0.1, 3600, "seconds"),
    "--keep": (0, 10**6, "anomalies"),
    "--keep-mb": (0, 10**9, "megabytes"),
}


def check_ranges(values: Mapping[str, float | None]) -> None:
    """Raises ConfigError for the first value outside its range of RANGES; None is not given and passes."""
    for option, value in values.items():
        low, high, unit = RANGES[option]
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(f"{option} {value:g} is out of range: expected {unit} from {low:g} to {high:g}")


def check_device(device: str) -> str:
    """Raises ConfigError for anything that is not a device name."""
    if not _DEVICE.fullmatch(device):
        raise ConfigError(f"--device {device!r}: expected auto, cpu, cuda, cuda:0, mps or the like")
    return device


def parse_layers(text: str | None) -> tuple[int, ...] | None:
    """`6,12,18,24` -> (6, 12, 18, 24). Raises ConfigError."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    # isdecimal alone lets other scripts' digits through, which int() reads but nobody means.
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) < 1000 for part in parts):
        raise ConfigError(f"--layers {text!r}: expected block numbers from 1, separated by commas, such as 6,12,18,24")
    layers = tuple(int(part) for part in parts)
    if len(set(layers)) < len(layers):
        raise ConfigError(f"--layers {text!r} names a block twice; give each block once")
    return layers


def open_profile(place: str | None, thresholds: Mapping[str, float | None]) -> Profile | None:
    """The profile of --profile FILE[:NAME], None without one; it brings the thresholds, so they may not be given.

    Raises ConfigError, InputError.
    """
    if place is None:
        return None
    given = [option for option, value in thresholds.items() if value is not None]
    if given:
        raise ConfigError(
            f"--profile brings the thresholds that {' and '.join(given)} would set: give one or the other"
        )
    from anomalyclip.calibration import read_profile

    return read_profile(place)


def check_output(output: Path | None, contradiction: bool, needing: Sequence[str]) -> None:
    """Raises ConfigError where options that write are given without --output, or --resume with --overwrite."""
    if output is None and needing:
        raise ConfigError(f"{', '.join(needing)} needs a folder to write to: add --output DIR")
    if contradiction:
        raise ConfigError("--resume keeps what is in the folder and --overwrite replaces it: give only one of them")
