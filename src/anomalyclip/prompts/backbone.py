"""Do these prompts belong to this CLIP? Prompts learned on another backbone give scores that look right and are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from anomalyclip.errors import PromptError
from anomalyclip.prompts.content import PromptFile

if TYPE_CHECKING:
    from anomalyclip.clip.model import CLIP

# Rounding the table to fp16 or bf16 moves a value by at most these; another CLIP's values differ by about 1e-2.
_ATOL, _RTOL = 1e-4, 5e-3


@dataclass(frozen=True, eq=False)
class Backbone:
    """What identifies a CLIP to a prompt file.

    Attributes:
        name: for messages.
        weights_sha256: content hash of its weights; ``None`` where unknown.
        text_width: D.
        text_layers: blocks of the text tower.
        embed_dim: E.
        token_embedding: the table, needed for published files; ``None`` skips that comparison.
    """

    name: str
    weights_sha256: str | None
    text_width: int
    text_layers: int
    embed_dim: int
    token_embedding: nn.Embedding | None = None

    @classmethod
    def of(cls, clip: CLIP, name: str) -> Backbone:
        """Of a loaded CLIP; without its text tower, or its weights, the token embeddings cannot be compared."""
        config = clip.config
        table = None if clip.text is None or clip.text.token_embedding.weight.is_meta else clip.text.token_embedding
        sha256 = clip.weights_sha256 or None
        return cls(name, sha256, config.text.width, config.text.layers, config.embed_dim, table)


def check_backbone(prompts: PromptFile, backbone: Backbone) -> None:
    """Refuse prompts that were learned on another CLIP than ``backbone``.

    Widths and depth must fit; then the weights hash decides where both are known, and for published files, which carry
    no hash, the token embeddings they hold are compared with the backbone's.

    Raises:
        PromptError: names both backbones and says what to use instead.
    """
    _check_widths(prompts, backbone)
    recorded = prompts.metadata.weights_sha256
    if recorded and backbone.weights_sha256 and recorded != backbone.weights_sha256:
        raise _refusal(
            prompts,
            backbone,
            f"the file records weights {recorded[:12]}, this backbone has {backbone.weights_sha256[:12]}",
        )
    if prompts.token_ids is not None and backbone.token_embedding is not None:
        _check_token_embeddings(prompts, backbone, backbone.token_embedding)


def _check_widths(prompts: PromptFile, backbone: Backbone) -> None:
    meta = prompts.metadata
    if meta.text_width != backbone.text_width:
        reason = f"the prompts are {meta.text_width} wide, its text tower is {backbone.text_width} wide"
    elif meta.embed_dim is not None and meta.embed_dim != backbone.embed_dim:
        reason = f"the prompts' embeddings have {meta.embed_dim} numbers, its embeddings {backbone.embed_dim}"
    elif prompts.settings.n_deep >= backbone.text_layers:
        reason = f"{prompts.settings.n_deep} deep prompts need more text blocks than its {backbone.text_layers}"
    else:
        return
    raise _refusal(prompts, backbone, reason)


def _check_token_embeddings(prompts: PromptFile, backbone: Backbone, table: nn.Embedding) -> None:
    ids, stored = prompts.token_ids, prompts.token_embeddings
    assert ids is not None  # the caller looked
    if stored is None:
        return
    if int(ids.min()) < 0 or int(ids.max()) >= table.num_embeddings:
        raise _refusal(
            prompts, backbone, f"it uses token {int(ids.max())}, the vocabulary has {table.num_embeddings} tokens"
        )
    fixed = torch.cat([ids[:, :1], ids[:, 1 + prompts.settings.n_ctx :]], dim=1)
    own = table(fixed.to(table.weight.device)).detach().float().cpu()
    if not torch.allclose(own, stored, atol=_ATOL, rtol=_RTOL):
        gap = float((own - stored).abs().max())
        raise _refusal(
            prompts, backbone, f"the token embeddings it holds differ from this backbone's by up to {gap:.2g}"
        )


def _refusal(prompts: PromptFile, backbone: Backbone, reason: str) -> PromptError:
    learned_on = prompts.metadata.backbone or (
        "another CLIP (the authors' published prompts are for vit-l-14-336)"
        if prompts.kind == "published"
        else "an unnamed CLIP"
    )
    return PromptError(
        f"the prompts {prompts.path or 'given'} were learned on {learned_on}, not on {backbone.name}: {reason}."
        f" Scores would be meaningless; use the backbone they were learned on, or prompts learned on {backbone.name}"
    )
