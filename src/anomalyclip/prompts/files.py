"""Prompt files: our safetensors format, and one door that also reads the authors' ``.pth``.

Layout of our format: the learned tensors under their checkpoint names, ``text_features``, and one metadata string,
key ``anomalyclip.prompts``, holding JSON ``{"format": 1, "settings": {...}, "metadata": {...}}``.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from anomalyclip.clip.safetensors_header import read_header
from anomalyclip.clip.wrappings import bare, bare_name
from anomalyclip.errors import AnomalyClipError, PromptError, WeightsError
from anomalyclip.io.json_objects import whole_number
from anomalyclip.io.refused_kinds import refused_kind
from anomalyclip.prompts.bounded import read_bounded, write_file
from anomalyclip.prompts.content import CTX_NAMES, PromptFile
from anomalyclip.prompts.metadata import HEADS_KEY, LINEAR_KEY, METADATA_KEY, PromptMetadata, check_ranges
from anomalyclip.prompts.published import from_state, learned, parse_published
from anomalyclip.prompts.settings import PromptSettings
from anomalyclip.settings.scoring import without_later

FORMAT_VERSION = 1
_ZIP_MAGIC = b"PK\x03\x04"


def save_prompts(path: str | Path, prompts: PromptFile) -> None:
    """Write ``prompts`` in our format, atomically and reproducibly (equal content gives equal bytes).

    Raises:
        PromptError: there are no final text embeddings, or the metadata is not plain JSON.
        OutputError: the file cannot be written.
    """
    from safetensors.torch import save

    if prompts.text_features is None:
        raise PromptError(
            "a prompt file holds the final text embeddings (2, E); compute them first (with_text_features)"
        )
    header = {
        "format": FORMAT_VERSION,
        "settings": asdict(prompts.settings),
        "metadata": without_later(asdict(prompts.metadata)),
    }
    try:
        text = json.dumps(header, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PromptError(f"the prompts' metadata must be plain JSON values: {error}") from error
    _read_header(text, str(path))  # what is written must be readable
    tensors = {name: value.contiguous() for name, value in prompts.tensors.items()}
    tensors["text_features"] = prompts.text_features.contiguous()
    write_file(path, save(tensors, {METADATA_KEY: text}))


def load_prompts(path: str | Path) -> PromptFile:
    """Read a prompt file of ours or of the authors; the content decides, not the name.

    Raises:
        PromptError: missing, empty, too large, damaged, or neither format.
    """
    data = read_bounded(path)
    if data.startswith(_ZIP_MAGIC):
        return parse_published(data, str(path))
    return _parse(data, str(path))


def with_text_features(prompts: PromptFile, text_features: Tensor, metadata: PromptMetadata) -> PromptFile:
    """The same prompts in our format with final embeddings (2, E): turns a published file into one of ours."""
    final = text_features.detach().float().cpu().clone()
    return replace(
        prompts, kind="anomalyclip", metadata=metadata, text_features=final, token_ids=None, token_embeddings=None
    )


def _parse(data: bytes, path: str) -> PromptFile:
    from safetensors import SafetensorError
    from safetensors.torch import load

    text = _metadata_text(data, path)
    try:
        tensors = load(data)
        if text is None:  # a checkpoint of the authors, saved as safetensors
            return from_state(learned(bare(tensors)), path)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise PromptError(f"the prompt file {path} is damaged ({error}); fetch or save it again") from error
    header = _read_header(text, path)
    final = tensors.pop("text_features", None)
    if final is None:
        raise PromptError(f"the prompt file {path} lacks the tensor text_features; save it again with save_prompts")
    return PromptFile("anomalyclip", header.settings, header.metadata, _as_float32(tensors), final.float(), path=path)


def _as_float32(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


def _metadata_text(data: bytes, path: str) -> str | None:
    """Our metadata string out of the checked safetensors header; None for tensors of the authors' learner."""
    if len(data) < 9 or data[8:9] != b"{":
        raise PromptError(f"{path} is no prompt file: {_what_it_is(data)}")
    try:
        header = read_header(io.BytesIO(data), len(data), path)
        metadata = header.metadata
    except WeightsError as error:
        raise PromptError(f"the prompt file {error}") from error
    if METADATA_KEY in metadata:
        return metadata[METADATA_KEY]
    if HEADS_KEY in metadata:
        raise PromptError(f"{path} holds learned heads, not prompts; use them with --prompts heads:{path}")
    if LINEAR_KEY in metadata:
        raise PromptError(
            f"{path} holds the linear layers of VAND, not prompts; that baseline is judged by"
            f" anomalyclip evaluate DATA --prompts vand:{path}"
        )
    if any(bare_name(name).endswith(CTX_NAMES) for name in header.tensors):
        return None
    raise PromptError(
        f"{path} is no prompt file: its header lacks {METADATA_KEY!r};"
        " a plain safetensors file holds weights, pass it as the model instead"
    )


def _what_it_is(data: bytes) -> str:
    expected = "expected our .safetensors or the authors' .pth"
    if data[:1] == b"\x80":
        return "it is a pickle (torch.save of before version 1.6); load it where it comes from and save it again"
    kind = refused_kind(data[:264])
    return expected if kind is None else f"it is {kind.name}; {kind.own_remedy or expected}"


@dataclass(frozen=True)
class _Header:
    format: int
    settings: PromptSettings
    metadata: PromptMetadata


def _read_header(text: str, path: str) -> _Header:
    from pydantic import Field, TypeAdapter, ValidationError

    try:
        raw = json.loads(text, parse_int=whole_number)
    except (ValueError, RecursionError) as error:
        raise PromptError(f"the metadata of {path} is not JSON ({error}); the file is damaged") from error
    version = raw.get("format") if isinstance(raw, dict) else None
    if version != FORMAT_VERSION:
        raise PromptError(
            f"{path} has prompt format {version!r}, this version reads {FORMAT_VERSION}; upgrade anomalyclip"
        )
    try:
        header = TypeAdapter(Annotated[_Header, Field()]).validate_json(text, strict=True)
    except (ValidationError, AnomalyClipError) as error:
        raise PromptError(f"the metadata of {path} is not valid: {error}") from error
    check_ranges(header.metadata, path)
    return header
