from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from anomalyclip.clip.model import CLIP
from anomalyclip.errors import OutputError, PromptError
from anomalyclip.prompts import (
    PromptLearner,
    PromptMetadata,
    load_prompts,
    read_published,
    save_prompts,
    save_published,
    with_text_features,
)


@pytest.fixture
def state(golden_path: Path) -> dict[str, Any]:
    loaded = torch.load(golden_path / "epoch_1.pth", weights_only=True)
    return dict(loaded["prompt_learner"])


def write(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def test_golden_checkpoint(golden_path: Path, golden_clip: CLIP, golden: dict[str, torch.Tensor]) -> None:
    prompts = load_prompts(golden_path / "epoch_1.pth")
    assert prompts.kind == "published"
    settings = prompts.settings
    assert (settings.n_ctx, settings.depth, settings.deep_length) == (12, 5, 4)
    assert settings.round_deep_to_half
    assert read_published(golden_path / "epoch_1.pth").settings == settings
    assert prompts.metadata.text_width == 128
    assert prompts.metadata.backbone is None
    assert prompts.metadata.layers is None  # the preset belongs to ViT-L only
    text = golden_clip.text_tower()
    features = prompts.build_learner(text, golden_clip.tokenizer()).text_features(text)
    torch.testing.assert_close(features, golden["text_features"][0], atol=1e-5, rtol=0)
    exact = read_published(golden_path / "epoch_1.pth", round_deep_to_half=False)
    unrounded = exact.build_learner(text, golden_clip.tokenizer()).text_features(text)
    assert (unrounded - golden["text_features"][0]).abs().max() > 1e-5
    assert exact.sha256 != prompts.sha256


def vit_l_state(depth: int = 9) -> dict[str, torch.Tensor]:
    """Shapes of the real published files: width 768, context 77."""
    torch.manual_seed(0)
    state = {"ctx_pos": torch.randn(1, 1, 12, 768), "ctx_neg": torch.randn(1, 1, 12, 768)}
    for side, words in (("pos", [14115, 269]), ("neg", [13568, 14115, 269])):
        ids = torch.zeros(1, 1, 77, dtype=torch.int32)
        row = [49406, *[343] * 12, *words, 49407]
        ids[0, 0, : len(row)] = torch.tensor(row)
        state[f"tokenized_prompts_{side}"] = ids
        state[f"token_prefix_{side}"] = torch.randn(1, 1, 1, 768)
        state[f"token_suffix_{side}"] = torch.randn(1, 1, 64, 768)
    for index in range(depth - 1):
        state[f"compound_prompts_text.{index}"] = torch.randn(4, 768)
        state[f"compound_prompt_projections.{index}.weight"] = torch.zeros(896, 768)
        state[f"compound_prompt_projections.{index}.bias"] = torch.zeros(896)
    return state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_preset_of_vit_l(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {name: value.to(dtype) if value.is_floating_point() else value for name, value in vit_l_state().items()}
    prompts = read_published(write(tmp_path / "epoch_15.pth", {"prompt_learner": state}))
    assert (prompts.settings.n_ctx, prompts.settings.depth, prompts.settings.deep_length) == (12, 9, 4)
    meta = prompts.metadata
    assert (meta.layers, meta.image_size, meta.dpam, meta.dpam_blocks) == ((24,), 518, "vv", 19)
    assert (meta.sigma, meta.tau, meta.embed_dim) == (4.0, 0.07, 768)
    assert set(prompts.tensors) == {"ctx_pos", "ctx_neg", *(f"compound_prompts_text.{index}" for index in range(8))}
    assert all(value.dtype == torch.float32 for value in prompts.tensors.values())
    assert torch.equal(prompts.tensors["ctx_pos"], state["ctx_pos"].float())


def test_more_than_ten_deep_prompts_keep_their_order(tmp_path: Path) -> None:
    state = vit_l_state(depth=12)
    prompts = read_published(write(tmp_path / "deep.pth", {"prompt_learner": state}))
    assert prompts.settings.depth == 12
    assert torch.equal(prompts.tensors["compound_prompts_text.10"], state["compound_prompts_text.10"])


def test_no_deep_prompts(tmp_path: Path) -> None:
    prompts = read_published(write(tmp_path / "flat.pth", {"prompt_learner": vit_l_state(depth=1)}))
    assert prompts.settings.depth == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("ctx_neg"), "missing ctx_neg"),
        (lambda s: s.pop("compound_prompts_text.1"), r"missing compound_prompts_text\.1; unknown .*text\.3"),
        (lambda s: s.update(prompt_mlp=torch.zeros(2)), "unknown prompt_mlp"),
        (lambda s: s.update({"compound_prompts_text.x": torch.zeros(2)}), r"unknown compound_prompts_text\.x"),
        (lambda s: s.update({"compound_prompt_projections.evil": torch.zeros(2)}), "unknown .*evil"),
        (lambda s: s.update(ctx_pos=torch.zeros(12)), "ctx_pos"),
        (lambda s: s.update(ctx_pos=torch.zeros(1, 1, 11, 128)), "ctx_neg|shape"),
        (lambda s: s.update(ctx_pos=torch.zeros(2, 1, 12, 128)), "ctx_pos has shape"),
        (lambda s: s.update(ctx_pos=torch.zeros(1, 1, 12, 128, dtype=torch.int64)), "int64"),
        (lambda s: s["ctx_pos"].fill_(float("inf")), "NaN or infinite"),
        (lambda s: s.update({"compound_prompts_text.2": torch.zeros(4, 127)}), r"compound_prompts_text\.2"),
        (lambda s: s.update({"compound_prompts_text.0": torch.zeros(99, 128)}), "deep_length 99"),
        (lambda s: s.update(token_suffix_neg=torch.zeros(1, 1, 63, 128)), r"token_suffix_neg \(1, 1, 63, 128\)"),
        (lambda s: s.update(tokenized_prompts_pos=torch.zeros(1, 1, 77)), "token ids of type"),
        (lambda s: s.update(tokenized_prompts_pos=torch.tensor(3)), "wrong shape"),
        (lambda s: s.update(ctx_pos=torch.zeros(1, 1, 1, 1).expand(1, 1, 10**6, 10**6)), "numbers"),
        (lambda s: s.update(ctx_pos="text"), "not named tensors: ctx_pos"),
        (lambda s: s.update({7: torch.zeros(1)}), "not named tensors: 7"),
    ],
)
def test_wrong_keys_and_shapes_are_listed(state: dict[str, Any], tmp_path: Path, change: Any, message: str) -> None:
    change(state)
    with pytest.raises(PromptError, match=message):
        load_prompts(write(tmp_path / "odd.pth", {"prompt_learner": state}))


