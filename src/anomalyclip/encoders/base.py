"""The one face of every encoder. Nothing here knows torch: arrays are NumPy's, or the encoder's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Array: TypeAlias = Any
"""float32; ``numpy.ndarray`` wherever :meth:`Encoder.encode` gave it."""


@dataclass(frozen=True)
class Stage:
    """A stage of a convolutional stem: channels of its output, and pixels of the image per cell and direction."""

    channels: int
    stride: int


@dataclass(frozen=True)
class EncoderFacts:
    """What an encoder is; two encoders of equal facts give equal features.

    Attributes:
        name: what the weights are called.
        weights_sha256: of the weights.
        patch_size: pixels per patch; sides of other inputs are multiples of it.
        image_size: side S in pixels of its own, square input.
        layers: blocks L. width: D of a token. embed_dim: E of the shared embedding.
        stages: number -> stage of its stem; empty without one.
        rounding: how features differ from float32's by more than the order of sums: "" not at all, else for instance
            "fp16", or "int8 native". Features of another rounding are other features.
        bound: largest relative distance |f - f0| / |f0| of a feature vector from torch's in float32.
        resizes: whether it takes inputs of other sizes than S x S.
        preprocessing: how an image becomes its input.
        reading: how its weights were read and who told it (:meth:`anomalyclip.clip.config.VisionConfig.reading`), as
            provenance records it; empty where the file itself says all.
    """

    name: str
    weights_sha256: str
    patch_size: int
    image_size: int
    layers: int
    width: int
    embed_dim: int
    stages: Mapping[int, Stage] = field(default_factory=dict)
    rounding: str = ""
    bound: float = 1e-4
    resizes: bool = True
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Features:
    """Features of B inputs on a ``grid`` of (h, w) patches, N = h w, row by row, none of them normalised.

    Attributes:
        grid: (h, w).
        image: (B, E). patches: {layer: (B, N, E)}. tokens: {layer: (B, N, D)}, no class token.
        stages: {stage: (B, C, h', w')}. windows: {side: (B, windows, E)}, row by row.
        verdict: scores (B,) and maps (B, H, W) in [0, 1] of the judge that is built into a graph.
        summaries: {stage: (B, 3 C)}: of every channel its mean over all places, then the deviations, then the maxima.
    """

    grid: tuple[int, int]
    image: Array = None
    patches: Mapping[int, Array] = field(default_factory=dict)
    tokens: Mapping[int, Array] = field(default_factory=dict)
    stages: Mapping[int, Array] = field(default_factory=dict)
    windows: Mapping[int, Array] = field(default_factory=dict)
    verdict: tuple[Array, Array] | None = None
    summaries: Mapping[int, Array] = field(default_factory=dict)

    def map(self, change: Callable[[Array], Array]) -> Features:
        """The same with every array changed."""
        changed: dict[str, Any] = {}
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            if isinstance(value, Mapping):
                changed[each.name] = {number: change(one) for number, one in value.items()}
            elif isinstance(value, tuple):
                changed[each.name] = tuple(change(one) for one in value)
            elif value is not None:
                changed[each.name] = change(value)
        return replace(self, **changed)

    def numpy(self) -> Features:
        """The same as float32 NumPy arrays."""
        return self.map(as_numpy)

    def singly(self) -> list[Features]:
        """Those of each picture, B = 1."""
        return [self.map(itemgetter(slice(index, index + 1))) for index in range(len(self))]

    def __len__(self) -> int:
        """B, or 0 where nothing was asked for."""
        for value in (self.image, *(self.verdict or ())):
            if value is not None:
                return len(value)
        for group in (self.patches, self.tokens, self.stages, self.windows, self.summaries):
            for value in group.values():
                return len(value)
        return 0


def together(found: Sequence[Features], join: Callable[[Sequence[Array]], Array] = np.concatenate) -> Features:
    """Features of one batch out of those of its parts, which hold the same kinds on one grid. join: of their arrays."""
    if len(found) == 1:
        return found[0]
    changed: dict[str, Any] = {}
    for each in fields(Features)[1:]:
        values = [getattr(one, each.name) for one in found]
        if isinstance(values[0], Mapping):
            changed[each.name] = {key: join([one[key] for one in values]) for key in values[0]}
        elif isinstance(values[0], tuple):
            changed[each.name] = tuple(join(parts) for parts in zip(*values, strict=True))
        elif values[0] is not None:
            changed[each.name] = join(values)
    return replace(found[0], **changed)


def as_numpy(values: Array) -> NDArray[np.float32]:
    """An array or a tensor of any device as float32 NumPy."""
    if not isinstance(values, np.ndarray) and hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, np.float32)


class Encoder(ABC):
    """Gives features of views. Safe to call from one thread at a time unless it says otherwise.

    Attributes:
        facts: see :class:`EncoderFacts`.
        runtime: "torch", "native", "openvino" or "onnx".
        device: where it runs, in torch's words ("cpu", "cuda", "mps", "xpu").
        ahead: whether :meth:`begin` works on while its caller does something else.
    """

    facts: EncoderFacts
    runtime: str
    device: str
    ahead: bool = False

    @property
    def weight_bytes(self) -> int:
        """What its weights take in torch's memory; 0 where another runtime holds them."""
        return 0

    @abstractmethod
    def offers(self, request: FeatureRequest) -> str | None:
        """None if it can give all of a request, else one sentence that says what it cannot give and the remedy."""

    @abstractmethod
    def run(self, pixels: Array, request: FeatureRequest) -> Features:
        """Features in the encoder's own arrays (tensors on its device, where torch computes them), float32.

        Args:
            pixels: (B, 3, H, W) as :meth:`preprocess` gives them.
            request: what :meth:`offers` has nothing against.

        Raises:
            ConfigError: it cannot give that, or takes no inputs of that size. InputError: values that are not finite.
        """

    def begin(self, pixels: Array, request: FeatureRequest) -> Callable[[], Features]:
        """:meth:`run` in two halves: the call of what this gives waits for the features, and raises what went wrong."""
        return partial(self.run, pixels, request)

    def adopt(self, features: Features) -> Features:
        """Features of :meth:`run` or :meth:`encode` in the encoder's own arrays."""
        return features

    def encode(self, pixels: Array, request: FeatureRequest) -> Features:
        """:meth:`run`, as NumPy arrays."""
        return self.run(pixels, request).numpy()

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """An RGB image as it is wanted: (3, S, S), or (3, H, W) for ``size`` (H, W); float32, normalised."""
        from anomalyclip.data.transforms import preprocess

        return as_numpy(preprocess(image, size or self.facts.image_size, self.facts.preprocessing))

    def check(self, request: FeatureRequest) -> None:
        """Raises :class:`ConfigError` with what :meth:`offers` says."""
        if (refusal := self.offers(request)) is not None:
            raise ConfigError(refusal)

    def provenance(self) -> dict[str, Any]:
        """What results say of it beyond the weights: nothing where its numbers are float32's of torch."""
        return {}


