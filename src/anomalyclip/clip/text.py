"""CLIP's text transformer, with deep ("compound") text prompts (METHOD section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from anomalyclip.clip.blocks import Transformer
from anomalyclip.clip.config import CLIPConfig
from anomalyclip.errors import ConfigError


class TokenRows(nn.Embedding):
    """A token table of which only some rows are there: a text needs a dozen of the 49,408 that ViT-L's 152 MB hold.

    Args:
        tokens: ids, of any shape, whose rows are kept.
        vocabulary: rows of the whole table. width: D.
    """

    tokens: Tensor

    def __init__(self, tokens: Tensor, vocabulary: int, width: int) -> None:
        kept = torch.unique(tokens)  # sorted
        super().__init__(len(kept), width, _weight=torch.empty(len(kept), width, device="meta"))
        self.num_embeddings = vocabulary
        self.register_buffer("tokens", kept, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Embeddings (..., D) of ids (...); ConfigError where the row of one was not kept."""
        places = torch.searchsorted(self.tokens, tokens.contiguous()).clamp_(max=len(self.tokens) - 1)
        if not torch.equal(self.tokens[places], tokens):
            raise ConfigError("this text tower was loaded for other words; load it with all of its tokens")
        return super().forward(places)


class TextTransformer(nn.Module):
    """The text tower of ``config``; token embeddings ``(B, C, D)`` in, features ``(B, E)`` out, not normalised."""

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        text = config.text
        self.config = text
        # Its own random start, drawn on the meta device, would import torch._dynamo and sympy:
        # half a second and 50 MB in every run of the program.
        self.token_embedding = nn.Embedding(
            text.vocab_size, text.width, _weight=torch.empty(text.vocab_size, text.width)
        )
        self.positional_embedding = nn.Parameter(torch.empty(text.context_length, text.width))
        self.transformer = Transformer(text)
        self.ln_final = nn.LayerNorm(text.width, eps=text.norm_eps)
        self.text_projection = nn.Parameter(torch.empty(text.width, config.embed_dim))

    def forward(
        self,
        embeddings: Tensor,
        eot: Tensor,
        deep_prompts: Sequence[Tensor] | None = None,
        round_deep_to_half: bool = False,
    ) -> Tensor:
        """Encode embedded tokens.

        Args:
            embeddings: (B, C, D) token embeddings WITHOUT positional embedding.
            eot: (B,) int64, position of the end-of-text token whose output is the feature.
            deep_prompts: tensors (n, D); the k-th (0-based) replaces positions 1..n at the input of block k + 2.
            round_deep_to_half: round the deep prompts to fp16 first, as the reference does.

        Raises:
            ConfigError: more deep prompts than blocks after the first.
        """
        deep = list(deep_prompts or ())
        if len(deep) > self.config.layers - 1:
            raise ConfigError(
                f"{len(deep)} deep prompts need {len(deep) + 1} text blocks, this tower has {self.config.layers}"
            )
        x = embeddings + self.positional_embedding[: embeddings.shape[1]].to(embeddings.dtype)
        for index, block in enumerate(self.transformer.resblocks):
            if 1 <= index <= len(deep):
                x = _replace_tokens(x, deep[index - 1], round_deep_to_half)
            x = block(x, causal=True)
        chosen = self.ln_final(x[torch.arange(len(x), device=x.device), eot])
        out: Tensor = chosen @ self.text_projection
        return out

    def encode_tokens(self, tokens: Tensor) -> Tensor:
        """Features (B, E) of token ids (B, C), at the end-of-text token: the largest id where the model names none."""
        end = self.config.end
        eot = tokens.argmax(dim=-1) if end is None else (tokens == end).int().argmax(dim=-1)
        used = int(eot.max()) + 1  # the mask is causal: what follows the last EOT cannot matter
        features: Tensor = self(self.token_embedding(tokens[:, :used]), eot)
        return features


def _replace_tokens(x: Tensor, prompt: Tensor, round_to_half: bool) -> Tensor:
    inserted = prompt.expand(x.shape[0], -1, -1)
    if round_to_half:  # after the expansion: gradients, too, are then rounded per prompt as in the reference
        inserted = inserted.half()
    inserted = inserted.to(x.dtype)
    return torch.cat([x[:, :1], inserted, x[:, 1 + prompt.shape[0] :]], dim=1)
