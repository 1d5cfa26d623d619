"""CLIP: two towers and the logit scale, frozen everywhere but in the embedded model's own pretraining."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from anomalyclip.clip.attention import SelfAttention
from anomalyclip.clip.config import CLIPConfig
from anomalyclip.clip.text import TextTransformer
from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.clip.vision import VisionTransformer
from anomalyclip.errors import ConfigError


class CLIP(nn.Module):
    """The two towers of ``config``.

    Attributes:
        visual: the vision tower.
        text: the text tower, or None where it was left out.
        logit_scale: CLIP's own temperature (log); AnomalyCLIP does not use it (METHOD section 5).
        weights_sha256: identity of the weights and of how they are read, set by ``load_clip``; empty for a model made
            in memory.
        tensors_sha256: of the weights alone.
    """

    def __init__(self, config: CLIPConfig) -> None:
        super().__init__()
        self.config = config
        self.weights_sha256 = self.tensors_sha256 = ""
        self.visual = VisionTransformer(config)
        self.text: TextTransformer | None = TextTransformer(config)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def encode_image(self, pixel_values: Tensor) -> Tensor:
        """Plain CLIP image features (B, E), not normalised: one path, LN_post on the class token."""
        features: Tensor = self.visual(pixel_values, dpam="qk", post_norm_class=True).image
        return features

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Text features (B, E), not normalised, of token ids (B, C)."""
        return self.text_tower().encode_tokens(tokens)

    def text_tower(self) -> TextTransformer:
        """The text tower; :class:`ConfigError` where the model was loaded without it."""
        if self.text is None:
            raise ConfigError("this CLIP was loaded without its text tower; load it with text=True")
        return self.text

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that fits the text tower's vocabulary and context."""
        text = self.config.text
        return Tokenizer(text.vocab_size if text.end is None else text.end + 1, text.context_length)

    @staticmethod
    def file_name(name: str) -> str:
        """OpenAI's name of one of this module's parameters: the text tower's have no prefix there."""
        return name.removeprefix("text.")


def random_clip(config: CLIPConfig, seed: int = 0) -> CLIP:
    """A CLIP with seeded random weights, drawn as CLIP's were before its training (tests, timing, pretraining)."""
    clip = CLIP(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        _initialise_transformer(clip.visual, config.vision.width, config.vision.layers, generator)
        text = clip.text_tower()
        _initialise_transformer(text, config.text.width, config.text.layers, generator)
        scale = config.vision.width**-0.5
        for parameter in (clip.visual.class_embedding, clip.visual.positional_embedding, clip.visual.proj):
            parameter.normal_(std=scale, generator=generator)
        text.token_embedding.weight.normal_(std=0.02, generator=generator)
        text.positional_embedding.normal_(std=0.01, generator=generator)
        text.text_projection.normal_(std=config.text.width**-0.5, generator=generator)
    return clip.eval()


def _initialise_transformer(tower: nn.Module, width: int, depth: int, generator: torch.Generator) -> None:
    residual = width**-0.5 * (2 * depth) ** -0.5
    for name, module in tower.named_modules():
        if isinstance(module, SelfAttention):
            module.in_proj_weight.normal_(std=width**-0.5, generator=generator)
        elif isinstance(module, nn.Linear):
            std = residual if name.endswith(("out_proj", "c_proj")) else (2 * width) ** -0.5
            module.weight.normal_(std=std, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Conv2d):
            fan_in = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            module.weight.normal_(std=(2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
