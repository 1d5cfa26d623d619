from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from anomalyclip.clip.model import CLIP
from anomalyclip.errors import OutputError, PromptError
from anomalyclip.prompts import PromptFile, PromptLearner, load_prompts, save_prompts

KEY = "anomalyclip.prompts"


def rewrite(path: Path, change: Any = None, tensors: Any = None) -> Path:
    """The file at ``path`` with its header JSON and tensors changed."""
    with safe_open(str(path), "pt") as stream:
        header = json.loads(stream.metadata()[KEY])
        values = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    if change:
        change(header)
    if tensors:
        tensors(values)
    save_file(values, str(path), {KEY: json.dumps(header)})
    return path


@pytest.fixture
def saved(prompts: PromptFile, tmp_path: Path) -> Path:
    path = tmp_path / "prompts.safetensors"
    save_prompts(path, prompts)
    return path


def test_round_trip_is_bit_exact(prompts: PromptFile, saved: Path) -> None:
    loaded = load_prompts(saved)
    assert loaded.kind == "anomalyclip"
    assert loaded.settings == prompts.settings
    assert loaded.metadata == prompts.metadata
    assert set(loaded.tensors) == set(prompts.tensors)
    assert all(torch.equal(loaded.tensors[name], value) for name, value in prompts.tensors.items())
    assert loaded.text_features is not None
    assert prompts.text_features is not None
    assert torch.equal(loaded.text_features, prompts.text_features)
    assert loaded.sha256 == prompts.sha256
    assert loaded.path == str(saved)


