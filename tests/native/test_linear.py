"""Linear layers on our kernel against the textbook in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anomalyclip.clip.attention import linear
from anomalyclip.clip.blocks import Block
from anomalyclip.native import linear as native
from anomalyclip.native.compile import SWITCH
from anomalyclip.native.library import why_not

pytestmark = pytest.mark.skipif(why_not("fp32") is not None, reason=f"no kernels here: {why_not('fp32')}")


def layer(rows: int, inner: int, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(rows)
    shapes = ((rows, inner), (columns, inner), (columns,))
    x, weight, bias = (torch.randn(shape, generator=generator) for shape in shapes)
    return x, weight, bias


def textbook(x: Tensor, weight: Tensor, bias: Tensor | None, quick_gelu: bool) -> Tensor:
    y = x.double() @ weight.double().T + (0 if bias is None else bias.double())
    return y * torch.sigmoid(1.702 * y) if quick_gelu else y


def rounding_of(x: Tensor, weight: Tensor) -> float:
    """What float32 may lose of sums of so many products: their roundings add up like random steps."""
    return 4 * 2**-24 * float(x.norm(dim=-1).max() * weight.norm(dim=-1).max()) + 1e-6


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 400),
    inner=st.sampled_from([16, 48, 512, 528, 1040]),
    columns=st.integers(1, 700),
    biased=st.booleans(),
    quick=st.booleans(),
    team=st.integers(1, 3),
)
def test_it_equals_the_textbook(rows: int, inner: int, columns: int, biased: bool, quick: bool, team: int) -> None:
    x, weight, bias = layer(rows, inner, columns)
    given_bias, before = bias if biased else None, torch.get_num_threads()
    torch.set_num_threads(team)
    try:
        found = native.linear(x, weight, given_bias, quick_gelu=quick)
    finally:
        torch.set_num_threads(before)
    expected = textbook(x, weight, given_bias, quick)
    torch.testing.assert_close(found.double(), expected, atol=rounding_of(x, weight), rtol=2e-6)


def test_memory_that_was_used_before_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = layer(61, 1040, 77)
    expected, plain = native.linear(x, weight, bias), torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, **kw: plain(*shape, **kw).fill_(255 if kw else torch.nan))
    assert torch.equal(native.linear(x, weight, bias), expected)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (50, 768), (1370, 1024), (1370, 4096), (10960, 3072)])
@pytest.mark.parametrize("threads", [1, 2, 3, 16, 64])
def test_pieces_keep_threads_busy_and_small_enough(rows: int, columns: int, threads: int) -> None:
    tall, wide = native._pieces(rows, columns, threads)
    assert tall <= 1536
    assert wide == columns or wide % 96 == 0  # every target's panel
    pieces = -(-rows // tall) * -(-columns // wide)
    assert threads == 1 or pieces >= 2 * threads or max(tall, wide) <= 96


@pytest.mark.parametrize("inner", [32, 768, 1040])
@pytest.mark.parametrize("quick", [False, True])
def test_a_row_is_the_same_whatever_lies_beside_it(inner: int, quick: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, bias = layer(330, inner, 100)
    whole = native.linear(x, weight, bias, quick_gelu=quick)
    for rows in (1, 5, 26, 52, 97, 200):
        for first in (0, 7, 130):
            for threads in (1, 2):
                monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
                part = native.linear(x[first : first + rows], weight, bias, quick_gelu=quick)
                assert torch.equal(part, whole[first : first + rows]), (rows, first, threads)


def test_tokens_of_a_batch_are_rows() -> None:
    x, weight, bias = layer(60, 32, 40)
    found = native.linear(x.view(3, 20, 32).transpose(0, 1), weight, bias)
    assert found.shape == (20, 3, 40)
    torch.testing.assert_close(found.transpose(0, 1).reshape(60, 40), native.linear(x, weight, bias))


class TestWhoTakesIt:
    @pytest.fixture(autouse=True)
    def _as_where_it_is_faster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(native, "multiplies_faster", lambda suffix, features: True)
        monkeypatch.setattr(native, "FEWEST", 256)

    def test_a_block_says_the_same_with_and_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        torch.manual_seed(0)
        block, x, calls = Block(64, 2, "quick_gelu"), torch.randn(2, 50, 64), []
        torch.nn.init.normal_(block.attn.in_proj_weight, std=0.2)
        kernel = native.linear
        monkeypatch.setattr(native, "linear", lambda *a, **kw: (calls.append(kw), kernel(*a, **kw))[1])
        with torch.inference_mode():
            found = block(x)
            assert calls == [{}, {}, {"quick_gelu": True}, {}]
            monkeypatch.setenv(SWITCH, "0")
            torch.testing.assert_close(found, block(x), atol=4e-6, rtol=1e-5)
        torch.testing.assert_close(found, block(x).detach(), atol=4e-6, rtol=1e-5)  # with gradients
        assert len(calls) == 4

    def test_the_rest_goes_to_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x, weight, _ = layer(64, 32, 8)
        assert native.fits(x, weight)
        assert native.fits(x[:1], weight)  # or a picture's numbers would hang on how many share its batch
        assert not native.fits(x[:, :24], weight[:, :24].contiguous())
        assert not native.fits(x, weight.T.contiguous().T)
        assert not native.fits(x.double(), weight.double())
        assert not native.fits(x, weight.half())
        assert not native.fits(x, weight[:7].contiguous())
        monkeypatch.setattr(native, "multiplies_faster", lambda suffix, features: False)
        assert not native.fits(x, weight)

    def test_gradients_come_from_torch(self) -> None:
        x, weight, bias = layer(64, 32, 8)
        weight.requires_grad_()
        linear(x, weight, bias).sum().backward()
        torch.testing.assert_close(weight.grad, x.sum(0).expand(8, -1))