@pytest.mark.parametrize("content", [{}, {"model": {}}, [1, 2], torch.zeros(3), {"prompt_learner": [1]}, "text"])
def test_other_checkpoints_are_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="does not hold"):
        load_prompts(write(tmp_path / "odd.pth", content))


def test_without_projections(state: dict[str, Any], tmp_path: Path, golden_path: Path) -> None:
    lean = {name: value for name, value in state.items() if "projections" not in name}
    prompts = load_prompts(write(tmp_path / "lean.pth", {"prompt_learner": lean}))
    assert prompts.sha256 == load_prompts(golden_path / "epoch_1.pth").sha256


class Bomb:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


class Shell:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("kind", [Bomb, Shell])
@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_with_code_are_refused_unrun(state: dict[str, Any], tmp_path: Path, kind: Any, protocol: int) -> None:
    trace = tmp_path / "trace"
    content = {"prompt_learner": {**state, "ctx_pos": kind(trace)}}
    path = write(tmp_path / "evil.pth", content, pickle_protocol=protocol)
    with pytest.raises(PromptError, match="refused"):
        load_prompts(path)
    assert not trace.exists()


def test_harmless_looking_globals_are_refused(state: dict[str, Any], tmp_path: Path) -> None:
    # bytearray is on torch's own list of safe names, and can ask for any amount of memory
    with pytest.raises(PromptError, match="bytearray"):
        load_prompts(write(tmp_path / "odd.pth", {"prompt_learner": {**state, "x": bytearray(4)}}))


