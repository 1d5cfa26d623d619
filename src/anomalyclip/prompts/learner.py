"""The learnable object-agnostic prompt pair with deep prompts (paper section 3.2 and 3.3, METHOD section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from anomalyclip.clip.text import TextTransformer
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.prompts.settings import PLACEHOLDER, PromptSettings

INIT_STD = 0.02
_SIDES = ("pos", "neg")  # the checkpoint's words for normal and abnormal


class PromptInputs(NamedTuple):
    """What the text tower needs. Index 0 is normal, 1 abnormal."""

    embeddings: Tensor  # (2, C, D) token embeddings without positions
    eot: Tensor  # (2,) int64, position of the end-of-text token
    deep: list[Tensor]  # depth - 1 tensors (deep_length, D)


class PromptLearner(nn.Module):
    """Two prompts ``[learned vectors][fixed words]`` and the deep prompts both share; names as in the authors' files.

    Only ``ctx_pos``, ``ctx_neg`` (1, 1, n_ctx, D) and ``compound_prompts_text`` (depth - 1 tensors (deep_length, D))
    are parameters; a shared context is one parameter under both names. The embeddings of the fixed tokens are float32
    buffers copied from the text tower.

    Args:
        text: the text tower the prompts are for; only its token embedding and its configuration are read.
        tokenizer: the tokenizer of that tower.
        settings: lengths, depth and fixed words.
        seed: of the initial values, N(0, 0.02).

    Raises:
        ConfigError: depth exceeds the text tower's blocks, or the prompts do not fit its context length.
    """

    token_prefix_pos: Tensor
    token_suffix_pos: Tensor
    token_prefix_neg: Tensor
    token_suffix_neg: Tensor
    tokenized_prompts_pos: Tensor
    tokenized_prompts_neg: Tensor

    def __init__(
        self,
        text: TextTransformer,
        tokenizer: Tokenizer,
        settings: PromptSettings | None = None,
        seed: int = 111,
    ) -> None:
        super().__init__()
        self.settings = settings or PromptSettings()
        _check_depth(self.settings, text)
        tokens = tokenize_templates(self.settings, tokenizer)  # (2, C)
        width = text.token_embedding.embedding_dim
        generator = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator) * INIT_STD)

        n_ctx = self.settings.n_ctx
        self.ctx_pos = draw(1, 1, n_ctx, width)
        self.ctx_neg = self.ctx_pos if self.settings.shared_context else draw(1, 1, n_ctx, width)
        deep = [draw(self.settings.deep_length, width) for _ in range(self.settings.n_deep)]
        self.compound_prompts_text = nn.ParameterList(deep)
        self._register_fixed(text.token_embedding, tokens)
        self.to(text.token_embedding.weight.device)

    def _register_fixed(self, embedding: nn.Embedding, tokens: Tensor) -> None:
        with torch.no_grad():
            embedded = embedding(tokens.to(embedding.weight.device)).float()  # (2, C, D), a copy of the table's rows
        n_ctx = self.settings.n_ctx
        for index, side in enumerate(_SIDES):
            row = embedded[index][None, None]  # (1, 1, C, D)
            self.register_buffer(f"token_prefix_{side}", row[:, :, :1].clone())
            self.register_buffer(f"token_suffix_{side}", row[:, :, 1 + n_ctx :].clone())
            self.register_buffer(f"tokenized_prompts_{side}", tokens[index][None, None].clone())  # (1, 1, C)

    @property
    def tokenized_prompts(self) -> Tensor:
        """Token ids (2, C) of both templates, int64."""
        return torch.cat([self.tokenized_prompts_pos, self.tokenized_prompts_neg])[:, 0]

    def forward(self) -> PromptInputs:
        """Assemble both prompts; gradients reach the learned tensors only."""
        normal = torch.cat([self.token_prefix_pos, self.ctx_pos, self.token_suffix_pos], dim=2)
        abnormal = torch.cat([self.token_prefix_neg, self.ctx_neg, self.token_suffix_neg], dim=2)
        embeddings = torch.cat([normal, abnormal])[:, 0]  # (2, C, D)
        # the end-of-text id is the largest of the vocabulary
        return PromptInputs(embeddings, self.tokenized_prompts.argmax(dim=-1), list(self.compound_prompts_text))

    def text_features(self, text: TextTransformer) -> Tensor:
        """The pair of text embeddings g_n, g_a: (2, E), L2-normalised, in the tower's dtype, differentiable."""
        embeddings, eot, deep = self()
        used = int(eot.max()) + 1  # causal mask: padding after the last end-of-text cannot matter
        features = text(
            embeddings[:, :used].to(text.positional_embedding.dtype),
            eot,
            deep_prompts=deep,
            round_deep_to_half=self.settings.round_deep_to_half,
        )
        unit: Tensor = features / features.norm(dim=-1, keepdim=True)
        return unit

    def learned(self) -> dict[str, Tensor]:
        """Detached float32 CPU copies of the learned tensors by their checkpoint names."""
        return {name: value.detach().float().cpu().clone() for name, value in self.named_parameters()}

    @torch.no_grad()
    def load_learned(self, tensors: Mapping[str, Tensor]) -> None:
        """Overwrite the learned tensors.

        Raises:
            PromptError: names or shapes are not those of :attr:`settings`.
        """
        own = dict(self.named_parameters())
        wrong = sorted(set(own) ^ set(tensors)) or [
            f"{name}: {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own
            if tensors[name].shape != own[name].shape
        ]
        if wrong:
            raise PromptError(f"the learned tensors do not fit {self.settings}: {'; '.join(wrong)}")
        for name, value in own.items():
            value.copy_(tensors[name])


def tokenize_templates(settings: PromptSettings, tokenizer: Tokenizer) -> Tensor:
    """Token ids (2, C) of the two templates: start, ``n_ctx`` placeholders, words, end, zeros.

    Raises:
        ConfigError: the prompts do not fit the context length, or the placeholder is not one token.
    """
    room = tokenizer.context_length - 2 - settings.n_ctx
    for words in (settings.normal_words, settings.abnormal_words):
        count = len(tokenizer.encode(words))
        if not 1 <= count <= room:
            raise ConfigError(
                f"n_ctx {settings.n_ctx} and the {count} tokens of {words!r} do not fit the context length"
                f" {tokenizer.context_length} (two are for start and end); lower n_ctx or shorten the words"
            )
    if len(tokenizer.encode(PLACEHOLDER)) != 1:
        raise ConfigError(f"this tokenizer does not encode {PLACEHOLDER!r} as one token; use CLIP's tokenizer")
    return tokenizer.encode_batch(settings.templates)


def _check_depth(settings: PromptSettings, text: TextTransformer) -> None:
    if settings.depth > text.config.layers:
        raise ConfigError(
            f"depth {settings.depth} needs as many text blocks, this text tower has {text.config.layers};"
            f" set depth to at most {text.config.layers}"
        )
