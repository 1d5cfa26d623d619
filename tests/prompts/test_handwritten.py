from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.clip.model import CLIP
from anomalyclip.errors import PromptError
from anomalyclip.prompts import ENSEMBLES, NAMES, Ensemble, ensemble_text_features, get_ensemble

COUNTS = {"clip": (1, 1), "clip-ac": (80, 80), "winclip-ensemble": (7 * 21, 4 * 21), "april-gan-ensemble": (245, 175)}


def test_golden_reference_ensemble(golden_clip: CLIP, golden: dict[str, torch.Tensor]) -> None:
    features = ensemble_text_features(golden_clip, golden_clip.tokenizer(), "object", "april-gan-ensemble")
    torch.testing.assert_close(features, golden["ensemble_text_object"], atol=1e-5, rtol=0)


def test_names_and_counts() -> None:
    assert tuple(COUNTS) == NAMES
    for name, counts in COUNTS.items():
        normal, abnormal = ENSEMBLES[name].sentences("bottle")
        assert (len(normal), len(abnormal)) == counts
        assert ENSEMBLES[name].name == name
        assert ENSEMBLES[name].source


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_has_one_slot(name: str) -> None:
    entry = ENSEMBLES[name]
    for text in (*entry.normal_states, *entry.abnormal_states, *entry.templates):
        assert text.count("{}") == 1
    # the published WinCLIP codes count one sentence twice; nothing else is repeated
    repeated = {"winclip-ensemble": 1}.get(name, 0)
    assert len(entry.templates) - len(set(entry.templates)) == repeated


def test_sentences_are_the_plain_composition() -> None:
    for name in ("winclip-ensemble", "april-gan-ensemble"):
        entry = ENSEMBLES[name]
        normal, abnormal = entry.sentences("metal_nut")
        assert normal == [t.format(s.format("metal nut")) for s in entry.normal_states for t in entry.templates]
        assert abnormal == [t.format(s.format("metal nut")) for s in entry.abnormal_states for t in entry.templates]


def test_articles_of_the_two_clip_baselines() -> None:
    normal, abnormal = ENSEMBLES["clip-ac"].sentences("bottle")
    assert "a bad photo of a normal bottle." in normal
    assert "a bad photo of an anomalous bottle." in abnormal
    assert "an anomalous bottle in a video game." in abnormal
    assert "a toy normal bottle." in normal
    assert "a toy anomalous bottle." in abnormal
    assert not any(" a anomalous" in f" {sentence}" for sentence in abnormal)
    assert sum(" an anomalous" in f" {sentence}" for sentence in abnormal) == sum(
        " a {}" in f" {template}" for template in ENSEMBLES["clip-ac"].templates
    )


def test_articles_change_before_the_phrase_only() -> None:
    entry = Ensemble(
        "t", "test", ("old {}",), ("bad {}",), ("a {}", "pizza {} a", "a big {}", "in a {}"), articles=True
    )
    assert entry.sentences("axe")[0] == ["an old axe", "pizza old axe a", "a big old axe", "in an old axe"]
    assert entry.sentences("axe")[1] == ["a bad axe", "pizza bad axe a", "a big bad axe", "in a bad axe"]


def test_braces_in_class_names_are_only_text() -> None:
    assert ENSEMBLES["clip"].sentences("part {0} {x}")[0] == ["a photo of a normal part {0} {x}"]


@pytest.mark.parametrize("class_name", ["", "  ", "___"])
def test_empty_class_names_are_refused(class_name: str) -> None:
    with pytest.raises(PromptError, match="class_name"):
        ENSEMBLES["clip"].sentences(class_name)


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(PromptError, match="clip-ac, winclip-ensemble"):
        get_ensemble("coop")


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_features_equal_a_brute_force_mean(small_clip: CLIP, batch_size: int) -> None:
    entry = Ensemble("t", "test", ("good {}", "{}"), ("bad {}",), ("a {}.", "one {} here", "the {}"))
    tokenizer = small_clip.tokenizer()
    features = ensemble_text_features(small_clip, tokenizer, "nut", entry, batch_size=batch_size)
    for row, states in enumerate((entry.normal_states, entry.abnormal_states)):
        total = [0.0] * 16
        for state in states:
            for template in entry.templates:
                sentence = template.replace("{}", state.replace("{}", "nut"))
                vector = small_clip.encode_text(tokenizer.encode_batch([sentence]))[0].tolist()
                length = math.sqrt(sum(value * value for value in vector))
                total = [sum_ + value / length for sum_, value in zip(total, vector, strict=True)]
        length = math.sqrt(sum(value * value for value in total))
        assert features[row].tolist() == pytest.approx([value / length for value in total], abs=1e-5)


@given(name=st.text(alphabet="abc _{}.é", min_size=1, max_size=20))
def test_any_class_name_gives_clean_sentences(name: str) -> None:
    shown = name.replace("_", " ").strip()
    if not shown:
        return
    for side in ENSEMBLES["april-gan-ensemble"].sentences(name):
        assert all(shown in sentence for sentence in side)