def test_equal_content_gives_equal_bytes(prompts: PromptFile, saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "sub" / "again.safetensors"
    save_prompts(other, load_prompts(saved))
    assert other.read_bytes() == saved.read_bytes()
    assert sorted(p.name for p in other.parent.iterdir()) == ["again.safetensors"]


def test_metadata_is_complete(saved: Path, prompts: PromptFile) -> None:
    with safe_open(str(saved), "pt") as stream:
        header = json.loads(stream.metadata()[KEY])
    assert header["format"] == 1
    assert header["settings"] == asdict(prompts.settings)
    meta = header["metadata"]
    assert meta == {
        "backbone": "tiny",
        "weights_sha256": "ab" * 32,
        "text_width": 32,
        "embed_dim": 16,
        "training": {"data": ["renders"], "images": 12, "recipe": {"lr": 1e-3}},
        "layers": [1, 2],
        "image_size": 64,
        "dpam": "vv",
        "dpam_blocks": 2,
        "sigma": 2.5,
        "tau": 0.05,
        "post_norm_class": False,
        "map_weight": 0.25,
        "method": "anomalyclip",
        "version": meta["version"],
        "created": "2026-11-24T04:00:00+00:00",
    }
    assert meta["version"]


def test_saved_files_are_ordinary_files(saved: Path) -> None:
    plain = saved.with_name("plain")
    plain.write_bytes(b"")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_learner_comes_back(saved: Path, learner: PromptLearner, small_clip: CLIP) -> None:
    loaded = load_prompts(saved)
    again = loaded.build_learner(small_clip.text_tower(), small_clip.tokenizer())
    assert loaded.text_features is not None
    torch.testing.assert_close(
        again.text_features(small_clip.text_tower()).detach(), loaded.text_features, atol=1e-6, rtol=0
    )
    assert all(torch.equal(value, again.learned()[name]) for name, value in learner.learned().items())


def test_hash_follows_content_not_history(prompts: PromptFile) -> None:
    renamed = replace(prompts, metadata=replace(prompts.metadata, created=None, backbone="x"), path="elsewhere")
    assert renamed.sha256 == prompts.sha256
    changed = {name: value.clone() for name, value in prompts.tensors.items()}
    changed["ctx_neg"][0, 0, 0, 0] += 1e-6
    assert replace(prompts, tensors=changed).sha256 != prompts.sha256
    half = replace(prompts, settings=replace(prompts.settings, round_deep_to_half=True))
    assert half.sha256 != prompts.sha256
    assert prompts.text_features is not None
    assert replace(prompts, text_features=prompts.text_features.flip(0)).sha256 != prompts.sha256


def test_a_failed_write_leaves_the_old_file(saved: Path, prompts: PromptFile, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_prompts(saved, prompts)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_unwritable_places(prompts: PromptFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        save_prompts(tmp_path / "file" / "p.safetensors", prompts)
    with pytest.raises(OutputError, match="cannot write"):
        save_prompts(tmp_path, prompts)


def test_metadata_must_be_json(prompts: PromptFile, tmp_path: Path) -> None:
    for value in (float("nan"), {1, 2}, object()):
        odd = replace(prompts, metadata=replace(prompts.metadata, training={"x": value}))
        with pytest.raises(PromptError, match="JSON"):
            save_prompts(tmp_path / "p", odd)
    with pytest.raises(PromptError, match="final text embeddings"):
        save_prompts(tmp_path / "p", replace(prompts, text_features=None))
    with pytest.raises(PromptError, match="sigma"):
        save_prompts(tmp_path / "p", replace(prompts, metadata=replace(prompts.metadata, sigma=-1.0)))
    assert list(tmp_path.iterdir()) == []


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="no prompt file at"):
        load_prompts(tmp_path / "none")
    with pytest.raises(PromptError, match="cannot read"):
        load_prompts(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptError, match="pipe"):
        load_prompts(tmp_path / "pipe")
    with pytest.raises(PromptError, match=r"cannot read|no prompt file"):
        load_prompts("nul\0name")
    for content, message in (
        (b"", "is empty"),
        (b"abc", "expected our .safetensors"),
        (b"\xff" * 100, "expected our .safetensors"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "expected our .safetensors"),
        ((90).to_bytes(8, "little") + b"[" * 90, "expected our .safetensors"),
        ((2).to_bytes(8, "little") + b"{}", "header lacks"),
        ((2).to_bytes(8, "little") + b"[]", "expected our .safetensors"),
    ):
        path = tmp_path / "odd"
        path.write_bytes(content)
        with pytest.raises(PromptError, match=message):
            load_prompts(path)


def test_weights_are_not_prompts(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"visual.proj": torch.zeros(4, 4)}, str(path))
    with pytest.raises(PromptError, match="pass it as the model"):
        load_prompts(path)


def test_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.truncate(200 * 2**20)  # sparse: no space used
    with pytest.raises(PromptError, match="larger than 64 MiB"):
        load_prompts(path)


def test_every_truncation_is_a_clear_error(saved: Path) -> None:
    data = saved.read_bytes()
    for length in (*range(0, 40), *range(40, len(data), 97), len(data) - 1):
        saved.write_bytes(data[:length])
        with pytest.raises(PromptError):
            load_prompts(saved)


def test_newer_formats_ask_for_an_upgrade(saved: Path) -> None:
    with pytest.raises(PromptError, match=r"format 2, .*upgrade"):
        load_prompts(rewrite(saved, lambda header: header.update(format=2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h["settings"].update(n_ctx="4"), "n_ctx"),
        (lambda h: h["settings"].update(n_ctx=0), "n_ctx"),
        (lambda h: h["settings"].update(depth=10**9), "depth"),
        (lambda h: h["settings"].update(depth=4), r"compound_prompts_text\.2 is missing"),
        (lambda h: h["settings"].update(depth=2), r"compound_prompts_text\.1 is not expected"),
        (lambda h: h["settings"].update(deep_length=3), r"shape \(2, 32\) instead of \(3, 32\)"),
        (lambda h: h["metadata"].pop("text_width"), "text_width"),
        (lambda h: h["metadata"].update(text_width=31), r"\(1, 1, 4, 32\) instead of \(1, 1, 4, 31\)"),
        (lambda h: h["metadata"].update(embed_dim=17), "text_features"),
        (lambda h: h["metadata"].update(layers=[]), "layers"),
        (lambda h: h["metadata"].update(layers=[0]), "layers"),
        (lambda h: h["metadata"].update(layers="all"), "layers"),
        (lambda h: h["metadata"].update(image_size=10**6), "image_size"),
        (lambda h: h["metadata"].update(dpam="xx"), "dpam"),
        (lambda h: h["metadata"].update(dpam_blocks=-1), "dpam_blocks"),
        (lambda h: h["metadata"].update(sigma=-1), "sigma"),
        (lambda h: h["metadata"].update(map_weight=1.5), "map_weight"),
        (lambda h: h["metadata"].update(sigma=float("nan")), "metadata"),
        (lambda h: h["metadata"].update(tau=0), "tau"),
        (lambda h: h.pop("settings"), "settings"),
    ],
)
def test_wrong_metadata_is_named(saved: Path, change: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        load_prompts(rewrite(saved, change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("ctx_pos"), "ctx_pos is missing"),
        (lambda t: t.pop("text_features"), "text_features"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra is not expected"),
        (lambda t: t.update(ctx_pos=torch.zeros(1, 1, 4, 32, dtype=torch.int64)), "int64"),
        (lambda t: t["ctx_neg"].fill_(float("nan")), "ctx_neg holds NaN"),
        (lambda t: t["text_features"].mul_(3), "norms"),
        (lambda t: t.update(text_features=torch.tensor(1.0)), "text_features"),
    ],
)
def test_wrong_tensors_are_named(saved: Path, change: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        load_prompts(rewrite(saved, tensors=change))


def test_metadata_of_the_wrong_kind(saved: Path) -> None:
    for text, message in (("[]", "format None"), ("{", "not JSON"), ("[" * 20000, "not JSON|format")):
        save_file({"x": torch.zeros(1)}, str(saved), {KEY: text})
        with pytest.raises(PromptError, match=message):
            load_prompts(saved)
