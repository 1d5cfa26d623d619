"""Models that people do try and that are no CLIP of ours, told by the names of their tensors."""

from __future__ import annotations

from collections.abc import Iterable

_PROMPTS = "give it as --prompts, beside the model it was learned on"
_TRAIN = "learn AnomalyCLIP's with `anomalyclip train`"
_TOWERS = "expected a CLIP with a ViT and both towers, such as vit-l-14-336"

#: Beginnings of names that no CLIP of ours has: (what it is, what to do).
KINDS: dict[str, tuple[str, str]] = {
    "ctx_pos": ("prompts of AnomalyCLIP", _PROMPTS),
    "prompt_learner.ctx_pos": ("prompts of AnomalyCLIP", _PROMPTS),
    "ctx": ("prompts of CoOp or one of its kind", _TRAIN),
    "prompt_learner.ctx": ("prompts of CoOp or one of its kind", _TRAIN),
    "fc.0.": ("linear layers of VAND (April-GAN)", "learn such with `anomalyclip train --method vand`"),
    "visual.attnpool.": ("a CLIP with a ResNet", _TOWERS),
    "visual.layer1.": ("a CLIP with a ResNet", _TOWERS),
    "visual.trunk.": ("a CLIP with a tower of timm (SigLIP, EVA, ConvNeXt, ...)", _TOWERS),
    "visual.patch_embed.": ("an EVA-CLIP", _TOWERS),
    "vision_model.head.": ("a SigLIP", _TOWERS),
    "text_decoder.": ("a BLIP or CoCa", _TOWERS),
    "visual_encoder.": ("a BLIP", _TOWERS),
    "qformer.": ("a BLIP-2", _TOWERS),
    "decoder.film_": ("a CLIPSeg", _TOWERS),
    "text_model.encoder.layer.": ("a CLIP whose text tower is a BERT", _TOWERS),
    "text_model.roberta.": ("a CLIP whose text tower is a RoBERTa", _TOWERS),
    "transformer.embeddings.": ("a CLIP whose text tower is one of Hugging Face's", _TOWERS),
    "embeddings.class_embedding": ("the image tower of a CLIP alone", _TOWERS),
    "embeddings.patch_embeddings.": ("a ViT or DINO without text tower", _TOWERS),
    "patch_embed.": ("a ViT or DINO of timm's names, without text tower", _TOWERS),
    "embeddings.word_embeddings.": ("a BERT", _TOWERS),
    "layer1.0.": ("a ResNet", _TOWERS),
    "image_encoder.": ("a SAM or another model with an image encoder of its own", _TOWERS),
}


def foreign(names: Iterable[str]) -> str | None:
    """What the tensors of these names are, and the remedy; None where nothing here knows them."""
    names = set(names)
    for beginning, (what, remedy) in KINDS.items():
        whole = beginning[-1] not in "._"  # a name, not a beginning of names
        if beginning in names if whole else any(name.startswith(beginning) for name in names):
            return f"it is {what}; {remedy}"
    return None
