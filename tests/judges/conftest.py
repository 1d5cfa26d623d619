"""The golden small CLIP and a pair of embeddings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anomalyclip.clip.model import CLIP
from anomalyclip.clip.weights import load_clip
from anomalyclip.judges.text import TextEmbeddings


@pytest.fixture(scope="session")
def clip(golden_folder: Path) -> CLIP:
    return load_clip(golden_folder / "clip_small_openai.safetensors")


@pytest.fixture(scope="session")
def images(golden) -> torch.Tensor:
    return torch.from_numpy(golden["images"])


def embeddings(seed: int, name: str = "words") -> TextEmbeddings:
    pair = torch.randn(2, 64, generator=torch.Generator().manual_seed(seed))
    return TextEmbeddings(torch.nn.functional.normalize(pair, dim=-1).numpy(), name, f"{seed:064}")


@pytest.fixture
def words() -> TextEmbeddings:
    return embeddings(0, "winclip-ensemble:nut")


@pytest.fixture
def other_words() -> TextEmbeddings:
    return embeddings(1, "winclip-ensemble:wood")
