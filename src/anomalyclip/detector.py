"""The one detector: an encoder gives features of pictures, a judge turns them into scores and maps.

Whatever the encoder runs on and whatever judges, this is the face: NumPy arrays in, NumPy arrays out.
`anomalyclip.load` and `anomalyclip.opening.open_detector` make one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from anomalyclip.encoders.base import Array, Encoder, Features, check_image, check_pixels
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.geometry.settings import Layout
from anomalyclip.geometry.sizes import InputSizes
from anomalyclip.io.sources import listed
from anomalyclip.judges.verdicts import Verdicts, verdicts_of
from anomalyclip.keywords import CALIBRATING, Calibrating
from anomalyclip.settings.keywords import spelled_out
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from typing_extensions import Self, Unpack

    from anomalyclip.calibration.profile import Profile
    from anomalyclip.detecting import Source
    from anomalyclip.features.key import CacheKey
    from anomalyclip.geometry import Geometry
    from anomalyclip.io.full_scale import FullScale
    from anomalyclip.judges.base import Judge
    from anomalyclip.keywords import Asked
    from anomalyclip.prediction import Prediction
    from anomalyclip.settings import ModelSettings

    Floats = NDArray[np.float32]


class Detector:
    """Scores images and maps where they are anomalous.

    Args:
        encoder: what gives features.
        judge: what makes scores and maps of them.
        settings: everything besides weights and prompts that decides a score.

    Attributes:
        request: the features that one pass of the encoder gives the judge.

    Raises:
        ConfigError: the encoder cannot give what the judge needs; the message names the remedy.
    """

    def __init__(self, encoder: Encoder, judge: Judge, settings: ModelSettings) -> None:
        if (refusal := judge.refusal(encoder)) is not None:
            raise ConfigError(refusal)
        self.encoder, self.judge, self.settings = encoder, judge, settings
        self.request = judge.needs(encoder)

    @property
    def name(self) -> str:
        """What the weights are called in results."""
        return self.encoder.facts.name

    @property
    def weights_sha256(self) -> str:
        """Of the weights."""
        return self.encoder.facts.weights_sha256

    @property
    def method(self) -> str:
        """What results call the judge."""
        return self.judge.method

    @property
    def runtime(self) -> str:
        """What runs the encoder: "torch", "native", "openvino" or "onnx"."""
        return self.encoder.runtime

    @property
    def device(self) -> str:
        """Where it runs: "cpu", "cuda", "mps" or "xpu"."""
        return self.encoder.device

    @property
    def streams(self) -> int:
        """Images of a batch that are worked on at once."""
        return int(getattr(self.encoder, "streams", 1))

    @property
    def image_size(self) -> int:
        """Side S in pixels of the square input that images are resized to."""
        return self.settings.image_size

    @property
    def sizes(self) -> InputSizes:
        """Which inputs it takes."""
        facts = self.encoder.facts
        return InputSizes(self.image_size, facts.patch_size, facts.resizes)

    @property
    def peak(self) -> tuple[float, float]:
        """The map's peak in the score: (weight, share), see ``anomalyclip.scoring_arrays.with_map_peak``."""
        return self.judge.peak

    def __repr__(self) -> str:
        """What it is, and the settings that it was opened with; two lines."""
        told = self.provenance()
        prompts = f" with {told['prompts']}" if told["prompts"] else ""
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.recorded().items())
        return f"<{self.method} detector: {self.name}{prompts} on {self.runtime}, {self.device}\n {settings}>"

    def check(self, geometry: Geometry) -> None:
        """Raises ConfigError where a geometry asks for inputs that this detector does not take, or cannot judge."""
        from anomalyclip.combining import check_geometry

        check_geometry(self.encoder, self.judge, geometry)

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> NDArray[Any]:
        """An RGB PIL image as ``predict`` wants it: (3, S, S), or (3, H, W) for ``size`` (H, W).

        float32, normalised; uint8 for an export that normalises itself. Raises InputError for anything else.
        """
        check_image(image)
        return self.encoder.preprocess(image, size or (self.image_size, self.image_size))

    def predict(self, pixels: Array) -> tuple[Floats, Floats]:
        """Scores (B,) and maps (B, H, W), float32, of preprocessed images (B, 3, H, W); else InputError."""
        check_pixels(pixels)
        return self.verdict(self.encoder.run(pixels, self.request), (pixels.shape[-2], pixels.shape[-1]))

    @property
    def ahead(self) -> bool:
        """Whether :meth:`begin` works on while its caller does something else."""
        return bool(getattr(self.encoder, "ahead", False))

    def begin(self, pixels: Array) -> Callable[[], Verdicts]:
        """:meth:`predict` in two halves: the call of what this gives waits for the features and judges them."""
        check_pixels(pixels)
        features = self.encoder.begin(pixels, self.request)
        return lambda: self.verdict(features(), (pixels.shape[-2], pixels.shape[-1]))

    def features(self, pixels: Array, request: FeatureRequest | None = None) -> Features:
        """The encoder's features of preprocessed images (B, 3, H, W), as NumPy arrays.

        ``request``: which; None is what the judge needs.
        """
        check_pixels(pixels, "features")
        return self.encoder.encode(pixels, self.request if request is None else request)

    def verdict(self, features: Features, size: tuple[int, int] | None = None) -> Verdicts:
        """Scores (B,) and maps (B, H, W) from features, the encoder's own or NumPy's; ``size`` None is S x S.

        Features of ``features`` that were kept give the same numbers again.
        """
        given = self.encoder.adopt(features) if self.judge.takes_tensors else features.numpy()
        size = size or (self.image_size, self.image_size)
        return verdicts_of(self.judge, given, size, singly=self.encoder.device == "cpu")

    def with_judge(self, judge: Judge) -> Self:
        """The same encoder and settings with another judge; nothing is copied."""
        other = copy.copy(self)
        Detector.__init__(other, self.encoder, judge, self.settings)
        return other

    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """Which cache holds the features of ``request`` at S x S."""
        from anomalyclip.features.key import key_of

        return key_of(self.encoder.facts, self.request, self.image_size, dtype)

    def doubts(self) -> list[str]:
        """What a user should know of these settings before trusting maps: one sentence each, usually none."""
        from anomalyclip.combining import doubts_of

        return doubts_of(self.encoder.facts, self.settings)

    def provenance(self) -> dict[str, Any]:
        """What every result file records: model, weights and prompts with their hashes, settings, version; and the
        runtime where numbers differ by more than rounding."""
        told = {
            "model": self.name,
            "method": self.method,
            "weights_sha256": self.weights_sha256,
            "prompts": "",
            "prompts_sha256": "",
            "settings": self.settings.recorded(),
            "version": __version__,
        }
        reading = {"reading": dict(self.encoder.facts.reading)} if self.encoder.facts.reading else {}
        return told | reading | self.judge.provenance() | self.encoder.provenance()

    @spelled_out(Calibrating, CALIBRATING)
    def calibrate(self, pictures: Any, **options: Unpack[Calibrating]) -> Profile:
        """Learn from good pictures where to draw the line; `anomalyclip calibrate` does the same.

        Args:
            pictures: a folder, a glob, a path, or a list of paths, bytes, PIL images and arrays; without defects.
            options: see ``help(anomalyclip.keywords.Calibrating)``.

        Returns:
            A ``Profile``: for ``detect(..., profile=)``; ``profile.save("line.json")`` keeps it with its memory, and
            ``profile.told`` says what the command would.

        Raises:
            InputError: no picture can be read. ConfigError: a value out of range, or too few pictures for a rate
                without a memory; with one, the smallest rate that they support is taken and told.
        """
        from anomalyclip.calibration.calling import calibrate_detector  # upstairs: see the contract in pyproject.toml

        return calibrate_detector(self, pictures, **options)

    @overload
    def detect(self, inputs: Source, *, frames: None = None, **options: Unpack[Asked]) -> Prediction: ...
    @overload
    def detect(self, inputs: Source, *, frames: int | str, **options: Unpack[Asked]) -> list[Prediction]: ...
    @overload
    def detect(
        self,
        inputs: list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        frames: int | str | None = None,
        **options: Unpack[Asked],
    ) -> list[Prediction]: ...
    @spelled_out(Layout)
    def detect(
        self,
        inputs: Source | list[Source] | tuple[Source, ...] | Iterator[Source],
        *,
        batch_size: int = 1,
        threshold: float | None = None,
        pixel_threshold: float | None = None,
        min_area: int = 1,
        profile: Profile | str | Path | None = None,
        frames: int | str | None = None,
        axis: str = "z",
        max_pixels: int | None = None,
        full_scale: FullScale | None = None,
        **layout: Unpack[Layout],
    ) -> Prediction | list[Prediction]:
        """Score one image or a list of them.

        Args:
            inputs: a path, a file's bytes, an open file, a PIL image or an array (RGB: of OpenCV's give
                ``array[..., ::-1]``); or a list or generator of these, or a column of paths. All are read by the same
                rules, see ``anomalyclip.io.sources.as_image``.
            batch_size: images, or tiles of one image, per forward pass.
            threshold: image score from which the decision is "anomalous"; None gives no decision.
            pixel_threshold: map value from which a pixel belongs to a region; None is ``threshold``.
            min_area: leave out regions with fewer pixels.
            profile: a calibration profile, or its path (``line.json``, ``lines.json:NAME``): judges by its memory if it
                has one, and gives decisions and p-values; in place of ``threshold``.
            frames: of files of several pictures (pages, frames, slices): "all", "first" or how many; None refuses them.
            axis: "x", "y" or "z", along which slices of a NIfTI volume are counted.
            max_pixels: refuse larger images; None is 89 million.
            full_scale: the stored value that is white in what is deeper than 8 bits and does not say so, as 4095 for a
                12-bit camera, or (black, white); None: the profile's, else see ``anomalyclip.io.depth``.
            layout: for large and odd images: ``tile``, ``overlap``, ``scales``, ``keep_aspect``, ``roi`` and
                ``ignore_mask``, see ``anomalyclip.geometry.Geometry`` and ``anomalyclip.geometry.Layout``.

        Returns:
            A ``Prediction``; a list of them in the order of the inputs for a list, and wherever `frames` is given.

        Raises:
            ImageReadError, InputError: an input cannot be read. For folders of unknown files use ``anomalyclip detect``
                or ``anomalyclip.detect``, which report a bad file and go on.
            KeywordError: a keyword that there is not; the message names the one that was probably meant.
            ConfigError: a value is out of its range, or asks for input sizes that an export does not take.
        """
        from anomalyclip.calibration.calling import profile_at
        from anomalyclip.detecting import detect_all, detect_by

        several = listed(inputs)
        pictures = [inputs] if several is None else several
        how: dict[str, Any] = {"axis": axis, "max_pixels": max_pixels, "full_scale": full_scale, "frames": frames}
        how |= {"batch_size": batch_size, "min_area": min_area, **layout}
        if profile is None:
            found = detect_all(self, pictures, threshold=threshold, pixel_threshold=pixel_threshold, **how)
        elif threshold is not None or pixel_threshold is not None:
            raise ConfigError("a profile brings its thresholds: give profile or thresholds, not both")
        else:
            found = detect_by(profile_at(profile), self, pictures, **how)
        return found if frames is not None or several is not None else found[0]

    def detect_batch(self, inputs: Iterable[Source], **options: Any) -> list[Prediction]:
        """Score pictures by each other, too: what is rare among them is odd; scores depend on all of them.

        Options are those of :meth:`detect`, and more: see :func:`anomalyclip.mutual.python.detect_batch`.
        """
        from anomalyclip.mutual.python import detect_batch

        return detect_batch(self, inputs, **options)
