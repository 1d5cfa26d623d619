"""The tiny CLIP of the golden numbers as a model to measure."""

from __future__ import annotations

import pytest
import torch

from anomalyclip.clip.weights import load_clip
from anomalyclip.model import AnomalyCLIP
from anomalyclip.model_settings import ModelSettings
from anomalyclip.text_embeddings import TextEmbeddings


@pytest.fixture(scope="session")
def tiny(golden_folder, golden) -> AnomalyCLIP:
    clip = load_clip(golden_folder / "clip_small_openai.safetensors")
    settings = ModelSettings(image_size=70, layers=(2, 4, 6), dpam_blocks=4)
    embeddings = TextEmbeddings(torch.from_numpy(golden["text_features"][0]), "golden", "")
    return AnomalyCLIP(clip.visual, embeddings, settings, name="tiny", weights_sha256=clip.weights_sha256)
