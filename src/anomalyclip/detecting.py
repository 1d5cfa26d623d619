"""`detector.detect("part.png")`: what Python users call, whatever runs the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Areas, Geometry, parse_layout, survey
from anomalyclip.geometry.resize import resize_map
from anomalyclip.prediction import Prediction, decide

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray
    from PIL.Image import Image
    from typing_extensions import Unpack

    from anomalyclip.geometry import Detector, Layout

    Source: TypeAlias = str | Path | Image | NDArray[np.uint8]


class Detecting:
    """Gives :meth:`detect` to every detector that inherits from it."""

    @overload
    def detect(
        self: Detector, inputs: Source, *, batch_size: int = 1, threshold: float | None = None, **layout: Unpack[Layout]
    ) -> Prediction: ...
    @overload
    def detect(
        self: Detector,
        inputs: list[Source] | tuple[Source, ...],
        *,
        batch_size: int = 1,
        threshold: float | None = None,
        **layout: Unpack[Layout],
    ) -> list[Prediction]: ...
    def detect(
        self: Detector, inputs: Any, *, batch_size: int = 1, threshold: float | None = None, **layout: Unpack[Layout]
    ) -> Any:
        """Score one image or a list of them.

        Args:
            inputs: a path, a PIL image or a uint8 RGB/grey array (H, W[, 3]); or a list of these.
            batch_size: images, or tiles of one image, per forward pass.
            threshold: image score from which the decision is "anomalous"; None gives no decision.
            layout: for large and odd images: ``tile``, ``overlap``, ``scales``, ``keep_aspect``, ``roi`` and
                ``ignore_mask``, see :class:`anomalyclip.geometry.Geometry` and :class:`anomalyclip.geometry.Layout`.

        Returns:
            A :class:`Prediction`, or a list of them in the order of the inputs.

        Raises:
            ImageReadError, InputError: an input cannot be read. For folders of unknown files use ``anomalyclip detect``
                or :mod:`anomalyclip.detect`, which report a bad file and go on.
            ConfigError: a value of the layout is out of range, or asks for input sizes that an export does not take.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be 1 or more, got {batch_size}")
        sources = inputs if isinstance(inputs, list | tuple) else [inputs]
        if any(value is not None for value in layout.values()):
            geometry, areas = parse_layout(layout)
            found = [_laid_out(self, one, geometry, areas, batch_size, threshold) for one in sources]
        else:
            starts = range(0, len(sources), batch_size)
            found = [p for start in starts for p in _batch(self, sources[start : start + batch_size], threshold)]
        return found if isinstance(inputs, list | tuple) else found[0]


def _laid_out(
    detector: Detector, source: Any, geometry: Geometry, areas: Areas, batch_size: int, threshold: float | None
) -> Prediction:
    image = as_image(source)
    path = str(source) if isinstance(source, str | Path) else None
    area, _ = areas.of(image.size, "" if path is None else Path(path).name)
    found = survey(detector, image, geometry, area=area, batch_size=batch_size)
    return Prediction(
        score=found.score,
        anomaly_map=found.anomaly_map,
        width=image.width,
        height=image.height,
        path=path,
        decision=decide(found.score, threshold),
        image=image,
        geometry=found.record,
        valid=None if area is None else area.mask(),
    )


def _batch(detector: Detector, inputs: Sequence[Any], threshold: float | None) -> list[Prediction]:
    import torch

    images = [as_image(source) for source in inputs]
    scores, maps = detector.predict(torch.stack([detector.preprocess(image) for image in images]))
    return [
        Prediction(
            score=score,
            anomaly_map=resize_map(values, image.size),
            width=image.width,
            height=image.height,
            path=str(source) if isinstance(source, str | Path) else None,
            decision=decide(score, threshold),
            image=image,
        )
        for source, image, score, values in zip(inputs, images, scores.tolist(), maps.numpy(), strict=True)
    ]


def as_image(source: Any) -> Image:
    """A path, PIL image or uint8 array (H, W) or (H, W, 3) as an RGB PIL image."""
    from PIL import Image

    from anomalyclip.io import read_image

    if isinstance(source, str | Path):
        return read_image(source)
    if isinstance(source, Image.Image):
        return source.convert("RGB")
    if isinstance(source, np.ndarray):
        if source.dtype == np.uint8 and (source.ndim == 2 or (source.ndim == 3 and source.shape[2] == 3)):
            return Image.fromarray(source).convert("RGB")
        raise InputError(f"an image array must be uint8 (H, W) or (H, W, 3) RGB, got {source.dtype} {source.shape}")
    raise InputError(f"cannot read an image from {type(source).__name__}; give a path, a PIL image or a uint8 array")
