"""Fields of the config files beside weights: what this package's towers lack is refused by name, nothing is ignored."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.clip.config import CLIPConfig
from anomalyclip.clip.formats import _read_facts
from anomalyclip.clip.hf_config import hugging_face_facts
from anomalyclip.clip.open_clip_config import open_clip_facts
from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import ConfigError, WeightsError

UNSUPPORTED = [
    ("model_cfg", "multimodal_cfg", {"width": 512}),  # CoCa
    ("model_cfg", "init_logit_bias", -10),  # SigLIP
    ("model_cfg", "audio_cfg", {"a": 1}),
    ("vision_cfg", "timm_model_name", "vit_base_patch16_siglip_224"),
    ("vision_cfg", "layers", [3, 4, 6, 3]),  # ResNet
    ("vision_cfg", "ls_init_value", 1e-4),
    ("vision_cfg", "no_ln_pre", True),
    ("vision_cfg", "attentional_pool", True),
    ("vision_cfg", "global_average_pool", True),
    ("vision_cfg", "pool_type", "avg"),
    ("vision_cfg", "input_patchnorm", True),
    ("vision_cfg", "image_size", [224, 336]),
    ("vision_cfg", "norm_kwargs", {"elementwise_affine": False}),
    ("vision_cfg", "something_new", 3),
    ("text_cfg", "hf_model_name", "xlm-roberta-base"),
    ("text_cfg", "hf_tokenizer_name", "bert-base-uncased"),
    ("text_cfg", "tokenizer_kwargs", {"clean": "canonicalize"}),
    ("text_cfg", "pool_type", "last"),
    ("text_cfg", "pool_type", "first"),
    ("text_cfg", "pool_type", "eos"),
    ("vision_cfg", "timm_model_name", "vit_base_patch16_224"),
    ("model_cfg", "init_logit_bias", -10.0),
    ("model_cfg", "multimodal_cfg", {"width": 64}),
    ("vision_cfg", "act_kwargs", {"approximate": "tanh"}),
    ("text_cfg", "no_causal_mask", True),
    ("text_cfg", "proj_bias", True),
    ("text_cfg", "proj_type", "none"),
    ("text_cfg", "embed_cls", True),
    ("text_cfg", "ls_init_value", 0.1),
]
WITHOUT_EFFECT = [
    ("vision_cfg", "patch_dropout", 0.5), ("vision_cfg", "output_tokens", True), ("vision_cfg", "pool_type", "tok"),
    ("vision_cfg", "ls_init_value", None), ("vision_cfg", "no_ln_pre", False), ("vision_cfg", "timm_pool", "avg"),
    ("text_cfg", "output_tokens", True), ("text_cfg", "pool_type", "argmax"), ("text_cfg", "pad_id", 1),
    ("text_cfg", "no_causal_mask", False), ("model_cfg", "custom_text", True),
]  # fmt: skip


def written(tmp_path, published, part, field, value):
    config = published.open_clip_config()
    target = config["model_cfg"] if part == "model_cfg" else config["model_cfg"][part]
    target[field] = value
    return published.write_open_clip(tmp_path, config)


@pytest.mark.parametrize(("part", "field", "value"), UNSUPPORTED)
def test_open_clip_features_that_are_refused(tmp_path, published, part, field, value):
    with pytest.raises(WeightsError, match=field.removeprefix("image_") if field != "image_size" else "square"):
        load_clip(written(tmp_path, published, part, field, value))


def test_a_field_twice_is_refused(tmp_path, published):
    """Python's json takes the last one."""
    folder = published.write_open_clip(tmp_path)
    config = next(folder.glob("*config.json"))
    text = config.read_text()
    assert text.count('"width": ') > 0
    config.write_text(text.replace('"width": ', '"width": 1, "width": ', 1))
    with pytest.raises(WeightsError, match=r"config\.json is not readable JSON .'width' is there twice"):
        load_clip(folder)


@pytest.mark.parametrize(("part", "field", "value"), WITHOUT_EFFECT)
def test_open_clip_fields_without_effect(tmp_path, published, part, field, value):
    clip = load_clip(written(tmp_path / "one", published, part, field, value))
    assert clip.weights_sha256 == load_clip(published.write_open_clip(tmp_path / "two")).weights_sha256


