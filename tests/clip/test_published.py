"""The table of published architectures against what open_clip itself publishes, restated here field by field."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.facts import Given, KnownWeights
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.clip.published import OPEN_CLIP, published_facts
from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import WeightsError

# embed_dim; image_size, layers, width, head_width, patch_size, mlp_ratio of the image; width, heads, layers of the text
CONFIGS = {
    "ViT-B-32": (512, (224, 12, 768, 64, 32, 4.0), (512, 8, 12)),
    "ViT-B-32-256": (512, (256, 12, 768, 64, 32, 4.0), (512, 8, 12)),
    "ViT-B-16": (512, (224, 12, 768, 64, 16, 4.0), (512, 8, 12)),
    "ViT-B-16-plus-240": (640, (240, 12, 896, 64, 16, 4.0), (640, 10, 12)),
    "ViT-B-32-plus-256": (640, (256, 12, 896, 64, 32, 4.0), (640, 10, 12)),
    "ViT-L-14": (768, (224, 24, 1024, 64, 14, 4.0), (768, 12, 12)),
    "ViT-L-14-336": (768, (336, 24, 1024, 64, 14, 4.0), (768, 12, 12)),
    "ViT-H-14": (1024, (224, 32, 1280, 80, 14, 4.0), (1024, 16, 24)),
    "ViT-H-14-378": (1024, (378, 32, 1280, 80, 14, 4.0), (1024, 16, 24)),
    "ViT-g-14": (1024, (224, 40, 1408, 88, 14, 4.3637), (1024, 16, 24)),
    "ViT-bigG-14": (1280, (224, 48, 1664, 104, 14, 4.9231), (1280, 20, 32)),
    "ViT-e-14": (1280, (224, 56, 1792, 112, 14, 8.5715), (1280, 20, 36)),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_architectures(name):
    embed, (side, layers, width, head_width, patch, ratio), text = CONFIGS[name]
    found = OPEN_CLIP[name]
    assert (found.embed_dim, found.image_size, found.patch_size) == (embed, side, patch)
    assert (found.widths, found.layers) == ((width, text[0]), (layers, text[2]))
    assert found.heads == (width // head_width, text[1])
    assert found.mlp_width == int(width * ratio)


@pytest.mark.parametrize(
    ("name", "activation", "mean"),
    [
        ("open_clip:ViT-B-16", "gelu", 0.48145466),
        ("open_clip:ViT-B-16-quickgelu", "quick_gelu", 0.48145466),
        ("open_clip:ViT-L-14/laion2b_s32b_b82k", "gelu", 0.5),
        ("open_clip:ViT-L-14/openai", "quick_gelu", 0.48145466),
        ("openai:ViT-B-32", "quick_gelu", 0.48145466),
        ("openai:ViT-L/14", "quick_gelu", 0.48145466),
        ("openai:ViT-L/14@336px", "quick_gelu", 0.48145466),
    ],
)
def test_names(name, activation, mean):
    facts = published_facts(name)
    assert {facts.vision.activation, facts.text.activation} == {activation}
    assert facts.preprocessing.mean[0] == mean


@pytest.mark.parametrize(
    "name", ["open_clip:RN50", "ViT-B-16", "hub:ViT-B-16", "open_clip:", "open_clip:ViT-B-16-SigLIP"]
)
def test_unknown_names(name):
    with pytest.raises(WeightsError, match=r"no published model .* is known"):
        published_facts(name)


SMALL = "ViT-S-32-alt"  # the smallest whose weights can be made here


@pytest.fixture(scope="module")
def lone_file(tmp_path_factory):
    """Weights of a published shape, less most of the vocabulary, in a file that stands alone."""
    vision = VisionConfig(224, 32, 384, 12, 6)
    with torch.device("meta"):
        clip = CLIP(CLIPConfig(256, vision, TextConfig(77, 600, 256, 10, 4)))
    state = {CLIP.file_name(name): torch.zeros(tensor.shape) for name, tensor in clip.state_dict().items()}
    path = tmp_path_factory.mktemp("lone") / "any.safetensors"
    save_file(state, path)
    return path


def test_heads_are_known_where_every_published_model_of_the_shape_has_them(lone_file):
    with pytest.raises(WeightsError, match=rf"does not say the activation, .*open_clip:{SMALL}"):
        load_clip(lone_file)
    config = load_clip(KnownWeights(lone_file, Given("gelu"))).config
    assert (config.vision.heads, config.text.heads) == (6, 4)
    assert config.vision.told_by == f"given: activation gelu; heads as open_clip:{SMALL} has them"


def test_name_of_the_published_model(lone_file):
    config = load_clip(KnownWeights(lone_file, Given(published=f"open_clip:{SMALL}-quickgelu"))).config
    assert (config.vision.heads, config.activation, config.text.activation) == (6, "quick_gelu", "quick_gelu")
    with pytest.raises(WeightsError, match=r"says .*the weights have"):
        load_clip(KnownWeights(lone_file, Given(published="open_clip:ViT-B-32")))
    assert config.vision.preprocessing == Preprocessing()
