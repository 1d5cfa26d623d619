"""Hugging Face's names of a CLIP's tensors, to OpenAI's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.clip.containers import Entry
from anomalyclip.errors import WeightsError

_HF_FIXED = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "logit_scale": "logit_scale",
}
_HF_PREFIXES = {
    "vision_model.pre_layrnorm.": "visual.ln_pre.",
    "vision_model.pre_layernorm.": "visual.ln_pre.",
    "vision_model.post_layernorm.": "visual.ln_post.",
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    "text_model.encoder.layers.": "transformer.resblocks.",
    "text_model.final_layer_norm.": "ln_final.",
}
_HF_PARTS = {
    ".self_attn.out_proj.": ".attn.out_proj.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}
_HF_TRANSPOSED = {"visual_projection.weight": "visual.proj", "text_projection.weight": "text_projection"}


def is_hugging_face(names: Iterable[str]) -> bool:
    """Whether these are Hugging Face's names."""
    return any(name.startswith(("vision_model.", "text_model.")) for name in names)


def from_hugging_face(entries: Mapping[str, Entry], path: Path) -> dict[str, Entry]:
    """OpenAI's names: renamed, the projections transposed, q, k and v joined; raises :class:`WeightsError`."""
    out: dict[str, Entry] = {}
    for name, entry in entries.items():
        if ".self_attn.k_proj." in name or ".self_attn.v_proj." in name:
            continue  # joined when their q_proj comes
        if name in _HF_TRANSPOSED:
            out[_HF_TRANSPOSED[name]] = replace(entry, shape=entry.shape[::-1], load=partial(_transposed, entry))
        elif ".self_attn.q_proj." in name:
            out[_renamed(name).replace(".self_attn.q_proj.", ".attn.in_proj_")] = _joined(entries, name, path)
        else:
            renamed = _renamed(name)
            if renamed in out:
                raise WeightsError(f"{path} holds {renamed} twice, under two names; the file is damaged")
            out[renamed] = entry
    return out


def _renamed(name: str) -> str:
    if name in _HF_FIXED:
        return _HF_FIXED[name]
    for prefix, ours in _HF_PREFIXES.items():
        if name.startswith(prefix):
            name = ours + name[len(prefix) :]
    for part, ours in _HF_PARTS.items():
        name = name.replace(part, ours)
    return name


def _joined(entries: Mapping[str, Entry], q_name: str, path: Path) -> Entry:
    names = [q_name.replace("q_proj", f"{letter}_proj") for letter in "qkv"]
    missing = [name for name in names if name not in entries]
    if missing:
        raise WeightsError(f"{path} lacks {', '.join(missing)}; the file is incomplete, download it again")
    parts = [entries[name] for name in names]
    if len({part.shape for part in parts}) != 1 or not parts[0].shape:
        raise WeightsError(f"{path}: {', '.join(names)} have different shapes; the file is damaged, download it again")
    shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
    return replace(parts[0], shape=shape, load=partial(_concatenated, parts))


def _transposed(entry: Entry) -> Tensor:
    return entry.load().T.contiguous()


def _concatenated(parts: Iterable[Entry]) -> Tensor:
    return torch.cat([part.load() for part in parts])
