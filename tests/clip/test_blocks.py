"""What is computed faster must be the same: class token alone, work in place, layers nobody asked for."""

from __future__ import annotations

import pytest
import torch

from anomalyclip.clip.blocks import Block, QuickGELU
from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.vision import VisionTransformer


@pytest.fixture(scope="module")
def visual() -> VisionTransformer:
    config = CLIPConfig(24, VisionConfig(32, 8, 32, 5, 2), TextConfig(16, 600, 32, 2, 2))
    return random_clip(config).visual


@pytest.fixture
def block(visual: VisionTransformer) -> Block:
    return visual.transformer.resblocks[2]  # type: ignore[return-value]


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(2, 7, 32, generator=torch.Generator().manual_seed(0))


def test_quick_gelu_is_the_same_with_and_without_gradients() -> None:
    x = torch.linspace(-9, 9, 101, dtype=torch.float64)
    expected = x / (1 + torch.exp(-1.702 * x))
    torch.testing.assert_close(QuickGELU()(x.clone()), expected)
    with torch.inference_mode():
        torch.testing.assert_close(QuickGELU()(x.clone()), expected)


def test_the_class_token_alone_is_the_first_row(block: Block, tokens: torch.Tensor) -> None:
    torch.testing.assert_close(block(tokens, class_only=True), block(tokens)[:, :1])
    original, local = block.dual(tokens, tokens, "vv")
    first, same_local = block.dual(tokens, tokens, "vv", class_only=True)
    torch.testing.assert_close(first, original[:, :1])
    torch.testing.assert_close(same_local, local)


@pytest.mark.parametrize("gradients", [True, False])
def test_a_block_leaves_its_input_alone(block: Block, tokens: torch.Tensor, gradients: bool) -> None:
    before, local = tokens.clone(), tokens + 1
    with torch.set_grad_enabled(gradients):
        block(tokens)
        block.dual(tokens, local, "vv")
    assert torch.equal(tokens, before)
    assert torch.equal(local, before + 1)


def test_gradients_equal_those_of_the_equation(block: Block, tokens: torch.Tensor) -> None:
    def plain(x: torch.Tensor) -> torch.Tensor:
        h = x + block.attn(block.ln_1(x))
        inner = block.mlp.c_fc(block.ln_2(h))
        return h + block.mlp.c_proj(inner * torch.sigmoid(1.702 * inner))

    ours, theirs = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()
    block(ours).square().sum().backward()
    plain(theirs).square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_residual_stream_stays_fp32_under_autocast(block: Block, tokens: torch.Tensor) -> None:
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        original, local = block.dual(tokens, tokens, "vv")
    assert original.dtype == local.dtype == torch.float32


@pytest.mark.parametrize("mode", ["vv", "qq", "kk", "qk"])
@pytest.mark.parametrize("layers", [(), (2,), (3, 4), (5,), (1, 2, 3, 4, 5)])
def test_asking_for_fewer_layers_changes_none(visual: VisionTransformer, mode: str, layers: tuple[int, ...]) -> None:
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    everything = visual(pixels, layers=range(1, 6), dpam=mode, dpam_blocks=3)
    some = visual(pixels, layers=layers, dpam=mode, dpam_blocks=3)
    torch.testing.assert_close(some.image, everything.image)
    assert set(some.patches) == set(layers)
    for layer in layers:
        torch.testing.assert_close(some.patches[layer], everything.patches[layer])
