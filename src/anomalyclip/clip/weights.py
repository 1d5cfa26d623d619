"""From a weights file to a CLIP: check every key, shape and number, fill the towers, hash it all."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.clip.architecture import infer_config
from anomalyclip.clip.blocks import Block
from anomalyclip.clip.config import CLIPConfig
from anomalyclip.clip.formats import RawWeights, read_weights
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.text import TokenRows
from anomalyclip.errors import WeightsError
from anomalyclip.io.names import printable

_VISION, _BLOCKS = "visual.", "visual.transformer.resblocks."


def load_clip(
    path: str | os.PathLike[str],
    *,
    text: bool = True,
    vision: bool = True,
    tokens: Callable[[CLIP], Tensor] | None = None,
) -> CLIP:
    """Load CLIP weights of any known format (see :mod:`anomalyclip.clip.formats`) into fp32 towers, in eval mode.

    Args:
        path: a weights file, or a model's folder; :class:`~anomalyclip.clip.facts.KnownWeights` adds what is known of
            weights that do not say how they are to be read.
        text: False leaves the text tower out (``clip.text is None``): constants replace it after training.
        vision: False leaves the vision tower without memory, on torch's "meta" device, until :func:`load_vision`.
        tokens: the ids that the text tower will be given, from the model while it has no weights yet: of the token
            table only their rows are kept (152 MB less for ViT-L). None keeps all.

    Returns:
        A frozen :class:`CLIP`; ``clip.weights_sha256`` identifies both towers, and how their weights are read, whatever
        the file format.

    Raises:
        WeightsError: unreadable file; unknown, missing or misshaped keys (all listed); NaN or infinity in a weight; or
            nobody says with which heads and activation the weights work.
    """
    raw, clip = _outline(path)
    if not text:
        clip.text = None
    elif tokens is not None:
        config = clip.config.text
        clip.text_tower().token_embedding = TokenRows(tokens(clip), config.vocab_size, config.width)
    digest = _Digest()
    _fill(clip, raw, lambda name: vision or not name.startswith(_VISION), digest)
    clip.tensors_sha256 = digest.hexdigest()
    clip.weights_sha256 = identity(clip.tensors_sha256, clip.config)
    return clip.eval().requires_grad_(False)


def load_vision(clip: CLIP, path: str | os.PathLike[str]) -> None:
    """Fill the vision tower that ``load_clip(path, vision=False)`` left empty.

    With the text tower used and dropped in between, the two are never in memory together.

    Raises:
        WeightsError: as :func:`load_clip`, or the file describes another architecture by now.
    """
    _fill(clip, _again(clip, path), lambda name: name.startswith(_VISION))
    clip.visual.eval().requires_grad_(False)


def vision_blocks(clip: CLIP, path: str | os.PathLike[str]) -> Iterator[Block]:
    """:func:`load_vision` block by block, all else of the tower first; gives each block when it is filled.

    Whoever drops a block's weights before asking for the next one never holds those of two.
    """
    raw = _again(clip, path)
    _fill(clip, raw, lambda name: name.startswith(_VISION) and not name.startswith(_BLOCKS))
    clip.visual.eval().requires_grad_(False)
    for number, block in enumerate(clip.visual.transformer.resblocks):
        own = f"{_BLOCKS}{number}."
        _fill(clip, raw, lambda name, own=own: name.startswith(own))  # type: ignore[misc]
        block.requires_grad_(False)
        yield block  # type: ignore[misc]  # torch's list does not tell of what


def _again(clip: CLIP, path: str | os.PathLike[str]) -> RawWeights:
    raw, outline = _outline(path)
    if outline.config != clip.config:
        raise WeightsError(f"{raw.path} was replaced while it was being read; run again")
    return raw


def _outline(path: str | os.PathLike[str]) -> tuple[RawWeights, CLIP]:
    """The file's checked entries, and its architecture without memory."""
    raw = read_weights(path)
    config = infer_config(raw)
    with torch.device("meta"):
        clip = CLIP(config)
    check_keys(raw, {CLIP.file_name(name): tuple(tensor.shape) for name, tensor in clip.state_dict().items()})
    return raw, clip