def refuse(facts: EncoderFacts, request: FeatureRequest, *, kinds: tuple[str, ...], remedy: str) -> str | None:
    """The refusals that all encoders share: a kind outside ``kinds``, a layer or a stage that does not exist."""
    if missing := [kind for kind in request.kinds if kind not in kinds]:
        return f"{facts.name} gives no {' and no '.join(missing)} here: {remedy}"
    if outside := [layer for layer in (*request.patches, *request.tokens) if not 1 <= layer <= facts.layers]:
        return f"layers {outside} do not exist: this vision encoder has blocks 1..{facts.layers}"
    if lost := [stage for stage in (*request.stages, *request.summaries) if stage not in facts.stages]:
        which = f"stages {', '.join(map(str, facts.stages))}" if facts.stages else "no convolutional stem"
        return f"stages {lost} do not exist: this vision encoder has {which}"
    if request.dpam_blocks is not None and not 0 <= request.dpam_blocks <= facts.layers:
        return f"dpam_blocks must lie in 0..{facts.layers} (the encoder's depth), got {request.dpam_blocks}"
    return None


def check_pixels(pixels: Any, by: str = "predict") -> None:
    """Raises InputError for what `Detector.predict` (`by`) does not take, as a path."""
    if len(getattr(pixels, "shape", ())) != 4:
        what = f"an array of shape {tuple(pixels.shape)}" if hasattr(pixels, "shape") else type(pixels).__name__
        raise InputError(
            f"{by} got {what}: it takes preprocessed images (B, 3, H, W), see preprocess; detect takes paths, "
            "pictures and arrays as they are"
        )


def check_image(image: Any) -> None:
    """Raises InputError for what `Detector.preprocess` does not take, as a path."""
    if not hasattr(image, "convert"):
        raise InputError(
            f"preprocess got {type(image).__name__}: it takes an RGB PIL image, as anomalyclip.io.read_image(path) and "
            "Image.fromarray(array) give; detect takes paths and arrays as they are"
        )
