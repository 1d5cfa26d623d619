"""What a Hugging Face folder says of a ``CLIPModel``: ``config.json``, and the image processor's file beside it."""

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
from anomalyclip.clip.preprocessing import Interpolation, Preprocessing

_HF_VISION = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "image_size": 224, "patch_size": 32, "hidden_act": "quick_gelu", "layer_norm_eps": NORM_EPS, "num_channels": 3,
}  # fmt: skip
_HF_TEXT = {
    "vocab_size": 49408, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12,
    "num_attention_heads": 8, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "layer_norm_eps": NORM_EPS,
}  # fmt: skip
_HF_END, _HF_OLD_END = 49407, 2  # of files before the end's id was recorded: there it is the largest id of a text
_HF_ACTIVATIONS: dict[str, Activation] = {
    "quick_gelu": "quick_gelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh",
}  # fmt: skip
_RESAMPLE: dict[int, Interpolation] = dict(
    enumerate(("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"))  # Pillow's numbers
)


def hugging_face_facts(path: Path) -> Facts:
    """The facts in a Hugging Face ``config.json`` and in the ``preprocessor_config.json`` beside it.

    Raises:
        WeightsError: mistyped, or another kind of model than ``CLIPModel``.
    """
    config = mapping(read_json(path), path, "the file")
    kind = config.get("model_type", "clip")
    if kind != "clip":
        raise unsupported(path, "model_type", kind, "expected clip, with both towers")
    classes = config.get("architectures") or []
    if isinstance(classes, list) and classes and not any(str(name).startswith("CLIP") for name in classes):
        raise unsupported(path, "architectures", classes, "expected CLIPModel")
    if config.get("quantization_config"):
        raise unsupported(path, "quantization_config", config["quantization_config"], "expected fp32, fp16 or bf16")
    towers = {}
    for name, defaults in (("vision", _HF_VISION), ("text", _HF_TEXT)):
        part = mapping(config.get(f"{name}_config") or {}, path, f"{name}_config")
        if (old := config.get(f"{name}_config_dict")) is not None:  # transformers lets it win, with its defaults
            part = part | defaults | mapping(old, path, f"{name}_config_dict")
        towers[name] = defaults | {key: value for key, value in part.items() if value is not None}
    vision, text = towers["vision"], towers["text"]
    if vision["num_channels"] != 3:
        raise unsupported(path, "vision_config.num_channels", vision["num_channels"], "expected 3")
    sizes = {"image_size": side(vision["image_size"], path), "patch_size": side(vision["patch_size"], path)}
    vocabulary = whole(text, "vocab_size", path)
    context = {"vocab_size": vocabulary, "context_length": whole(text, "max_position_embeddings", path)}
    return Facts(
        told_by=path.name,
        vision=_hf_tower(vision, "vision_config", path, sizes),
        text=_hf_tower(text, "text_config", path, context),
        embed_dim=whole(config, "projection_dim", path) if "projection_dim" in config else None,
        end=_hf_end(text, vocabulary, path),
        preprocessing=_hf_pixels(path.parent),
    )


def _hf_tower(values: Mapping[str, Any], part: str, path: Path, shapes: dict[str, int]) -> TowerFacts:
    activation = values["hidden_act"]
    if not isinstance(activation, str) or activation not in _HF_ACTIVATIONS:
        raise unsupported(path, f"{part}.hidden_act", activation, f"expected {', '.join(_HF_ACTIVATIONS)}")
    names = {"width": "hidden_size", "layers": "num_hidden_layers", "mlp_width": "intermediate_size"}
    shapes |= {ours: whole(values, theirs, path) for ours, theirs in names.items()}
    eps = typed(values, "layer_norm_eps", NORM_EPS, (int, float), path)
    return TowerFacts(whole(values, "num_attention_heads", path), _HF_ACTIVATIONS[activation], float(eps), shapes)


def _hf_end(text: Mapping[str, Any], vocabulary: int, path: Path) -> int | None:
    end = text.get("eos_token_id", _HF_END if vocabulary > _HF_END else None)
    if end is None or end == _HF_OLD_END:
        return None
    end = whole({"eos_token_id": end}, "eos_token_id", path)
    if end >= vocabulary:
        raise unsupported(path, "text_config.eos_token_id", end, f"the vocabulary has {vocabulary} tokens")
    return end


def _hf_pixels(folder: Path) -> Preprocessing:
    """transformers' image processor, or its defaults where none is recorded, which are OpenAI's."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = folder / name
        if path.is_file():
            told = mapping(read_json(path), path, "the file")
            return _processor(mapping(told.get("image_processor", told), path, "image_processor"), path)
    return Preprocessing()


def _processor(told: Mapping[str, Any], path: Path) -> Preprocessing:
    factor = told.get("rescale_factor")
    if told.get("do_rescale") is False or (factor is not None and abs(number(factor, path) * 255 - 1) > 1e-3):
        raise unsupported(path, "rescale_factor", factor, "expected pixels in 0 to 1")
    pixels: dict[str, Any] = {}
    if told.get("do_normalize") is False:
        pixels = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    else:
        names = (("mean", "image_mean"), ("std", "image_std"))
        pixels = {ours: triple(told[theirs], theirs, path) for ours, theirs in names if told.get(theirs) is not None}
    filter_number = told.get("resample")
    if filter_number is not None:
        if isinstance(filter_number, bool) or filter_number not in _RESAMPLE:
            raise unsupported(path, "resample", filter_number, "expected one of Pillow's filters, 0 to 5")
        pixels["interpolation"] = _RESAMPLE[filter_number]
    return preprocessing_of(pixels, path)
