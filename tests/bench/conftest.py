"""The tiny CLIP of the golden numbers as a model to measure."""

from __future__ import annotations

import pytest

from anomalyclip.clip.weights import load_clip
from anomalyclip.detector import Detector
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words
from anomalyclip.settings import ModelSettings


@pytest.fixture
def small_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ceiling of milliseconds: the product of a large model takes most of a tiny one's benchmark."""
    monkeypatch.setattr("anomalyclip.bench.ceiling._SHAPE", (137, 128, 256))


@pytest.fixture(scope="session")
def tiny(golden_folder, golden) -> Detector:
    clip = load_clip(golden_folder / "clip_small_openai.safetensors")
    settings = ModelSettings(image_size=70, layers=(2, 4, 6), dpam_blocks=4)
    embeddings = TextEmbeddings(golden["text_features"][0], "golden", "")
    encoder = TorchEncoder(clip.visual.requires_grad_(False), name="tiny", weights_sha256=clip.weights_sha256)
    return Detector(encoder, Words(embeddings, settings), settings)
