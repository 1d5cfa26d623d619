"""From a weights file to a CLIP: infer the architecture, check every key and shape, fill the towers, hash it all."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.formats import Entry, RawWeights, read_weights
from anomalyclip.clip.model import CLIP
from anomalyclip.errors import ConfigError, WeightsError

_VISION = "visual."
_HEAD_WIDTH = 64  # every published CLIP; files of ours carry their head counts


def load_clip(path: str | Path, *, text: bool = True, vision: bool = True) -> CLIP:
    """Load CLIP weights of any known format (see :mod:`anomalyclip.clip.formats`) into fp32 towers, in eval mode.

    Args:
        path: a weights file, or a Hugging Face model folder.
        text: False leaves the text tower out (``clip.text is None``): constants replace it after training.
        vision: False leaves the vision tower without memory, on torch's "meta" device, until :func:`load_vision`.

    Returns:
        A frozen :class:`CLIP`; ``clip.weights_sha256`` identifies the weights of both towers whatever the file format.

    Raises:
        WeightsError: unreadable file, or unknown, missing or misshaped keys (all listed).
    """
    raw, clip = _outline(path)
    if not text:
        clip.text = None
    digest = _Digest()
    _fill(clip, raw, lambda name: vision or not name.startswith(_VISION), digest)
    clip.weights_sha256 = digest.hexdigest()
    return clip.eval().requires_grad_(False)


def load_vision(clip: CLIP, path: str | Path) -> None:
    """Fill the vision tower that ``load_clip(path, vision=False)`` left empty.

    With the text tower used and dropped in between, the two are never in memory together.

    Raises:
        WeightsError: as :func:`load_clip`, or the file describes another architecture by now.
    """
    raw, outline = _outline(path)
    if outline.config != clip.config:
        raise WeightsError(f"{raw.path} was replaced while it was being read; run again")
    _fill(clip, raw, lambda name: name.startswith(_VISION))
    clip.visual.eval().requires_grad_(False)


def _outline(path: str | Path) -> tuple[RawWeights, CLIP]:
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
    state: dict[str, Tensor] = {}
    for name in sorted(raw.entries if digest else wanted):  # one at a time: the peak stays near the model's own size
        tensor = raw.entries[name].load()
        if digest is not None:
            digest.add(name, tensor)
        if name in wanted:
            state[wanted[name]] = tensor.to(torch.float32, copy=True, memory_format=torch.contiguous_format)
        del tensor
    clip.load_state_dict(state, strict=False, assign=True)


def save_clip(path: str | Path, clip: CLIP, *, dtype: torch.dtype = torch.float16) -> None:
    """Write both towers as safetensors with OpenAI's names and the configuration in the header."""
    from safetensors.torch import save_file

    tensors = {
        CLIP.file_name(name): tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in clip.state_dict().items()
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


def infer_config(raw: RawWeights) -> CLIPConfig:
    """The architecture from the tensors' shapes, or from the configuration that files of ours carry.

    Raises:
        WeightsError: a tensor needed for the inference is missing or has too few dimensions.
    """
    try:
        if "clip_config" in raw.hints:
            return CLIPConfig.from_dict(raw.hints["clip_config"])
        return _config_from_shapes(raw)
    except KeyError as error:
        raise WeightsError(f"{raw.path} lacks {error.args[0]}; expected a whole CLIP with both towers") from error
    except (ConfigError, IndexError, ValueError) as error:
        raise WeightsError(f"{raw.path}: the tensors' shapes describe no CLIP ({error})") from error


def _config_from_shapes(raw: RawWeights) -> CLIPConfig:
    entries, hints = raw.entries, raw.hints
    width, _, patch, _ = entries["visual.conv1.weight"].shape
    grid = round((entries["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    context, text_width = entries["positional_embedding"].shape
    vision = VisionConfig(
        image_size=patch * grid,
        patch_size=patch,
        width=width,
        layers=_depth(entries, "visual.transformer"),
        heads=hints.get("vision_heads", width // _HEAD_WIDTH),
    )
    text = TextConfig(
        context_length=context,
        vocab_size=entries["token_embedding.weight"].shape[0],
        width=text_width,
        layers=_depth(entries, "transformer"),
        heads=hints.get("text_heads", text_width // _HEAD_WIDTH),
    )
    activation = hints.get("activation", "quick_gelu")
    return CLIPConfig(entries["visual.proj"].shape[1], vision, text, activation)


def _depth(entries: Mapping[str, Entry], prefix: str) -> int:
    pattern = re.compile(re.escape(prefix) + r"\.resblocks\.(\d+)\.")
    numbers = {int(match.group(1)) for match in map(pattern.match, entries) if match}
    return max(numbers, default=-1) + 1


def _shorten(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
