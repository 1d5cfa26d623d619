"""What an ``open_clip_config.json`` says: every field used, without effect, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anomalyclip.clip.config import NORM_EPS, Activation
from anomalyclip.clip.facts import Facts, TowerFacts
from anomalyclip.clip.json_fields import (
    mapping,
    number,
    preprocessing_of,
    read_json,
    side,
    triple,
    typed,
    unsupported,
    whole,
)
from anomalyclip.clip.preprocessing import Preprocessing

_OPEN_CLIP_VISION = {
    "layers": 12,
    "width": 768,
    "head_width": 64,
    "mlp_ratio": 4.0,
    "patch_size": 16,
    "image_size": 224,
}
_OPEN_CLIP_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12, "mlp_ratio": 4.0}

# What a field must hold for this package's towers to be the model's; `None` and `False` always mean "not used".
_WITHOUT_EFFECT = "no effect on features"
_OPEN_CLIP_ALLOWED: dict[str, dict[str, Any]] = {
    "model_cfg": {
        "embed_dim": "used", "vision_cfg": "used", "text_cfg": "used", "quick_gelu": "used", "preprocess_cfg": "used",
        "custom_text": _WITHOUT_EFFECT, "init_logit_scale": _WITHOUT_EFFECT, "nonscalar_logit_scale": _WITHOUT_EFFECT,
        "cast_dtype": _WITHOUT_EFFECT, "output_dict": _WITHOUT_EFFECT,
    },
    "vision_cfg": {
        **dict.fromkeys((*_OPEN_CLIP_VISION, "heads", "norm_kwargs"), "used"),
        "patch_dropout": _WITHOUT_EFFECT,  # of training only
        "output_tokens": _WITHOUT_EFFECT,
        "final_ln_after_pool": _WITHOUT_EFFECT,  # the same for a class token
        "pool_type": ("tok",), "pos_embed_type": ("learnable", "sin_cos_2d"), "act_kwargs": ({},),
        "timm_model_pretrained": _WITHOUT_EFFECT, "timm_pool": _WITHOUT_EFFECT, "timm_proj": _WITHOUT_EFFECT,
        "timm_drop": _WITHOUT_EFFECT, "timm_proj_bias": _WITHOUT_EFFECT,  # say nothing without timm_model_name
        "attn_pooler_queries": _WITHOUT_EFFECT, "attn_pooler_heads": _WITHOUT_EFFECT,  # nor these without the pooler
    },
    "text_cfg": {
        **dict.fromkeys((*_OPEN_CLIP_TEXT, "norm_kwargs", "eos_id"), "used"),
        "output_tokens": _WITHOUT_EFFECT, "pad_id": _WITHOUT_EFFECT,  # the mask is causal
        "pool_type": ("argmax", "eos"), "proj_type": ("linear",), "act_kwargs": ({},), "tokenizer_kwargs": ({},),
        "hf_model_pretrained": _WITHOUT_EFFECT, "hf_proj_type": _WITHOUT_EFFECT, "hf_pooler_type": _WITHOUT_EFFECT,
    },
}  # fmt: skip


def open_clip_facts(path: Path) -> Facts:
    """The facts in an ``open_clip_config.json``.

    Raises:
        WeightsError: mistyped, or a feature that this package's towers lack; it is named.
    """
    told = mapping(read_json(path), path, "the file")
    model = mapping(told.get("model_cfg", told), path, "model_cfg")
    vision, text = (mapping(model.get(f"{name}_cfg", {}), path, f"{name}_cfg") for name in ("vision", "text"))
    for part, values in (("model_cfg", model), ("vision_cfg", vision), ("text_cfg", text)):
        _refuse_others(values, _OPEN_CLIP_ALLOWED[part], path, part)
    if isinstance(vision.get("layers"), list):
        raise unsupported(path, "vision_cfg.layers", vision["layers"], "a ResNet")
    quick = typed(model, "quick_gelu", False, bool, path)
    activation: Activation = "quick_gelu" if quick else "gelu"
    vision, text = _OPEN_CLIP_VISION | _told(vision), _OPEN_CLIP_TEXT | _told(text)
    pixels = told.get("preprocess_cfg") or model.get("preprocess_cfg") or {}
    width, head_width = (whole(vision, name, path) for name in ("width", "head_width"))
    heads = whole(vision, "heads", path) if "heads" in vision else width // max(head_width, 1)
    if text.get("pool_type") == "eos" and "eos_id" not in text:
        raise unsupported(path, "text_cfg.pool_type", "eos", "without eos_id, the token that ends a text is not known")
    end = whole(text, "eos_id", path) if text.get("pool_type") == "eos" and "eos_id" in text else None
    context = {name: whole(text, name, path) for name in ("context_length", "vocab_size")}
    sizes = {"patch_size": whole(vision, "patch_size", path), "image_size": side(vision["image_size"], path)}
    return Facts(
        told_by=path.name,
        vision=_open_clip_tower(vision, heads, activation, path, sizes),
        text=_open_clip_tower(text, whole(text, "heads", path), activation, path, context),
        embed_dim=whole(model, "embed_dim", path) if "embed_dim" in model else None,
        end=end,
        preprocessing=_open_clip_pixels(mapping(pixels, path, "preprocess_cfg"), path),
    )


def _open_clip_tower(
    values: Mapping[str, Any], heads: int, activation: Activation, path: Path, shapes: dict[str, int]
) -> TowerFacts:
    width = whole(values, "width", path)
    shapes |= {"width": width, "layers": whole(values, "layers", path)}
    shapes["mlp_width"] = int(width * number(values["mlp_ratio"], path))
    norm = mapping(values.get("norm_kwargs", {}), path, "norm_kwargs")
    if others := set(norm) - {"eps"}:
        raise unsupported(path, "norm_kwargs", sorted(others), "expected eps alone")
    return TowerFacts(heads, activation, number(norm.get("eps", NORM_EPS), path), shapes)


def _open_clip_pixels(told: Mapping[str, Any], path: Path) -> Preprocessing:
    """Mean, std and filter. How much of the picture is seen (``resize_mode``) the method decides, not the model."""
    pixels: dict[str, Any] = {
        name: triple(told[name], name, path) for name in ("mean", "std") if told.get(name) is not None
    }
    if told.get("interpolation") is not None:
        pixels["interpolation"] = told["interpolation"]
        if pixels["interpolation"] == "random":  # an augmentation of training: open_clip then judges with bicubic
            del pixels["interpolation"]
    if told.get("mode", "RGB") != "RGB":
        raise unsupported(path, "preprocess_cfg.mode", told["mode"], "expected RGB")
    return preprocessing_of(pixels, path)


def _refuse_others(values: Mapping[str, Any], allowed: Mapping[str, Any], path: Path, part: str) -> None:
    for name, value in values.items():
        if value is None or value is False:
            continue
        wanted = allowed.get(name)
        if wanted is None or (isinstance(wanted, tuple) and value not in wanted):
            expected = "it is not known here" if wanted is None else f"expected {', '.join(map(str, wanted))}"
            raise unsupported(path, f"{part}.{name}", value, expected)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
