"""An exported model as a detector: the same face as `anomalyclip.model.AnomalyCLIP`, run by its own runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detecting import Detecting
from anomalyclip.encoders.formats import FORMATS
from anomalyclip.errors import InputError
from anomalyclip.runtime.sessions import open_session
from anomalyclip.runtime.sidecar import Artefact, read_artefact

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from anomalyclip.model_settings import ModelSettings


class ExportedDetector(Detecting):
    """Runs an artefact of `anomalyclip export`.

    Args:
        folder: the artefact.
        device, threads: where it runs; `auto` is the CPU for OpenVINO and onnxruntime.
        streams: images of a batch that OpenVINO works on at once, see `open_session`.

    Raises:
        InputError: the artefact is damaged, or its runtime cannot read it.
        ConfigError: its runtime is not installed, or cannot use the device.
    """

    def __init__(self, folder: Path, *, device: str = "auto", threads: int | None = None, streams: int = 1) -> None:
        import torch

        self.folder = folder
        self.artefact: Artefact = read_artefact(folder)
        self.runtime = FORMATS[self.artefact.format].runtime
        self._run, where = open_session(self.artefact.format, folder, device=device, threads=threads, streams=streams)
        self.streams = streams if self.runtime == "openvino" else 1
        self.device = torch.device(where)

    @property
    def image_size(self) -> int:
        """Side S in pixels of the square input."""
        return self.artefact.image_size

    @property
    def settings(self) -> ModelSettings:
        """What the exported model was made with."""
        from anomalyclip.model_settings import ModelSettings

        recorded: dict[str, Any] = dict(self.artefact.provenance["settings"])
        return ModelSettings(**recorded | {"layers": tuple(recorded["layers"])})

    def preprocess(self, image: Image) -> torch.Tensor:
        """RGB image -> (3, S, S): uint8 where the graph normalises, else float32 normalised."""
        import torch

        from anomalyclip.data.transforms import normalise, resize

        pixels = torch.from_numpy(resize(image, self.image_size))
        return pixels.movedim(-1, -3) if self.artefact.pixels == "uint8" else normalise(pixels)

    def predict(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores (B,) and maps (B, S, S), float32 in [0, 1], of images (B, 3, S, S) that :meth:`preprocess` gave."""
        import torch

        given, side = pixel_values.numpy(), self.image_size
        wanted = np.uint8 if self.artefact.pixels == "uint8" else np.float32
        if given.shape[1:] != (3, side, side) or given.dtype != wanted:
            raise InputError(
                f"this export takes {np.dtype(wanted)} (B, 3, {side}, {side}), got {given.dtype} {given.shape}; "
                "make its input with preprocess"
            )
        if self.artefact.pixels == "uint8":
            given = given.transpose(0, 2, 3, 1)
        scores, maps = self._run(np.ascontiguousarray(given))
        return torch.from_numpy(scores), torch.from_numpy(maps)

    def provenance(self) -> dict[str, Any]:
        """The exported model's, with what runs it; `precision` only where numbers differ by more than rounding."""
        artefact = self.artefact
        rounding = {} if artefact.precision == "fp32" else {"precision": artefact.precision}
        return artefact.provenance | {"runtime": self.runtime} | rounding
