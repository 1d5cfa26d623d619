"""Names and shapes of what goes into an exported graph and what comes out; torch is not needed to know them."""

from __future__ import annotations

from typing import Any, Literal

Pixels = Literal["uint8", "normalised"]
"""What the graph takes: uint8 RGB (B, S, S, 3), or float32 (B, 3, S, S) as
:func:`anomalyclip.data.transforms.preprocess` gives."""

INPUT = "images"
OUTPUTS = {
    "score": "float32 [batch]: image scores in 0..1",
    "anomaly_map": "float32 [batch, S, S]: anomaly maps in 0..1, smoothed",
}


def describe_input(pixels: Pixels, side: int) -> dict[str, Any]:
    """The sidecar's words for the input."""
    from anomalyclip.data.transforms import MEAN, STD

    resize = f"RGB, resized to {side} x {side} with Pillow's BICUBIC filter, no crop, no padding"
    if pixels == "uint8":
        shape, before = ["batch", side, side, 3], resize + "; the graph scales and normalises"
    else:
        shape, before = ["batch", 3, side, side], resize + "; divided by 255, minus mean, divided by std"
    dtype = "uint8" if pixels == "uint8" else "float32"
    return {"name": INPUT, "dtype": dtype, "shape": shape, "before": before, "mean": list(MEAN), "std": list(STD)}
