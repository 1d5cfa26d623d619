"""Object-aware prompts: one learner's vectors with every class's name (CoOp, and AnomalyCLIP's ablation)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anomalyclip.clip.text import TextTransformer
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.prompts.learner import PromptLearner, tokenize_templates


class ClassPrompts(nn.Module):
    """The pair of prompts of every class; what is learned is shared by all classes.

    Args:
        learner: holds the learned vectors; its settings' words say "object" where a class's name goes.
        text, tokenizer: of the CLIP the learner is for; only the token embedding is read.
        classes: names; the k-th fills pair k.

    Raises:
        ConfigError: an empty name, or one too long for the context.
    """

    tokens: Tensor
    embedded: Tensor

    def __init__(
        self, learner: PromptLearner, text: TextTransformer, tokenizer: Tokenizer, classes: Sequence[str]
    ) -> None:
        super().__init__()
        self.learner = learner
        self.classes = tuple(classes)
        pairs = [tokenize_templates(learner.settings.for_class(name), tokenizer) for name in classes]
        tokens = torch.stack(pairs).to(text.token_embedding.weight.device)
        self.register_buffer("tokens", tokens)  # (K, 2, C)
        with torch.no_grad():
            self.register_buffer("embedded", text.token_embedding(tokens).float())  # (K, 2, C, D)

    def text_features(self, text: TextTransformer, chosen: Tensor | None = None) -> Tensor:
        """Pairs of text embeddings (k, 2, E), L2-normalised, differentiable.

        Args:
            text: the text tower.
            chosen: (k,) int64, which classes; None takes all.
        """
        tokens, embedded = self.tokens, self.embedded
        if chosen is not None:
            tokens, embedded = tokens[chosen], embedded[chosen]
        learner, count = self.learner, len(tokens)
        n_ctx = learner.settings.n_ctx
        learned = torch.cat([learner.ctx_pos, learner.ctx_neg])[:, 0]  # (2, n_ctx, D)
        rows = torch.cat(
            [embedded[:, :, :1], learned.expand(count, -1, -1, -1), embedded[:, :, 1 + n_ctx :]], dim=2
        ).flatten(0, 1)
        eot = tokens.flatten(0, 1).argmax(dim=-1)
        used = int(eot.max()) + 1  # causal mask: padding after the last end-of-text cannot matter
        features = text(
            rows[:, :used].to(text.positional_embedding.dtype),
            eot,
            deep_prompts=list(learner.compound_prompts_text),
            round_deep_to_half=learner.settings.round_deep_to_half,
        )
        unit: Tensor = features / features.norm(dim=-1, keepdim=True)
        return unit.view(count, 2, -1)
