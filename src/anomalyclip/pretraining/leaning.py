"""Hand-written words lean towards what the learned prompts found (docs/pocket-log.md, run 42).

The text tower learned from captions, which describe whole pictures. What tells a damaged patch from its neighbours on
the Q-K path lies along another direction: the learned prompts find it, while the difference of two sentences may point
away from it, and its maps are then inverted.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from anomalyclip.clip.model import CLIP
from anomalyclip.prompts.ensembles import ENSEMBLES
from anomalyclip.prompts.handwritten import ensemble_text_features

LEANED = ("text_projection",)
"""What :func:`lean` changes: half precision would move text features by 1e-4 to 2e-4 of their length."""


@torch.no_grad()
def lean(clip: CLIP, learned: Tensor, amount: float) -> None:
    """Add ``amount`` (u f) d to every text feature f: a change of rank one of the text projection.

    d is the direction from the learned normal to the learned abnormal feature; u, of length 1, the mean direction from
    normal to abnormal of the ensembles of sentences, less what of it lies in the plane of the two learned features: so
    that these, and with them every score of the learned prompts, stay as they are.

    Args:
        clip: with its text tower, which is changed.
        learned: (2, E) text features [normal, abnormal] of prompts learned on ``clip``.
        amount: 0 changes nothing.
    """
    tokenizer, text = clip.tokenizer(), clip.text_tower()
    pairs = [ensemble_text_features(clip, tokenizer, ensemble=ensemble) for ensemble in ENSEMBLES.values()]
    plane, _ = torch.linalg.qr(learned.double().T)
    apart = F.normalize(torch.stack([abnormal - normal for normal, abnormal in pairs]).double(), dim=-1)
    beside = F.normalize(apart - apart @ plane @ plane.T, dim=-1)
    words = F.normalize(beside.sum(dim=0), dim=0)
    found = F.normalize((learned[1] - learned[0]).double(), dim=0)
    change = amount * torch.outer(text.text_projection.double() @ words, found)
    text.text_projection.add_(change.to(text.text_projection.dtype))
