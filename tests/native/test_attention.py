"""The float32 attention kernel against the textbook in float64."""

from __future__ import annotations

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from anomalyclip.clip.attention import SelfAttention, plain_inference
from anomalyclip.native import attention as native
from anomalyclip.native import threads
from anomalyclip.native.compile import SWITCH
from anomalyclip.native.library import why_not

pytestmark = pytest.mark.skipif(why_not("fp32") is not None, reason=f"no kernels here: {why_not('fp32')}")


def packed(B: int, N: int, heads: int, width: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(B, N, 3 * heads * width, generator=torch.Generator().manual_seed(seed))


def attend(x: Tensor, heads: int, a: int, b: int, queries: int) -> Tensor:
    """The kernel, a part of every value given as its bias."""
    bias = torch.linspace(-1, 1, x.shape[-1])
    return native.attention(x - bias, bias, heads, a, b, queries)


def textbook(x: Tensor, heads: int, a: int, b: int, queries: int) -> Tensor:
    """softmax(A B^T / sqrt(d)) V, written out in float64."""
    B, N, D3 = x.shape
    parts = x.double().view(B, N, 3, heads, D3 // 3 // heads).permute(2, 0, 3, 1, 4)
    weights = (parts[a] @ parts[b].transpose(-1, -2) / (D3 // 3 // heads) ** 0.5).softmax(dim=-1)
    return (weights @ parts[2]).transpose(1, 2).flatten(2)[:, :queries]


def rounding_of(x: Tensor, heads: int, a: int, b: int) -> float:
    """What float32 may lose: half a unit of the largest score in the exponent, times the largest value, four times.

    1,500 random shapes on AVX2 lose 2.2 of the four at most; a bound without the scores' size is broken by chance.
    """
    B, N, D3 = x.shape
    parts = x.double().view(B, N, 3, heads, D3 // 3 // heads).permute(2, 0, 3, 1, 4)
    scores = parts[a] @ parts[b].transpose(-1, -2) / (D3 // 3 // heads) ** 0.5
    return 4 * 2**-24 * (1 + float(scores.abs().max())) * max(float(parts[2].abs().max()), 1.0)


@settings(max_examples=40, deadline=None)
@given(
    B=st.integers(1, 3),
    N=st.integers(1, 600),
    heads=st.integers(1, 3),
    width=st.sampled_from([32, 64, 96]),
    a=st.integers(0, 2),
    b=st.integers(0, 2),
    few=st.booleans(),
    scale=st.sampled_from([0.0, 0.1, 1.0, 3.0]),
    team=st.integers(1, 3),
)
def test_it_equals_the_textbook(
    B: int, N: int, heads: int, width: int, a: int, b: int, few: bool, scale: float, team: int
) -> None:
    x, queries = packed(B, N, heads, width, scale, seed=N), 1 if few else N
    before = torch.get_num_threads()
    torch.set_num_threads(team)
    try:
        with torch.no_grad():
            found = attend(x, heads, a, b, queries)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(
        found.double(), textbook(x, heads, a, b, queries), atol=rounding_of(x, heads, a, b), rtol=0
    )


def test_scores_far_apart_neither_overflow_nor_vanish() -> None:
    x = packed(1, 700, 1, 32, scale=30.0)  # scores of thousands: each row is one key
    x[0, 650, 32:64] *= 8  # the largest score comes in the last block, after earlier ones were summed
    found = attend(x, 1, 0, 1, 700)
    assert found.isfinite().all()
    torch.testing.assert_close(found.double(), textbook(x, 1, 0, 1, 700), atol=2e-2, rtol=1e-3)


@pytest.mark.parametrize("most", [1.0, 3.0, 9.0, 30.0])
def test_rows_of_all_lengths_attend_to_themselves(most: float) -> None:
    """Symmetric scores are halved by length: of rows further apart than floats can tell, all of them are made."""
    x = packed(2, 300, 2, 32) * torch.linspace(0, most, 300)[:, None]
    found, limit = attend(x, 2, 2, 2, 300), rounding_of(x, 2, 2, 2)
    assert found.isfinite().all()
    torch.testing.assert_close(found.double(), textbook(x, 2, 2, 2, 300), atol=limit, rtol=0)


def test_memory_that_was_used_before_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x = packed(2, 45, 2, 32)
    expected = attend(x, 2, 2, 2, 45)
    plain = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, **kw: plain(*shape, **kw).fill_(255 if kw else torch.nan))
    assert torch.equal(attend(x, 2, 2, 2, 45), expected)


@pytest.mark.parametrize("team", [True, False], ids=["torch's threads", "our threads"])
def test_both_kinds_of_threads_do_all_of_it(team: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, before = packed(1, 64, 5, 32), torch.get_num_threads()
    if team and threads._torch_team() is None:
        pytest.skip("torch does not run on libgomp here")
    if not team:
        monkeypatch.setattr(threads, "_torch_team", lambda: None)
    torch.set_num_threads(3)
    try:
        found = attend(x, 5, 0, 1, 64)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found.double(), textbook(x, 5, 0, 1, 64), atol=2e-6, rtol=0)


def test_a_forked_process_makes_threads_of_its_own() -> None:
    assert threads._helpers(1, os.getpid()) is threads._helpers(1, os.getpid())
    assert threads._helpers(1, os.getpid()) is not threads._helpers(1, os.getpid() + 1)


class TestWhoTakesIt:
    def layer_of(self, x: Tensor, heads: int = 2, causal: bool = False) -> tuple[Tensor, SelfAttention]:
        torch.manual_seed(0)
        layer = SelfAttention(x.shape[-1], heads)
        torch.nn.init.normal_(layer.in_proj_weight, std=0.1)
        torch.nn.init.normal_(layer.in_proj_bias)
        return layer(x, causal=causal), layer

    def test_the_layer_uses_it_and_says_the_same_without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        x = packed(2, 70, 1, 32)[..., :64]
        calls: list[int] = []
        kernel = native.attention
        monkeypatch.setattr(native, "attention", lambda *a: (calls.append(1), kernel(*a))[1])
        with torch.inference_mode():
            found, _ = self.layer_of(x)
            monkeypatch.setenv(SWITCH, "0")
            without, _ = self.layer_of(x)
        assert calls == [1]
        torch.testing.assert_close(found, without, atol=4e-6, rtol=0)

    def test_gradients_come_from_torch(self) -> None:
        assert not plain_inference(packed(1, 8, 2, 32))
        with torch.no_grad():
            assert plain_inference(packed(1, 8, 2, 32))
            assert not plain_inference(torch.nn.Parameter(packed(1, 8, 2, 32), requires_grad=False))
            assert not plain_inference(packed(1, 8, 2, 32).to("meta"))
            with torch.autocast("cpu", torch.bfloat16):
                assert not plain_inference(packed(1, 8, 2, 32))

    def test_other_types_go_to_torch(self) -> None:
        assert native.fits(torch.zeros(1, 8, 64), 2)
        assert not native.fits(torch.zeros(1, 8, 64).double(), 2)

    def test_heads_it_is_not_made_for_go_to_torch(self) -> None:
        assert not native.fits(torch.zeros(1, 8, 64), 4)  # 16 wide
        assert not native.fits(torch.zeros(1, 8, 288), 1)

    @pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
    def test_a_trace_holds_operators_of_torch(self) -> None:
        layer = SelfAttention(64, 2).eval().requires_grad_(False)
        torch.nn.init.normal_(layer.in_proj_weight)
        with torch.no_grad():
            traced = torch.jit.trace(layer, packed(1, 8, 1, 64)[..., :64], check_trace=False)
        assert "scaled_dot_product_attention" in str(traced.inlined_graph)
