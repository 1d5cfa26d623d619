"""QuickGELU with its bias against the textbook in float64."""

from __future__ import annotations

import pytest
import torch

from anomalyclip.clip.blocks import Block
from anomalyclip.native import activation as native
from anomalyclip.native.compile import SWITCH
from anomalyclip.native.library import why_not

pytestmark = pytest.mark.skipif(why_not("fp32") is not None, reason=f"no kernels here: {why_not('fp32')}")


@pytest.mark.parametrize(("rows", "width"), [(1, 16), (15, 32), (16, 64), (33, 48), (100, 16)])
def test_it_equals_the_textbook_in_place(rows: int, width: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    x, bias = (20 * torch.randn(*shape, generator=generator) for shape in ((rows, width), (width,)))
    y = x.double() + bias.double()
    expected = y * torch.sigmoid(1.702 * y)
    found = native.quick_gelu_(x, bias)
    assert found is x
    torch.testing.assert_close(x.double(), expected, atol=1e-6, rtol=2e-6)


def test_the_far_ends_are_finite() -> None:
    x = torch.tensor([-1e30, -500.0, -88.0, 0.0, 88.0, 500.0, 1e30, 1.0] * 2).view(1, 16)
    expected = x.double() * torch.sigmoid(1.702 * x.double())
    torch.testing.assert_close(native.quick_gelu_(x, torch.zeros(16)).double(), expected, atol=1e-6, rtol=1e-6)


def test_a_block_says_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    block, x = Block(64, 2, "quick_gelu"), torch.randn(2, 50, 64)
    torch.nn.init.normal_(block.attn.in_proj_weight, std=0.2)
    with torch.inference_mode():
        found = block(x)
        monkeypatch.setenv(SWITCH, "0")
        torch.testing.assert_close(found, block(x), atol=2e-6, rtol=1e-5)
    with_gradients = block(x)
    torch.testing.assert_close(found, with_gradients.detach(), atol=2e-6, rtol=1e-5)
