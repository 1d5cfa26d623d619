"""The torch runtime beyond plain float32: half precision on a GPU, or a compiled encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from anomalyclip.clip.vision import VisionFeatures
from anomalyclip.detecting import Detecting
from anomalyclip.encoders.formats import Precision
from anomalyclip.errors import ConfigError
from anomalyclip.model import AnomalyCLIP

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.model_settings import ModelSettings

_DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class TorchDetector(Detecting):
    """A model whose encoder runs under autocast, compiled or both; scoring stays in float32.

    Args:
        model: on its device.
        precision: "fp32", "fp16" (CUDA and MPS) or "bf16".
        compiled: `torch.compile` the encoder: the first image of every input shape takes a minute or more.

    Raises:
        ConfigError: the precision is not one that torch runs on this device.
    """

    def __init__(self, model: AnomalyCLIP, precision: Precision = "fp32", *, compiled: bool = False) -> None:
        _check(precision, model.device)
        self.model = model
        self.precision = precision
        self.encode = torch.compile(model.encode) if compiled else model.encode

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    @property
    def settings(self) -> ModelSettings:
        """The model's."""
        return self.model.settings

    @property
    def image_size(self) -> int:
        """The model's."""
        return self.model.image_size

    @property
    def patch_size(self) -> int:
        """The model's."""
        return self.model.patch_size

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> Tensor:
        """The model's."""
        return self.model.preprocess(image, size)

    @torch.inference_mode()
    def predict(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W), float32 on the CPU, of normalised images (B, 3, H, W)."""
        height, width = pixel_values.shape[-2:]
        dtype = _DTYPES[self.precision]
        with torch.autocast(self.device.type, dtype, enabled=self.precision != "fp32"):
            found = self.encode(pixel_values.to(self.device, non_blocking=True))
        # Cosines divided by 0.07 amplify rounding: they are taken in float32.
        features = VisionFeatures(found.image.float(), {layer: p.float() for layer, p in found.patches.items()})
        scores, maps = self.model.judge(features, (height, width))
        return scores.cpu(), maps.cpu()

    def provenance(self) -> dict[str, Any]:
        """The model's; `precision` only where numbers differ by more than rounding."""
        rounding = {} if self.precision == "fp32" else {"precision": self.precision}
        return self.model.provenance() | {"runtime": "torch"} | rounding


def _check(precision: str, device: torch.device) -> None:
    if precision not in _DTYPES:
        raise ConfigError(f"the torch runtime computes in {', '.join(_DTYPES)}, not in {precision!r}")
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("fp16 needs a GPU in torch (on a CPU it is slower than fp32); use fp32, or int8 of OpenVINO")
