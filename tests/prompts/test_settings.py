from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.errors import ConfigError
from anomalyclip.prompts import PromptSettings


def test_the_paper_is_the_default() -> None:
    settings = PromptSettings()
    assert (settings.n_ctx, settings.depth, settings.deep_length, settings.n_deep) == (12, 9, 4, 8)
    assert settings.templates == ("X " * 12 + "object.", "X " * 12 + "damaged object.")
    assert settings.round_deep_to_half is False


@given(n_ctx=st.integers(1, 60), depth=st.integers(1, 30), length=st.integers(1, 60))
def test_deep_prompts_never_exceed_the_learned_positions(n_ctx: int, depth: int, length: int) -> None:
    if depth > 1 and length > n_ctx:
        with pytest.raises(ConfigError, match="deep_length"):
            PromptSettings(n_ctx, depth, length)
    else:
        settings = PromptSettings(n_ctx, depth, length)
        assert settings.n_deep == depth - 1
        assert settings.templates[0].split() == ["X"] * n_ctx + ["object."]


@pytest.mark.parametrize("field", ["n_ctx", "depth", "deep_length"])
@pytest.mark.parametrize("value", [0, -1, 513, 10**9, 1.5, "3", None, True])
def test_lengths_out_of_range_are_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        PromptSettings(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["normal_words", "abnormal_words"])
@pytest.mark.parametrize("value", ["", "   ", "a" * 201, None, 3])
def test_words_out_of_range_are_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        PromptSettings(**{field: value})  # type: ignore[arg-type]


def test_rounding_must_be_a_truth_value() -> None:
    with pytest.raises(ConfigError, match="round_deep_to_half"):
        PromptSettings(round_deep_to_half=1)  # type: ignore[arg-type]


def test_object_aware_words() -> None:
    settings = PromptSettings(n_ctx=2, depth=1).for_class("metal_nut")
    assert settings.templates == ("X X metal nut.", "X X damaged metal nut.")
    assert settings.n_ctx == 2
    with pytest.raises(ConfigError, match="class_name"):
        PromptSettings().for_class(" _ ")
