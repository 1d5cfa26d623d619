from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.errors import PromptError
from anomalyclip.prompts import Backbone, PromptFile, check_backbone, load_prompts

table_of = torch.nn.Embedding.from_pretrained
OURS = Backbone("tiny", "ab" * 32, text_width=32, text_layers=3, embed_dim=16)


def test_the_right_backbone_passes(prompts: PromptFile) -> None:
    check_backbone(prompts, OURS)
    check_backbone(prompts, replace(OURS, name="a path", weights_sha256=None))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weights_sha256": "cd" * 32}, "weights abababababab, this backbone has cdcdcdcdcdcd"),
        ({"text_width": 64}, "32 wide, its text tower is 64"),
        ({"embed_dim": 24}, "have 16 numbers, its embeddings 24"),
        ({"text_layers": 2}, "2 deep prompts"),
    ],
)
def test_another_backbone_is_refused_by_name(prompts: PromptFile, change: dict[str, object], reason: str) -> None:
    other = replace(OURS, name="vit-b-16", **change)  # type: ignore[arg-type]
    with pytest.raises(PromptError, match=reason) as caught:
        check_backbone(prompts, other)
    assert "learned on tiny, not on vit-b-16" in str(caught.value)


def test_as_many_blocks_as_the_depth_are_enough(prompts: PromptFile) -> None:
    assert prompts.settings.depth == 3
    check_backbone(prompts, replace(OURS, text_layers=3))


def test_published_on_its_own_backbone(golden_clip: CLIP, golden_path: Path) -> None:
    prompts = load_prompts(golden_path / "epoch_1.pth")
    backbone = Backbone.of(golden_clip, "small")
    assert backbone.weights_sha256 == golden_clip.weights_sha256
    check_backbone(prompts, backbone)
    assert backbone.token_embedding is not None
    for dtype in (torch.float16, torch.bfloat16):  # a rounded copy of the same backbone is the same backbone
        check_backbone(prompts, replace(backbone, token_embedding=table_of(backbone.token_embedding.weight.to(dtype))))


def test_published_on_another_backbone_of_equal_width(golden_clip: CLIP, golden_path: Path) -> None:
    prompts = load_prompts(golden_path / "epoch_1.pth")
    other = Backbone.of(random_clip(golden_clip.config, seed=9), "other")
    with pytest.raises(PromptError, match=r"token embeddings .* differ") as caught:
        check_backbone(prompts, other)
    assert "vit-l-14-336" in str(caught.value)
    assert "not on other" in str(caught.value)


def test_one_strange_token_is_enough(golden_clip: CLIP, golden_path: Path) -> None:
    prompts = load_prompts(golden_path / "epoch_1.pth")
    table = golden_clip.text_tower().token_embedding.weight.detach().clone()
    table[13568] += 0.01  # "damaged"
    with pytest.raises(PromptError, match="differ"):
        check_backbone(prompts, replace(Backbone.of(golden_clip, "x"), token_embedding=table_of(table)))


def test_small_vocabularies_and_shallow_towers(golden_clip: CLIP, golden_path: Path) -> None:
    prompts = load_prompts(golden_path / "epoch_1.pth")
    backbone = Backbone.of(golden_clip, "x")
    with pytest.raises(PromptError, match="49407, the vocabulary has 100"):
        check_backbone(prompts, replace(backbone, token_embedding=table_of(torch.zeros(100, 128))))
    check_backbone(prompts, replace(backbone, text_layers=5))
    with pytest.raises(PromptError, match="4 deep prompts"):
        check_backbone(prompts, replace(backbone, text_layers=4))
    with pytest.raises(PromptError, match="128 wide"):
        check_backbone(prompts, replace(backbone, text_width=768))


def test_without_a_text_tower_only_widths_are_compared(golden_clip: CLIP, golden_path: Path) -> None:
    bare = random_clip(golden_clip.config, seed=9)
    bare.text = None
    backbone = Backbone.of(bare, "bare")
    assert backbone.token_embedding is None
    assert backbone.weights_sha256 is None
    check_backbone(load_prompts(golden_path / "epoch_1.pth"), backbone)
