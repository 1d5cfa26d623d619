"""Architectures of published models, as one table: what a lone file of theirs cannot say.

The numbers are those of the model configurations that open_clip publishes; its tags differ in preprocessing too. Models
with other towers (ResNet, timm, Hugging Face's text towers, SigLIP, CoCa) are not among them: this package has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from anomalyclip.clip.config import Activation
from anomalyclip.clip.facts import Facts, TowerFacts
from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.errors import WeightsError

PREFIXES = ("open_clip", "openai")
_OPENAI_SPELLING = re.compile(r"^(ViT-\w+)/(\d)")  # ViT-L/14@336px


@dataclass(frozen=True)
class Architecture:
    """One published architecture; widths, layers and heads are (vision, text).

    Attributes:
        embed_dim: E of the shared embedding.
        image_size, patch_size: in pixels.
        widths: D of the towers' tokens.
        layers: blocks.
        heads: of the attention.
        mlp_width: hidden units of the vision tower's MLP.
    """

    embed_dim: int
    image_size: int
    patch_size: int
    widths: tuple[int, int]
    layers: tuple[int, int]
    heads: tuple[int, int]
    mlp_width: int


def _vit(
    embed: int, side: int, patch: int, vision: tuple[int, int, int], text: tuple[int, int, int], mlp: int = 0
) -> Architecture:
    """From (width, layers, heads) of either tower."""
    widths, layers, heads = zip(vision, text, strict=True)
    return Architecture(embed, side, patch, widths, layers, heads, mlp or 4 * vision[0])


_B_TEXT, _L_TEXT, _PLUS_TEXT, _H_TEXT = (512, 12, 8), (768, 12, 12), (640, 12, 10), (1024, 24, 16)
_S, _M, _B, _L, _PLUS = (384, 12, 6), (512, 12, 8), (768, 12, 12), (1024, 24, 16), (896, 12, 14)
_H, _G, _BIG_G, _E = (1280, 32, 16), (1408, 40, 16), (1664, 48, 16), (1792, 56, 16)
_S_TEXT = (384, 12, 6)

OPEN_CLIP: dict[str, Architecture] = {
    "ViT-S-32": _vit(384, 224, 32, _S, _S_TEXT),
    "ViT-S-16": _vit(384, 224, 16, _S, _S_TEXT),
    "ViT-S-32-alt": _vit(256, 224, 32, _S, (256, 10, 4)),
    "ViT-S-16-alt": _vit(256, 224, 16, _S, (256, 10, 4)),
    "ViT-M-32": _vit(512, 224, 32, _M, _B_TEXT),
    "ViT-M-16": _vit(512, 224, 16, _M, _B_TEXT),
    "ViT-M-32-alt": _vit(384, 224, 32, _M, _S_TEXT),
    "ViT-B-32": _vit(512, 224, 32, _B, _B_TEXT),
    "ViT-B-32-256": _vit(512, 256, 32, _B, _B_TEXT),
    "ViT-B-16": _vit(512, 224, 16, _B, _B_TEXT),
    "ViT-B-32-plus-256": _vit(640, 256, 32, _PLUS, _PLUS_TEXT),
    "ViT-B-16-plus": _vit(640, 224, 16, _PLUS, _PLUS_TEXT),
    "ViT-B-16-plus-240": _vit(640, 240, 16, _PLUS, _PLUS_TEXT),
    "ViT-L-16": _vit(768, 224, 16, _L, _L_TEXT),
    "ViT-L-16-320": _vit(768, 320, 16, _L, _L_TEXT),
    "ViT-L-14": _vit(768, 224, 14, _L, _L_TEXT),
    "ViT-L-14-280": _vit(768, 280, 14, _L, _L_TEXT),
    "ViT-L-14-336": _vit(768, 336, 14, _L, _L_TEXT),
    "ViT-H-16": _vit(1024, 224, 16, _H, _H_TEXT),
    "ViT-H-14": _vit(1024, 224, 14, _H, _H_TEXT),
    "ViT-H-14-378": _vit(1024, 378, 14, _H, _H_TEXT),
    "ViT-g-14": _vit(1024, 224, 14, _G, _H_TEXT, 6144),
    "ViT-bigG-14": _vit(1280, 224, 14, _BIG_G, (1280, 32, 20), 8192),
    "ViT-e-14": _vit(1280, 224, 14, _E, (1280, 36, 20), 15360),
}
"""Without the ending ``-quickgelu``, which only says the activation."""

_INCEPTION = Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
TAGS: dict[tuple[str, str], Preprocessing] = {("ViT-L-14", "laion2b_s32b_b82k"): _INCEPTION}
"""(architecture, tag) whose pixels were prepared otherwise than OpenAI's."""


def published_facts(name: str) -> Facts:
    """The facts of ``open_clip:NAME[/TAG]`` or ``openai:NAME``; OpenAI's models use QuickGELU whatever their name.

    Raises:
        WeightsError: an unknown name; it lists the known ones.
    """
    publisher, _, model = name.partition(":")
    model, _, tag = _OPENAI_SPELLING.sub(r"\1-\2", model).replace("@336px", "-336").partition("/")
    plain = model.removesuffix("-quickgelu")
    if publisher not in PREFIXES or plain not in OPEN_CLIP:
        known = ", ".join(OPEN_CLIP)
        raise WeightsError(
            f"no published model {name!r} is known; expected open_clip:NAME or openai:NAME, NAME one of {known}, "
            "with -quickgelu where its name has it; else give activation and heads"
        )
    quick = publisher == "openai" or plain != model or tag == "openai"
    found = facts_of(OPEN_CLIP[plain], "quick_gelu" if quick else "gelu", f"given: architecture {name}")
    return replace(found, preprocessing=TAGS.get((plain, tag), found.preprocessing))


def facts_of(architecture: Architecture, activation: Activation, told_by: str) -> Facts:
    """An architecture's facts; its sizes are compared with the tensors."""
    vision, text = (
        TowerFacts(heads, activation, shapes={"width": width, "layers": layers})
        for heads, width, layers in zip(architecture.heads, architecture.widths, architecture.layers, strict=True)
    )
    sizes = {"image_size": architecture.image_size, "patch_size": architecture.patch_size}
    vision = replace(vision, shapes={**vision.shapes, **sizes, "mlp_width": architecture.mlp_width})
    return Facts(told_by, vision, text, embed_dim=architecture.embed_dim)


def heads_of_shape(embed_dim: int, patch_size: int, widths: tuple[int, int], layers: tuple[int, int]) -> set[str]:
    """Names of the published architectures of these sizes, whatever their image size."""
    wanted = (embed_dim, patch_size, widths, layers)
    return {
        name
        for name, each in OPEN_CLIP.items()
        if (each.embed_dim, each.patch_size, each.widths, each.layers) == wanted
    }
