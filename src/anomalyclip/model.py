"""AnomalyCLIP: the frozen encoder, two constant text embeddings and scoring, in one module (METHOD sections 3 to 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from anomalyclip.clip.attention import DPAMMode
from anomalyclip.clip.vision import VisionFeatures, VisionTransformer
from anomalyclip.data.transforms import preprocess
from anomalyclip.detecting import Detecting
from anomalyclip.errors import ConfigError
from anomalyclip.features.encoding import Features
from anomalyclip.features.key import CacheKey, patch_key
from anomalyclip.geometry.resize import resize_map as resize_map
from anomalyclip.model_settings import ModelSettings, check_settings, settings_for
from anomalyclip.scoring import anomaly_map, image_score, with_map_peak
from anomalyclip.text_embeddings import TextEmbeddings, text_embeddings
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from PIL.Image import Image


class AnomalyOutput(NamedTuple):
    """What one forward pass gives for B images, N patches, embedding width D, S = image size.

    ``image_features`` (B, D) and ``patch_features`` {layer: (B, N, D)} are not normalised and have no class token;
    ``image_scores`` (B,) and ``anomaly_maps`` (B, S, S, mean over layers) lie in [0, 1]; ``text_features`` (2, D) is
    L2-normalised, [normal, abnormal].
    """

    image_features: Tensor
    patch_features: dict[int, Tensor]
    image_scores: Tensor
    anomaly_maps: Tensor
    text_features: Tensor


class AnomalyCLIP(nn.Module, Detecting):
    """Zero-shot anomaly detector over one frozen vision tower and one pair of text embeddings.

    Make one with :func:`load` (names and defaults) or :meth:`from_files` (every setting by hand).

    Attributes:
        name: what the weights are called in results: a model name, or the path given.
        settings: see :class:`ModelSettings`.
    """

    text_features: Tensor

    def __init__(
        self,
        visual: VisionTransformer,
        embeddings: TextEmbeddings,
        settings: ModelSettings,
        *,
        name: str,
        weights_sha256: str,
    ) -> None:
        super().__init__()
        check_settings(settings, visual.config)
        self.visual = visual
        self.settings = settings
        self.name = name
        self.weights_sha256 = weights_sha256
        self.method = embeddings.method
        self.prompts_name = embeddings.name
        self.prompts_sha256 = embeddings.sha256
        self.register_buffer("text_features", embeddings.features)
        self.eval().requires_grad_(False)

    @classmethod
    def from_files(
        cls,
        clip: str | Path,
        prompts: str | Path,
        *,
        layers: Sequence[int] | None = None,
        image_size: int | None = None,
        dpam: DPAMMode | None = None,
        dpam_blocks: int | None = None,
        sigma: float | None = None,
        tau: float | None = None,
        post_norm_class: bool | None = None,
        map_weight: float | None = None,
        class_name: str = "object",
        device: str | torch.device = "cpu",
        name: str | None = None,
    ) -> AnomalyCLIP:
        """Build a model from a CLIP weights file and a prompt file.

        Args:
            clip: weights in any format of :func:`anomalyclip.clip.weights.load_clip`.
            prompts: a prompt file (ours or the authors' ``.pth``), or the name of a hand-written ensemble
                (``clip``, ``clip-ac``, ``winclip-ensemble``), which is filled with ``class_name``.
            layers, image_size, dpam, dpam_blocks, sigma, tau, post_norm_class, map_weight: None takes what comes with
                the prompts (see :class:`anomalyclip.text_embeddings.Preset`), then the method's default (last layer;
                518 px for 14-pixel patches, else the size the weights were trained at; "vv" over 19 of 24 blocks in
                proportion; sigma 4; tau 0.07; no LN_post on the class token, but for hand-written prompts; no share of
                the map in the score). ``clip`` and ``clip-ac`` are baselines of plain CLIP and come with ``dpam`` "qk".
            class_name: for hand-written and object-aware prompts.
            device: where to run.
            name: what to call the weights in results; default is the path.

        Raises:
            WeightsError, PromptError, ConfigError: a file cannot be used, the prompts were learned on another backbone,
                or a setting is out of range.
        """
        name = name or str(clip)
        embeddings, tower, preset = text_embeddings(clip, prompts, backbone=name, class_name=class_name)
        settings = settings_for(
            tower.config.vision,
            preset,
            layers=layers,
            image_size=image_size,
            dpam=dpam,
            dpam_blocks=dpam_blocks,
            sigma=sigma,
            tau=tau,
            post_norm_class=post_norm_class,
            map_weight=map_weight,
        )
        model = cls(tower.visual, embeddings, settings, name=name, weights_sha256=tower.weights_sha256)
        return model.to(device)

    def with_text(self, embeddings: TextEmbeddings) -> AnomalyCLIP:
        """The same encoder and settings with another pair of text embeddings; nothing is copied."""
        model = type(self)(self.visual, embeddings, self.settings, name=self.name, weights_sha256=self.weights_sha256)
        return model.to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.text_features.device

    def forward(self, pixel_values: Tensor) -> AnomalyOutput:
        """Features, scores and maps of normalised images (B, 3, S, S); differentiable in ``pixel_values``.

        Other sizes (B, 3, H, W) of at least one patch work too: the positions are interpolated to their grid of
        patches, and the maps are (B, H, W).
        """
        height, width = pixel_values.shape[-2:]
        features = self.encode(pixel_values)
        scores, maps = self.judge(features, (height, width))
        return AnomalyOutput(features.image, features.patches, scores, maps, self.text_features)

    def encode(self, pixel_values: Tensor) -> VisionFeatures:
        """What the encoder gives for normalised images (B, 3, H, W), with this model's layers and attention."""
        settings = self.settings
        features: VisionFeatures = self.visual(
            pixel_values,
            layers=settings.layers,
            dpam=settings.dpam,
            dpam_blocks=settings.dpam_blocks,
            post_norm_class=settings.post_norm_class,
        )
        return features

    def judge(self, features: VisionFeatures, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W) for ``size`` (H, W) of what :meth:`encode` gives for images of that size."""
        settings = self.settings
        maps = anomaly_map(
            [features.patches[layer] for layer in settings.layers],
            self.text_features,
            size,
            tau=settings.tau,
            sigma=settings.sigma,
            grid=(size[0] // self.patch_size, size[1] // self.patch_size),
        )
        scores = image_score(features.image, self.text_features, settings.tau)
        return with_map_peak(scores, maps, *settings.peak), maps

    @property
    def image_size(self) -> int:
        """Side S in pixels of the square input that images are resized to."""
        return self.settings.image_size

    @property
    def patch_size(self) -> int:
        """Side in pixels of a patch; other inputs than S x S have sides that are multiples of it."""
        return self.visual.config.patch_size

    def preprocess(self, image: Image, size: tuple[int, int] | None = None) -> Tensor:
        """An RGB PIL image as this model wants it: float32 (3, S, S), or (3, H, W) for ``size`` (H, W), on the CPU."""
        return preprocess(image, size or self.image_size)

    @torch.inference_mode()
    def predict(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and maps (B, H, W), float32 on the CPU, of normalised images (B, 3, H, W)."""
        out = self(pixel_values.to(self.device))
        return out.image_scores.float().cpu(), out.anomaly_maps.float().cpu()

    def feature_key(self, dtype: str = "fp32") -> CacheKey:
        """Which of the encoder's features :meth:`score` takes; :func:`anomalyclip.features.encode` gives them."""
        settings = self.settings
        return patch_key(
            self.visual,
            self.weights_sha256,
            image_size=settings.image_size,
            layers=settings.layers,
            dpam=settings.dpam,
            dpam_blocks=settings.dpam_blocks,
            post_norm_class=settings.post_norm_class,
            dtype=dtype,
        )

    @torch.inference_mode()
    def score(self, features: Features) -> tuple[Tensor, Tensor]:
        """:meth:`predict` from features that were encoded before."""
        settings = self.settings
        maps = anomaly_map(
            features.patches.unbind(dim=1),
            self.text_features,
            settings.image_size,
            tau=settings.tau,
            sigma=settings.sigma,
        )
        scores = with_map_peak(image_score(features.image, self.text_features, settings.tau), maps, *settings.peak)
        return scores.float().cpu(), maps.float().cpu()

    def provenance(self) -> dict[str, Any]:
        """What every result file records: model, weights and prompts with their hashes, settings, version."""
        return {
            "model": self.name,
            "method": self.method,
            "weights_sha256": self.weights_sha256,
            "prompts": self.prompts_name,
            "prompts_sha256": self.prompts_sha256,
            "settings": self.settings.recorded(),
            "version": __version__,
        }