def _fill(clip: CLIP, raw: RawWeights, chosen: Callable[[str], bool], digest: _Digest | None = None) -> None:
    """Assign the chosen parameters that ``clip`` has; with a digest, all of the file is read and added to it."""
    wanted = {CLIP.file_name(name): name for name in clip.state_dict() if chosen(name)}
    rows = _kept_rows(clip)
    state: dict[str, Tensor] = {}
    for name in sorted(raw.entries if digest else wanted):  # one at a time: the peak stays near the model's own size
        tensor = raw.entries[name].load()
        if digest is not None:
            check_finite(name, tensor, raw.path)
            digest.add(name, tensor)
        if name in wanted:
            kept = tensor[rows[name]] if name in rows else tensor
            state[wanted[name]] = kept.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
            del kept
        del tensor
    clip.load_state_dict(state, strict=False, assign=True)


def _kept_rows(clip: CLIP) -> dict[str, Tensor]:
    """By the file's name of a tensor, the rows that are taken of it."""
    table = None if clip.text is None else clip.text.token_embedding
    return {"token_embedding.weight": table.tokens} if isinstance(table, TokenRows) else {}


def check_finite(name: str, tensor: Tensor, path: Path) -> None:
    """Refuse what no arithmetic can make a score of: 8 bits turn NaN into an ordinary number.

    Raises:
        WeightsError: the tensor is not of floating-point numbers, or one of them is not finite in float32.
    """
    if not tensor.is_floating_point() or tensor.element_size() < 2:
        raise WeightsError(f"{path}: {name} is stored as {tensor.dtype}; expected float16, bfloat16 or float32")
    if not tensor.numel():
        return
    low, high = (
        float(each.to(torch.float32)) for each in torch.aminmax(tensor.detach())
    )  # either is NaN where any number is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise WeightsError(f"{path}: {name} holds NaN or infinity; the file is damaged or its training failed")


def identity(tensors_sha256: str, config: CLIPConfig) -> str:
    """What identifies a CLIP: its tensors, and how they are read where OpenAI's own code would read them otherwise.

    The same tensors with another activation, other heads or other pixels give other features: prompts learned on the
    one, and cached features of it, do not belong to the other.
    """
    if config.is_openais_reading():
        return tensors_sha256
    told = json.dumps(config.reading(), sort_keys=True)
    return hashlib.sha256(f"{tensors_sha256}\n{told}".encode()).hexdigest()


def save_clip(
    path: str | Path, clip: CLIP, *, dtype: torch.dtype = torch.float16, unrounded: Collection[str] = ()
) -> None:
    """Write both towers as safetensors with OpenAI's names and the configuration in the header.

    ``unrounded``: names of tensors that keep the precision that they are held in.
    """
    from safetensors.torch import save_file

    named = {CLIP.file_name(name): tensor.detach() for name, tensor in clip.state_dict().items()}
    tensors = {
        name: tensor.to("cpu", tensor.dtype if name in unrounded else dtype).contiguous()
        for name, tensor in named.items()
    }
    save_file(tensors, str(path), metadata={"clip_config": json.dumps(clip.config.to_dict()), "format": "pt"})


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """sha256 of a state dict's content: sorted names, shapes and fp16 values, so fp16 and fp32 copies agree."""
    digest = _Digest()
    for name in sorted(state):
        digest.add(name, state[name])
    return digest.hexdigest()


class _Digest:
    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, name: str, tensor: Tensor) -> None:
        self._sha.update(f"{name}:{tuple(tensor.shape)}\n".encode())
        values = tensor.detach().to("cpu", torch.float16).contiguous()
        self._sha.update(values.numpy().astype("<f2", copy=False).tobytes())

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


def check_keys(raw: RawWeights, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Compare names and shapes with those the architecture needs; one error lists everything that differs."""
    missing = sorted(set(expected) - set(raw.entries))
    unknown = sorted(set(raw.entries) - set(expected))
    wrong = [
        f"{name} {raw.entries[name].shape} instead of {shape}"
        for name, shape in sorted(expected.items())
        if name in raw.entries and raw.entries[name].shape != shape
    ]
    problems = [
        f"{title}: {_shorten(names)}"
        for title, names in (("missing", missing), ("unknown", unknown), ("misshaped", wrong))
        if names
    ]
    if problems:
        raise WeightsError(f"{raw.path} does not describe one CLIP; " + "; ".join(problems))


def _shorten(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(printable(name[:120]) for name in names[:most]) + more