def archive(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, data in entries.items():
            target.writestr(name, data)
    return path


def test_zip_bombs_are_refused_before_they_unfold(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "bomb.pth", {"a/data.pkl": b"\0" * (80 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 2**20
    with pytest.raises(PromptError, match="compressed, or too large"):
        load_prompts(bomb)
    small = archive(tmp_path / "small.pth", {"a/data.pkl": b"\0" * 1000}, zipfile.ZIP_DEFLATED)
    with pytest.raises(PromptError, match="compressed"):
        load_prompts(small)
    many = archive(tmp_path / "many.pth", {f"a/{index}": b"" for index in range(1001)})
    with pytest.raises(PromptError, match="too large"):
        load_prompts(many)
    wide = archive(tmp_path / "wide.pth", {"a/data.pkl": b"\0" * (2 * 2**20)})
    with pytest.raises(PromptError, match=r"one small data\.pkl"):
        load_prompts(wide)


def test_archives_without_tensors(tmp_path: Path) -> None:
    for index, entries in enumerate(
        (
            {},
            {"word/document.xml": b"<xml/>"},
            {"a/data.pkl": b""},
            {"a/data.pkl": b"garbage"},
            {"a/data.pkl": pickle.dumps({"prompt_learner": {}}, protocol=2)},
            {"a/data.pkl": pickle.dumps({"prompt_learner": {}}, protocol=2), "b/data.pkl": b"."},
        )
    ):
        with pytest.raises(PromptError):
            load_prompts(archive(tmp_path / f"{index}.pth", entries))


def test_truncated_checkpoints(golden_path: Path, tmp_path: Path) -> None:
    data = (golden_path / "epoch_1.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for length in (4, 100, 5000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(PromptError):
            load_prompts(path)


def test_old_style_pickles_are_refused(state: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "old.pth", {"prompt_learner": state}, _use_new_zipfile_serialization=False)
    with pytest.raises(PromptError, match=r"torch.save of before version 1\.6"):
        load_prompts(path)
    with pytest.raises(PromptError, match="damaged"):
        read_published(path)


def test_other_words_are_noticed(state: dict[str, Any], tmp_path: Path, golden_clip: CLIP, golden_path: Path) -> None:
    text, tokenizer = golden_clip.text_tower(), golden_clip.tokenizer()
    path = golden_path / "epoch_1.pth"
    with pytest.raises(PromptError, match=r"other words than 'bottle\.'"):
        read_published(path, normal_words="bottle.").build_learner(text, tokenizer)
    read_published(path, normal_words="object.").build_learner(text, tokenizer)


def test_round_trip_to_the_authors_format(
    golden_clip: CLIP, golden_path: Path, state: dict[str, Any], tmp_path: Path
) -> None:
    first = load_prompts(golden_path / "epoch_1.pth")
    learner = first.build_learner(golden_clip.text_tower(), golden_clip.tokenizer())
    path = tmp_path / "again.pth"
    save_published(path, learner)
    written = torch.load(path, weights_only=True)["prompt_learner"]
    assert set(written) == set(state)  # load_state_dict of the authors is strict
    for name, value in state.items():
        assert written[name].shape == value.shape
        assert written[name].dtype == value.dtype
        if "projections" not in name:
            assert torch.equal(written[name], value), name
    assert load_prompts(path).sha256 == first.sha256


def test_published_prompts_can_become_ours(golden_clip: CLIP, golden_path: Path, tmp_path: Path) -> None:
    published = load_prompts(golden_path / "epoch_1.pth")
    text = golden_clip.text_tower()
    features = published.build_learner(text, golden_clip.tokenizer()).text_features(text)
    metadata = PromptMetadata(
        backbone="small", weights_sha256=golden_clip.weights_sha256, text_width=128, embed_dim=64, layers=(6,)
    )
    save_prompts(tmp_path / "ours.safetensors", with_text_features(published, features, metadata))
    ours = load_prompts(tmp_path / "ours.safetensors")
    assert ours.kind == "anomalyclip"
    assert ours.settings == published.settings
    assert all(torch.equal(ours.tensors[name], value) for name, value in published.tensors.items())
    assert ours.text_features is not None
    assert torch.equal(ours.text_features, features.detach())


def test_unwritable(learner: PromptLearner, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_published(tmp_path, learner)


def test_bytes_of_a_file_object_are_enough(golden_path: Path) -> None:
    # guards the test helpers: the golden file is a real torch.save archive
    assert zipfile.is_zipfile(io.BytesIO((golden_path / "epoch_1.pth").read_bytes()))
