"""Names and shapes of what goes into an exported graph and what comes out; torch is not needed to know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError, InputError

Pixels = Literal["uint8", "normalised"]
"""What the graph takes: uint8 RGB (B, S, S, 3), or float32 (B, 3, S, S) as
:func:`anomalyclip.data.transforms.preprocess` gives."""

INPUT = "images"
VERDICT = {
    "score": "float32 [batch]: image scores in 0..1",
    "anomaly_map": "float32 [batch, S, S]: anomaly maps in 0..1, smoothed",
}
_KINDS = {
    "patches": "float32 [batch, N, E]: patch features of the local path after block {}, projected",
    "tokens": "float32 [batch, N, D]: patch tokens of the original path as block {} leaves them",
    "stages": "float32 [batch, C, h, w]: stage {} of the convolutional stem",
    "windows": "float32 [batch, M, E]: class features of windows of {0} x {0} patches, row by row",
    "summaries": "float32 [batch, 3 C]: mean, deviation and maximum of every channel of stage {} of the stem",
}


def outputs_of(request: FeatureRequest) -> dict[str, str]:
    """Names and meanings of a graph's outputs, in their order.

    >>> list(outputs_of(FeatureRequest(verdict=True, image=True, patches=(3, 4), stages=(4,))))
    ['score', 'anomaly_map', 'image', 'patches_3', 'patches_4', 'stages_4']
    """
    found = dict(VERDICT) if request.verdict else {}
    if request.image:
        found["image"] = "float32 [batch, E]: global feature, not normalised"
    for kind, meaning in _KINDS.items():
        found |= {f"{kind}_{number}": meaning.format(number) for number in getattr(request, kind)}
    return found


def describe_input(pixels: Pixels, side: int, how: Preprocessing) -> dict[str, Any]:
    """The sidecar's words for the input."""
    filter_name = how.interpolation.upper()
    resize = f"RGB, resized to {side} x {side} with Pillow's {filter_name} filter, no crop, no padding"
    if pixels == "uint8":
        shape, before = ["batch", side, side, 3], resize + "; the graph scales and normalises"
    else:
        shape, before = ["batch", 3, side, side], resize + "; divided by 255, minus mean, divided by std"
    dtype = "uint8" if pixels == "uint8" else "float32"
    told = {"name": INPUT, "dtype": dtype, "shape": shape, "before": before}
    return told | {"mean": list(how.mean), "std": list(how.std), "interpolation": how.interpolation}


def preprocessing_of(told: Mapping[str, Any]) -> Preprocessing:
    """What :func:`describe_input` told; exports of before have no filter, they were all made for bicubic.

    Raises:
        InputError: values that cannot be.
    """
    try:
        given = {name: tuple(told[name]) for name in ("mean", "std") if name in told}
        return Preprocessing(**given, interpolation=told.get("interpolation", "bicubic"))
    except (TypeError, ConfigError) as error:
        raise InputError(f"the export's sidecar describes no input ({error}); export the model again") from error
