"""The native runtime: a model whose vision blocks run in 8 bits on our own kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from anomalyclip.detecting import Detecting
from anomalyclip.model import AnomalyCLIP
from anomalyclip.runtime.native_encoder import NativeEncoder

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.model_settings import ModelSettings


class NativeDetector(Detecting):
    """A model with the blocks of its encoder in int8; patches, stem, norms at the end and scoring stay in float32.

    Safe to call from several threads, which take turns.

    Args:
        model: on the CPU.
        threads: see :class:`NativeEncoder`; None is as many as torch takes.
        owned: nobody else needs the model: the float weights of its blocks are dropped (1.2 GB for ViT-L/14), and its
            own `predict` is an error from then on.

    Raises:
        ConfigError: as :class:`NativeEncoder`.
    """

    def __init__(self, model: AnomalyCLIP, threads: int | None = None, *, owned: bool = False) -> None:
        self.model = model
        self.encoder = NativeEncoder(model.visual, threads, owned=owned)

    @property
    def device(self) -> torch.device:
        """The CPU."""
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
        """Scores (B,) and maps (B, H, W), float32 on the CPU, of normalised images (B, 3, H, W).

        Raises:
            InputError: values that are not finite.
        """
        height, width = pixel_values.shape[-2:]
        settings = self.settings
        features = self.encoder.encode(
            pixel_values,
            layers=settings.layers,
            dpam=settings.dpam,
            dpam_blocks=settings.dpam_blocks,
            post_norm_class=settings.post_norm_class,
        )
        return self.model.judge(features, (height, width))

    def provenance(self) -> dict[str, Any]:
        """The model's; how it is rounded tells it from the int8 of other runtimes, whose profiles do not fit it."""
        return self.model.provenance() | {"runtime": "native", "precision": "int8", "quantised": "row by row"}