def load(
    model: str | Path = "pocket",
    *,
    prompts: str | Path | None = None,
    device: str = "auto",
    layers: Sequence[int] | None = None,
    image_size: int | None = None,
    sigma: float | None = None,
    map_weight: float | None = None,
    dpam: DPAMMode | None = None,
    threads: int | None = None,
    offline: bool = False,
    class_name: str = "object",
) -> AnomalyCLIP:
    """Load a model by name or path, with its prompts.

    Args:
        model: ``pocket`` (embedded), ``vit-l-14-336`` and the other names of ``anomalyclip models list``, or a path.
        prompts: a prompt name, a hand-written ensemble's name or a path; None takes the model's default.
        device: ``auto`` (CUDA, then Apple's MPS, then CPU), or torch's name of one.
        layers, image_size, sigma, map_weight, dpam: override what comes with the prompts.
        threads: CPU threads of torch; None leaves them as they are.
        offline: never touch the network.
        class_name: fills hand-written and object-aware prompts.

    Raises:
        HubError: an unknown name, or a file that is not here and cannot be fetched; the message says what to do.
        WeightsError, PromptError, ConfigError: see :meth:`AnomalyCLIP.from_files`.
    """
    from anomalyclip.hub import meter, resolve_model, resolve_prompts
    from anomalyclip.prompts import NAMES

    files = resolve_model(model, offline=offline, meter=meter)
    wanted = prompts if prompts is not None else files.prompts_or_error()
    if threads is not None:
        torch.set_num_threads(threads)
    found = wanted if str(wanted) in NAMES else resolve_prompts(wanted, offline=offline, meter=meter)
    loaded = AnomalyCLIP.from_files(
        files.weights,
        found,
        layers=layers,
        image_size=image_size,
        sigma=sigma,
        map_weight=map_weight,
        dpam=dpam,
        class_name=class_name,
        device=pick_device(device),
        name=files.name,
    )
    # Results name the prompts as the user did: where a package or cache lies is nobody's business.
    loaded.prompts_name = loaded.prompts_name.replace(str(found), str(wanted))
    return loaded


def pick_device(device: str) -> torch.device:
    """``auto`` is the fastest present; any other name is checked. Raises :class:`ConfigError`."""
    if device == "auto":
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(best)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the device {device!r} cannot be used here ({reason}); try --device cpu") from error
    return torch.device(device)
