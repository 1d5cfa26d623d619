"""Hand-written words lean towards the learned prompts, and these stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.metrics import roc_auc_score

from anomalyclip import load
from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.data.synthetic import FAMILIES, render
from anomalyclip.hub import resolve_model
from anomalyclip.pretraining.leaning import LEANED, lean
from anomalyclip.prompts import PromptLearner, PromptSettings, ensemble_text_features

SENTENCES = ("a photo of a normal object", "a cracked tile", "a photo of a cat", "solder")


@pytest.fixture
def clip() -> CLIP:
    vision = VisionConfig(image_size=32, patch_size=16, width=32, layers=1, heads=2)
    return random_clip(CLIPConfig(24, vision, TextConfig(77, 49408, 32, 2, 2)), seed=3)


def learned(clip: CLIP) -> torch.Tensor:
    text = clip.text_tower()
    with torch.no_grad():
        return PromptLearner(text, clip.tokenizer(), PromptSettings(n_ctx=3, depth=1), seed=1).text_features(text)


def features(clip: CLIP) -> torch.Tensor:
    with torch.no_grad():
        return clip.encode_text(clip.tokenizer().encode_batch(list(SENTENCES)))


def directions(clip: CLIP, pair: torch.Tensor) -> list[float]:
    """Cosine of the two-sentence pair, and of 231 sentences, with the learned one."""
    found = pair[1] - pair[0]
    both = [ensemble_text_features(clip, clip.tokenizer(), ensemble=name) for name in ("clip", "winclip-ensemble")]
    return [float(torch.cosine_similarity(words[1] - words[0], found, dim=0)) for words in both]


def test_words_lean_and_the_learned_pair_stays(clip: CLIP) -> None:
    pair, before, cosines = learned(clip), features(clip), directions(clip, learned(clip))
    projection = clip.text_tower().text_projection.clone()
    lean(clip, pair, 4.0)
    change = (clip.text_tower().text_projection - projection).double()
    assert np.linalg.matrix_rank(change.detach().numpy(), tol=1e-5) == 1
    torch.testing.assert_close(learned(clip), pair, rtol=0, atol=2e-6)
    moved, found = features(clip) - before, torch.nn.functional.normalize(pair[1] - pair[0], dim=0)
    along = moved @ found
    torch.testing.assert_close(moved, along[:, None] * found, rtol=0, atol=1e-5)  # nowhere but along it
    assert along.abs().max() > 1e-3
    assert all(new > old + 0.05 for new, old in zip(directions(clip, pair), cosines, strict=True))


def test_twice_as_much_moves_twice_as_far(clip: CLIP) -> None:
    pair, before = learned(clip), features(clip)
    lean(clip, pair, 0.0)
    assert torch.equal(features(clip), before)
    once, twice = (random_clip(clip.config, seed=3) for _ in range(2))
    lean(once, pair, 1.5)
    lean(twice, pair, 3.0)
    torch.testing.assert_close(features(twice) - before, 2 * (features(once) - before), rtol=1e-3, atol=1e-5)


def test_what_leaned_is_written_unrounded(clip: CLIP, tmp_path: Path) -> None:
    lean(clip, learned(clip), 2.5)
    save_clip(tmp_path / "leaned.safetensors", clip, unrounded=LEANED)
    shipped = resolve_model("pocket", offline=True).weights
    for path in (tmp_path / "leaned.safetensors", shipped):
        with safe_open(path, "np") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        assert {name for name, kind in kinds.items() if kind == "F32"} == set(LEANED)
        assert {kind for name, kind in kinds.items() if name not in LEANED} == {"F16"}
    assert torch.equal(features(load_clip(tmp_path / "leaned.safetensors")), features(rounded_but_leaned(clip)))


def rounded_but_leaned(clip: CLIP) -> CLIP:
    for name, parameter in clip.named_parameters():
        if CLIP.file_name(name) not in LEANED:
            parameter.data = parameter.data.half().float()
    return clip


@pytest.mark.parametrize(
    ("prompts", "dpam"), [("clip", "qk"), ("clip", "vv"), ("clip", "kk"), ("clip-ac", "qk"), ("winclip-ensemble", "qk")]
)
def test_maps_of_words_are_not_inverted_on_any_path(prompts: str, dpam: str) -> None:
    """Of what ships, on faulty renders of families it never saw."""
    model = load("pocket", prompts=prompts, dpam=dpam, image_size=160)
    faulty = [
        render(9_000_000 + seed, 160, anomalous=True, families=(family,))
        for family in list(FAMILIES)[::6]
        for seed in range(2)
    ]
    maps = [model.detect(sample.image).anomaly_map for sample in faulty]
    truth = np.stack([sample.labels > 0 for sample in faulty])
    assert roc_auc_score(truth.ravel()[::7], np.stack(maps).ravel()[::7]) > 0.8
