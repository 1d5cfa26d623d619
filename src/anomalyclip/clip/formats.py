"""The weight formats users have, brought to one: OpenAI's names, tensors read one at a time.

TorchScript archive (OpenAI), plain state dict (.pt/.pth/.bin), safetensors, open_clip, Hugging Face ``CLIPModel``
folder or file. Nothing is unpickled beyond tensors.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anomalyclip.clip.archive import is_torchscript, read_torchscript
from anomalyclip.errors import WeightsError

# What some files carry beside the weights; none of it is a parameter.
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask", "text.attn_mask")
_HF_FILES = ("model.safetensors", "pytorch_model.bin")
_OPEN_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class Entry:
    """A tensor not read yet: its shape, and how to read it."""

    shape: tuple[int, ...]
    load: Callable[[], Tensor]


@dataclass(frozen=True)
class RawWeights:
    """A weights file with OpenAI's names, and what else the file says about the architecture."""

    path: Path
    entries: dict[str, Entry]
    hints: dict[str, Any] = field(default_factory=dict)


def read_weights(path: str | Path) -> RawWeights:
    """Open a weights file or folder in any known format.

    Raises:
        WeightsError: missing, unreadable, of no known format, or with keys of no known naming.
    """
    path = Path(path)
    file, hints = _locate(path)
    entries = _strip(_open(file))
    if any(name.startswith(("vision_model.", "text_model.")) for name in entries):
        entries = _from_huggingface(entries, file)
    if not any(name.startswith("visual.") for name in entries):
        shown = ", ".join(sorted(entries)[:5]) or "no tensors"
        raise WeightsError(
            f"{file} holds no CLIP image encoder (found {shown}); expected OpenAI, open_clip or Hugging Face names"
        )
    return RawWeights(file, entries, hints | _metadata(file))


def _locate(path: Path) -> tuple[Path, dict[str, Any]]:
    """The weights file and the hints of a config file beside it."""
    if not path.exists():
        raise WeightsError(f"the weights {path} do not exist; give a file or a Hugging Face model folder")
    if path.is_file():
        beside = path.parent / "config.json" if path.name in _HF_FILES else path.parent / "open_clip_config.json"
        return path, _config_hints(beside) if path.name in (*_HF_FILES, *_OPEN_CLIP_FILES) else {}
    for name in (*_HF_FILES, *_OPEN_CLIP_FILES):
        if (path / name).is_file():
            return _locate(path / name)
    raise WeightsError(f"the folder {path} holds none of {', '.join((*_HF_FILES, *_OPEN_CLIP_FILES))}")


def _config_hints(path: Path) -> dict[str, Any]:
    """Activation and head counts from a Hugging Face or open_clip config file, if there is one."""
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is not readable JSON ({error}); remove it or download it again") from error
    if "model_cfg" in config:  # open_clip
        return {"activation": "quick_gelu" if config["model_cfg"].get("quick_gelu") else "gelu"}
    hints: dict[str, Any] = {}
    for tower in ("vision", "text"):
        part = config.get(f"{tower}_config") or {}
        if "num_attention_heads" in part:
            hints[f"{tower}_heads"] = int(part["num_attention_heads"])
        if "hidden_act" in part:
            hints["activation"] = part["hidden_act"]
    return hints


def _open(path: Path) -> dict[str, Entry]:
    """Entries under the file's own names; the format is told by content, not by suffix."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if head[8:9] == b"{":
            return _open_safetensors(path)
        if head[:2] == b"PK" and is_torchscript(path):
            return {
                name: Entry(tensor.shape, partial(tensor.load, path)) for name, tensor in read_torchscript(path).items()
            }
        return _open_pickled(path)
    except (OSError, ValueError, EOFError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} is not a readable weights file ({reason}); "
            "expected safetensors, a TorchScript archive or a state dict"
        ) from error


def _open_safetensors(path: Path) -> dict[str, Entry]:
    from safetensors import SafetensorError, safe_open

    try:
        handle: Any = safe_open(path, framework="pt")
        names: list[str] = list(handle.keys())
    except SafetensorError as error:
        raise WeightsError(f"{path} is a damaged safetensors file ({error}); download it again") from error
    return {name: Entry(_shape(handle, name), partial(_read_tensor, path, name)) for name in names}


def _shape(handle: Any, name: str) -> tuple[int, ...]:
    return tuple(handle.get_slice(name).get_shape())


def _read_tensor(path: Path, name: str) -> Tensor:
    """One tensor from a mapping of its own: what was read of a file stays resident until its mapping is closed."""
    from safetensors import safe_open

    handle: Any = safe_open(path, framework="pt")
    tensor: Tensor = handle.get_tensor(name)
    return tensor


def _open_pickled(path: Path) -> dict[str, Entry]:
    loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    for key in ("state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    tensors = (
        {name: value for name, value in loaded.items() if isinstance(value, Tensor)} if isinstance(loaded, dict) else {}
    )
    return {name: Entry(tuple(tensor.shape), partial(_same, tensor)) for name, tensor in tensors.items()}


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _strip(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Remove the prefixes of wrappers (DistributedDataParallel, open_clip's CustomTextCLIP) and what is no weight."""
    out = {}
    for name, entry in entries.items():
        name = name.removeprefix("module.")
        if name in _NOT_WEIGHTS or name.endswith(("position_ids", "rotary_emb.inv_freq")):
            continue
        out[name.removeprefix("text.")] = entry
    return out


def _metadata(path: Path) -> dict[str, Any]:
    """Our own files carry the whole configuration in the safetensors header."""
    with path.open("rb") as file:
        if file.read(9)[8:9] != b"{":
            return {}
    from safetensors import safe_open

    handle: Any = safe_open(path, framework="pt")
    metadata = handle.metadata() or {}
    if "clip_config" not in metadata:
        return {}
    return {"clip_config": json.loads(metadata["clip_config"])}


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


def _from_huggingface(entries: Mapping[str, Entry], path: Path) -> dict[str, Entry]:
    """Rename, transpose the projections and join q, k, v."""
    out: dict[str, Entry] = {}
    for name, entry in entries.items():
        if ".self_attn.k_proj." in name or ".self_attn.v_proj." in name:
            continue  # joined when their q_proj comes
        if name in _HF_TRANSPOSED:
            out[_HF_TRANSPOSED[name]] = Entry(entry.shape[::-1], partial(_transposed, entry))
        elif ".self_attn.q_proj." in name:
            out[_renamed(name).replace(".self_attn.q_proj.", ".attn.in_proj_")] = _joined(entries, name, path)
        else:
            out[_renamed(name)] = entry
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
    rows = sum(part.shape[0] for part in parts)
    return Entry((rows, *parts[0].shape[1:]), partial(_concatenated, parts))


def _transposed(entry: Entry) -> Tensor:
    return entry.load().T.contiguous()


def _concatenated(parts: Iterable[Entry]) -> Tensor:
    return torch.cat([part.load() for part in parts])
