"""Embeddings of hand-written prompts: the mean direction of many sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.prompts.ensembles import Ensemble, get_ensemble
from anomalyclip.prompts.settings import OBJECT


class TextEncoder(Protocol):
    """Anything that turns token ids (B, C) into features (B, E); :class:`anomalyclip.clip.model.CLIP` does."""

    @property
    def encode_text(self) -> Callable[[Tensor], Tensor]: ...


@torch.no_grad()
def ensemble_text_features(
    clip: TextEncoder,
    tokenizer: Tokenizer,
    class_name: str = OBJECT,
    ensemble: Ensemble | str = "clip",
    batch_size: int = 64,
) -> Tensor:
    """One embedding per side: mean of the normalised sentence features, normalised again (CLIP, section 3.1.4).

    Args:
        clip: encodes token ids (B, C) to features (B, E).
        tokenizer: of that CLIP.
        class_name: fills the sentences; "object" for an object-agnostic pair.
        ensemble: one of :data:`anomalyclip.prompts.ENSEMBLES`, or its name.
        batch_size: sentences encoded at once.

    Returns:
        (2, E) on the encoder's device, L2-normalised; index 0 normal, 1 abnormal.

    Raises:
        PromptError: unknown ensemble or empty class name.
        InputError: a sentence does not fit the context length.
    """
    sides = [_mean_direction(clip, tokenizer, side, batch_size) for side in _sentences(ensemble, class_name)]
    return torch.stack(sides)


def ensemble_tokens(tokenizer: Tokenizer, class_name: str = OBJECT, ensemble: Ensemble | str = "clip") -> Tensor:
    """Token ids (N, C) of all sentences that :func:`ensemble_text_features` encodes; raises what that does of them."""
    return tokenizer.encode_batch([sentence for side in _sentences(ensemble, class_name) for sentence in side])


def _sentences(ensemble: Ensemble | str, class_name: str) -> tuple[list[str], list[str]]:
    return (get_ensemble(ensemble) if isinstance(ensemble, str) else ensemble).sentences(class_name)


def _mean_direction(clip: TextEncoder, tokenizer: Tokenizer, sentences: list[str], batch_size: int) -> Tensor:
    device = _device_of(clip)
    parts = []
    for start in range(0, len(sentences), batch_size):
        tokens = tokenizer.encode_batch(sentences[start : start + batch_size]).to(device)
        features = clip.encode_text(tokens)
        parts.append(features / features.norm(dim=-1, keepdim=True))
    mean = torch.cat(parts).mean(dim=0)
    direction: Tensor = mean / mean.norm()
    return direction


def _device_of(clip: TextEncoder) -> torch.device:
    if isinstance(clip, torch.nn.Module):
        return next((parameter.device for parameter in clip.parameters()), torch.device("cpu"))
    return torch.device("cpu")