def test_open_clip_epsilon_is_used(tmp_path, published):
    folder = written(tmp_path, published, "text_cfg", "norm_kwargs", {"eps": 1e-3})
    clip = load_clip(folder)
    assert (clip.config.vision.norm_eps, clip.config.text.norm_eps) == (1e-5, 1e-3)
    assert {norm.eps for norm in clip.text_tower().modules() if hasattr(norm, "eps")} == {1e-3}
    assert {norm.eps for norm in clip.visual.modules() if hasattr(norm, "eps")} == {1e-5}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model_type", "siglip", "model_type = 'siglip'"),
        ("model_type", "clip_vision_model", "model_type = 'clip_vision_model'"),
        ("model_type", "chinese_clip", "model_type = 'chinese_clip'"),
        ("quantization_config", {"load_in_8bit": True}, "quantization_config"),
        ("model_type", "altclip", "model_type = 'altclip'"),
        ("architectures", ["SiglipModel"], "architectures = ['SiglipModel']"),
        ("vision_config.hidden_act", "silu", "vision_config.hidden_act = 'silu'"),
        ("text_config.hidden_act", 3, "text_config.hidden_act = 3"),
        ("vision_config.num_channels", 4, "num_channels = 4"),
        ("vision_config.num_attention_heads", 7, "cannot be split into 7 heads"),
        ("vision_config.num_attention_heads", "4", "must be a whole number, got '4'"),
        ("vision_config.layer_norm_eps", "tiny", "layer_norm_eps must be a number"),
        ("vision_config.layer_norm_eps", -1, "norm_eps must be a number above 0"),
        ("vision_config.hidden_size", 96, "vision width 96, the weights have 80"),
        ("text_config.vocab_size", 700, "text vocab_size 700, the weights have 600"),
        ("text_config.eos_token_id", 600, "the vocabulary has 600 tokens"),
        ("projection_dim", 41, "embed_dim 41, the weights have 40"),
        ("vision_config", [], "vision"),
    ],
)
def test_hugging_face_fields_that_are_refused(tmp_path, published, path, value, message):
    published.model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    *parts, last = path.split(".")
    target = config
    for part in parts:
        target = target[part]
    target[last] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError) as caught:
        load_clip(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}, ((0.5,) * 3, (0.5,) * 3, "bicubic")),
        ({"image_mean": 0.5, "image_std": 0.25, "resample": 2}, ((0.5,) * 3, (0.25,) * 3, "bilinear")),
        ({"do_normalize": False, "resample": 1}, ((0.0,) * 3, (1.0,) * 3, "lanczos")),
        ({"image_processor": {"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}}, ((0.0,) * 3, (1.0,) * 3, "bicubic")),
    ],
)
def test_image_processors(tmp_path, published, told, expected):
    published.model.save_pretrained(tmp_path)
    name = "processor_config.json" if "image_processor" in told else "preprocessor_config.json"
    (tmp_path / name).write_text(json.dumps(told))
    found = load_clip(tmp_path).config.vision.preprocessing
    assert (found.mean, found.std, found.interpolation) == expected


@pytest.mark.parametrize(
    ("told", "message"),
    [({"rescale_factor": 1.0}, "rescale_factor"), ({"image_mean": [1, 2]}, "three numbers"),
     ({"resample": 9}, "resample"), ({"image_std": [0, 0, 0]}, "std"),
     ({"image_mean": ["a", 1, 2]}, "number"), ([], "JSON object")],
)  # fmt: skip
def test_image_processors_that_are_refused(tmp_path, published, told, message):
    published.model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    with pytest.raises(WeightsError, match=message):
        load_clip(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["vision_cfg", "text_cfg", "quick_gelu", "embed_dim", "preprocess_cfg", "width", "layers", "head_width", "heads",
     "vision_config", "text_config", "hidden_act", "num_attention_heads", "image_size", "patch_size", "mlp_ratio",
     "mean", "norm_kwargs", "eps", "eos_token_id", "vocab_size", "hidden_size", "model_type", "text_config_dict",
     "model_cfg"]
)  # fmt: skip


@given(st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=4), max_size=5))
def test_no_config_ends_in_anything_but_its_error(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(json.dumps(config))
    for read in (open_clip_facts, hugging_face_facts):
        told = problem(read, path)
        assert "\n" not in told
        assert len(told) < 600


def problem(read, path) -> str:
    try:
        _read_facts(read, path)
    except WeightsError as error:
        return str(error)
    return ""


@given(st.dictionaries(st.sampled_from(["embed_dim", "vision", "text", "activation"]), JSON | st.dictionaries(
    st.sampled_from(["image_size", "patch_size", "width", "layers", "heads", "stem", "preprocessing", "norm_eps"]),
    JSON, max_size=8), max_size=4) | JSON)  # fmt: skip
def test_no_configuration_of_ours_ends_in_anything_but_its_error(config):
    with contextlib.suppress(ConfigError):
        CLIPConfig.from_dict(config)
