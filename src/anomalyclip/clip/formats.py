"""The weight formats users have, brought to one: OpenAI's names, tensors read one at a time.

TorchScript archive (OpenAI), plain state dict (.pt/.pth/.bin), safetensors, open_clip, Hugging Face ``CLIPModel``, in a
file, a folder, shards or a hub cache. Nothing is unpickled beyond tensors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from anomalyclip.clip.config import Activation, CLIPConfig
from anomalyclip.clip.containers import Entry, Opened, open_container
from anomalyclip.clip.facts import Facts, Given, KnownWeights
from anomalyclip.clip.foreign import foreign
from anomalyclip.clip.hf_config import hugging_face_facts
from anomalyclip.clip.huggingface import from_hugging_face, is_hugging_face
from anomalyclip.clip.open_clip_config import open_clip_facts
from anomalyclip.clip.places import Place, config_beside, find
from anomalyclip.clip.wrappings import bare_name
from anomalyclip.errors import ConfigError, WeightsError
from anomalyclip.io.json_objects import whole_number
from anomalyclip.io.names import printable

# What some files carry beside the weights; none of it is a parameter.
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask", "text.attn_mask")


@dataclass(frozen=True)
class RawWeights:
    """Weights with OpenAI's names, and what else is known about them.

    Attributes:
        path: for messages.
        entries: name -> tensor, not read yet.
        config: the whole configuration, which files of ours carry.
        facts: what shapes cannot tell, from a config beside the weights.
        given: what the user said.
        activation: what a TorchScript archive's code computes; None where there is none or it does not show.
    """

    path: Path
    entries: dict[str, Entry]
    config: CLIPConfig | None = None
    facts: Facts | None = None
    given: Given = field(default_factory=Given)
    activation: Activation | None = None


def read_weights(path: str | os.PathLike[str]) -> RawWeights:
    """Open a weights file or folder in any known format.

    Raises:
        WeightsError: missing, unreadable, of no known format, with keys of no known naming, or beside a config that
            asks for what this package lacks.
    """
    given = path.given if isinstance(path, KnownWeights) else Given()
    place = find(Path(path))
    opened = [_wanted(open_container(file), names, file) for file, names in place.files.items()]
    entries = _strip(_joined(opened, place))
    if adapter := next((name for name in entries if "lora_" in name or ".base_layer." in name), None):
        raise WeightsError(
            f"{place.path} holds adapters beside its weights ({printable(adapter[:80])}): merge them (merge_and_unload "
            "of PEFT) and save the model anew"
        )
    if told := foreign(entries):
        raise WeightsError(f"{place.path} is not for this package: {told}")
    theirs = is_hugging_face(entries)
    if theirs:
        entries = from_hugging_face(entries, place.path)
    if not any(name.startswith("visual.") for name in entries):
        shown = ", ".join(printable(name[:80]) for name in sorted(entries)[:5]) or "no tensors"
        raise WeightsError(
            f"{place.path} holds no CLIP image encoder (found {shown}); expected OpenAI, open_clip or Hugging Face"
            " names"
        )
    config = _own_config(opened[0], place.path)
    facts = None if config is not None else _facts(place, hugging_face=theirs)
    code = opened[0].code
    return RawWeights(place.path, entries, config, facts, given, None if code is None else _activation_of(code))


def _wanted(opened: Opened, names: frozenset[str] | None, file: Path) -> Opened:
    """The file, or a part of several, which must hold what the index says."""
    if names is not None and (missing := sorted(set(map(bare_name, names)) - set(opened.entries))):
        lacking = ", ".join(printable(name[:80]) for name in missing[:5])
        raise WeightsError(f"{file} lacks {lacking}, which the index says is in it; download it again")
    return opened


def _joined(opened: list[Opened], place: Place) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for one in opened:
        if twice := sorted(set(entries) & set(one.entries)):
            raise WeightsError(f"{place.path}: {', '.join(twice[:5])} stands in two of its parts; download them again")
        entries |= one.entries
    return entries


def _strip(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Remove the prefix of open_clip's ``CustomTextCLIP``, and what is no weight."""
    out: dict[str, Entry] = {}
    for name, entry in entries.items():
        if name in _NOT_WEIGHTS or name.endswith(("position_ids", "rotary_emb.inv_freq")):
            continue
        out[name.removeprefix("text.")] = entry
    return out


def _own_config(opened: Opened, path: Path) -> CLIPConfig | None:
    """Our own files carry the whole configuration in the safetensors header."""
    text = opened.metadata.get("clip_config")
    if text is None:
        return None
    try:
        return CLIPConfig.from_dict(json.loads(text, parse_int=whole_number))
    except (ConfigError, ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise WeightsError(f"{path}: its clip_config is damaged ({reason}); download it again") from error


def _facts(place: Place, *, hugging_face: bool) -> Facts | None:
    beside = config_beside(place, hugging_face=hugging_face)
    return None if beside is None else _read_facts(hugging_face_facts if hugging_face else open_clip_facts, beside)


def _read_facts(read: Callable[[Path], Facts], path: Path) -> Facts:
    try:
        return read(path)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:  # fields of absurd types
        raise WeightsError(f"{path} is no config of a CLIP ({str(error)[:120]}); download it again") from error


def _activation_of(code: str) -> Activation | None:
    """As an archive's code computes it: QuickGELU is a sigmoid there; None where it shows neither, or both."""
    quick, exact = "sigmoid(" in code, "gelu(" in code
    if quick == exact:
        return None
    return "quick_gelu" if quick else "gelu_tanh" if 'approximate="tanh"' in code else "gelu"
