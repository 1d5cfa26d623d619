"""Every form of weights in one list: the table in docs/models.md is made of it, and each row is written and read here.

The features are compared with those of transformers' model. `python -m tests.clip.test_documented` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import save_file
from tests.clip.conftest import Published
from tests.tables import page_with

from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.errors import WeightsError

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
START, END = "<!-- forms: made by tests/clip/test_documented.py -->", "<!-- end of forms -->"
Make = Callable[[Published, Path], Path]


class Form(NamedTuple):
    """A row: which kind, what it is called, what writes it into a folder and gives the path to load. refused: the words
    that refuse it. dtype: what the tensors were rounded to."""

    kind: str
    name: str
    make: Make
    refused: str = ""
    dtype: torch.dtype | None = None


def open_clip(change: Callable[[dict[str, Any]], object] = lambda config: None, **tensors: Any) -> Make:
    """An open_clip folder; change: of its config; tensors: more of them, by name."""

    def make(model: Published, folder: Path) -> Path:
        config = copy.deepcopy(model.open_clip_config())
        change(config)
        save_file({**model.tensors, **tensors}, folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        return folder

    return make


def vision(**fields: Any) -> Make:
    return open_clip(lambda config: config["model_cfg"]["vision_cfg"].update(fields))


def text(**fields: Any) -> Make:
    return open_clip(lambda config: config["model_cfg"]["text_cfg"].update(fields))


def pixels(**fields: Any) -> Make:
    return open_clip(lambda config: config["preprocess_cfg"].update(fields))


def cast(dtype: torch.dtype) -> Make:
    def make(model: Published, folder: Path) -> Path:
        open_clip()(model, folder)
        save_file(
            {name: each.to(dtype) for name, each in model.tensors.items()}, folder / "open_clip_model.safetensors"
        )
        return folder

    return make


def checkpoint(wrap: Callable[[dict[str, torch.Tensor]], Any], name: str = "epoch_3.pt") -> Make:
    """What training leaves, beside open_clip's config."""

    def make(model: Published, folder: Path) -> Path:
        torch.save(wrap(model.tensors), folder / name)
        (folder / "open_clip_config.json").write_text(json.dumps(model.open_clip_config()))
        return folder

    return make


def under(prefix: str) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
    return lambda tensors: {prefix + name: each for name, each in tensors.items()}


def hugging_face(
    change: Callable[[dict[str, Any]], object] = lambda config: None, shard: str = "1GB", lose: bool = False
) -> Make:
    def make(model: Published, folder: Path) -> Path:
        model.model.save_pretrained(folder, max_shard_size=shard)
        config = json.loads((folder / "config.json").read_text())
        change(config)
        (folder / "config.json").write_text(json.dumps(config))
        if lose:
            next(folder.glob("model-00002-*")).unlink()
        return folder

    return make


def spoilt(value: float) -> Make:
    def make(model: Published, folder: Path) -> Path:
        bad = model.tensors["visual.proj"].clone()
        bad[0, 0] = value
        return open_clip(**{"visual.proj": bad})(model, folder)

    return make


def lone(model: Published, folder: Path) -> Path:
    save_file(model.tensors, folder / "loose.safetensors")
    return folder / "loose.safetensors"


def ours(model: Published, folder: Path) -> Path:
    (folder / "from").mkdir()
    save_clip(folder / "clip.safetensors", load_clip(open_clip()(model, folder / "from")))
    return folder / "clip.safetensors"


def one_tower(model: Published, folder: Path) -> Path:
    open_clip()(model, folder)
    tower = {name: each for name, each in model.tensors.items() if name.startswith("visual.")}
    save_file(tower, folder / "open_clip_model.safetensors")
    return folder


def content(data: bytes) -> Make:
    def make(_: Published, folder: Path) -> Path:
        (folder / "x.pt").write_bytes(data)
        return folder / "x.pt"

    return make


FORMS = (
    Form("open_clip", "folder", open_clip()),
    Form("open_clip", "fp16", cast(torch.float16), dtype=torch.float16),
    Form("open_clip", "bf16", cast(torch.bfloat16), dtype=torch.bfloat16),
    Form("open_clip", "float8", cast(torch.float8_e4m3fn), "float8_e4m3fn; expected float16"),
    Form("open_clip", "infinity (an overflow of fp16)", spoilt(float("inf")), "visual.proj holds NaN or infinity"),
    Form("open_clip", "NaN", spoilt(float("nan")), "visual.proj holds NaN or infinity"),
    Form("open_clip", "masks, position ids and sizes among the tensors", open_clip(attn_mask=torch.zeros(24, 24), input_resolution=torch.tensor(48))),
    Form("open_clip", "a tensor of SigLIP's", open_clip(logit_bias=torch.tensor(-10.0)), "unknown: logit_bias"),
    Form("open_clip", "adapters that are not merged (LoRA)", open_clip(**{"visual.proj.lora_A.weight": torch.zeros(4, 4)}), "holds adapters beside its weights"),
    Form("open_clip", "one tower alone", one_tower, "expected a whole CLIP with both towers"),
    Form("open_clip", "`output_tokens`, `patch_dropout`", vision(output_tokens=True, patch_dropout=0.5)),
    Form("open_clip", "timm, EVA, ConvNeXt", vision(timm_model_name="eva02_base_patch16_clip_224"), "vision_cfg.timm_model_name = 'eva02_base"),
    Form("open_clip", "ResNet", vision(layers=[3, 4, 6, 3]), "a ResNet"),
    Form("open_clip", "Hugging Face's text tower", text(hf_model_name="xlm-roberta-base"), "text_cfg.hf_model_name = 'xlm-roberta-base'"),
    Form("open_clip", "no causal mask", text(no_causal_mask=True), "text_cfg.no_causal_mask = True"),
    Form("open_clip", "average pooling", vision(pool_type="avg"), "vision_cfg.pool_type = 'avg'"),
    Form("open_clip", "CoCa", open_clip(lambda config: config["model_cfg"].update(multimodal_cfg={})), "model_cfg.multimodal_cfg"),
    Form("open_clip", "a field nobody knows", vision(frobnicate=1), "vision_cfg.frobnicate = 1"),
    Form("open_clip", "another model's config", vision(patch_size=8), "it belongs to other weights"),
    Form("open_clip", "mean of 0 to 255", pixels(mean=[127, 127, 127]), "mean must be three numbers in -1..1"),
    Form("training", "`state_dict`, `module.`", checkpoint(lambda tensors: {"state_dict": under("module.")(tensors), "epoch": 3})),
    Form("training", "`model`, `_orig_mod.`", checkpoint(lambda tensors: {"model": under("_orig_mod.")(tensors)})),
    Form("training", "Lightning's `.ckpt`", checkpoint(lambda tensors: {"state_dict": under("model.")(tensors), "callbacks": {}}, "last.ckpt")),
    Form("training", "its average beside it", checkpoint(lambda tensors: {"state_dict": tensors, "state_dict_ema": tensors}), "it holds weights twice"),
    Form("training", "a whole module, pickled", checkpoint(lambda _: torch.nn.Linear(2, 2)), "loading it would run"),
    Form("Hugging Face", "folder", hugging_face()),
    Form("Hugging Face", "parts and their index", hugging_face(shard="120KB")),
    Form("Hugging Face", "a part missing", hugging_face(shard="120KB", lose=True), "lacks the parts model-00002"),
    Form("Hugging Face", "SigLIP, AltCLIP, Chinese CLIP", hugging_face(lambda config: config.update(model_type="siglip")), "model_type = 'siglip'"),
    Form("Hugging Face", "another activation", hugging_face(lambda config: config["vision_config"].update(hidden_act="relu")), "vision_config.hidden_act = 'relu'"),
    Form("Hugging Face", "quantised", hugging_face(lambda config: config.update(quantization_config={"quant_method": "gptq"})), "quantization_config"),
    Form("ours", "`save_clip`", ours, dtype=torch.float16),
    Form("lone file", "without a word about heads", lone, "does not say the activation and the numbers of heads"),
    Form("lone file", "a Git LFS pointer", content(b"version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    Form("lone file", "a web page", content(b"<!DOCTYPE html>"), "it is a web page"),
    Form("lone file", "GGUF", content(b"GGUF\3\0\0\0"), "it is a GGUF model"),
    Form("lone file", "ONNX", content(b"\x08\x07\x12\x04onnx"), "it is an ONNX or TensorFlow model"),
    Form("lone file", "empty", content(b""), "it is empty"),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=[f"{form.kind}: {form.name}" for form in FORMS])
def test_every_documented_form_is_transformers_model_or_refused_in_these_words(form: Form, tmp_path, published) -> None:
    path = form.make(published, tmp_path)
    if form.refused:
        with pytest.raises(WeightsError, match=form.refused) as caught:
            load_clip(path)
        assert "\n" not in str(caught.value)
        return
    clip, (image, words) = load_clip(path), published.features(form.dtype)
    torch.testing.assert_close(clip.encode_image(published.pixels()), image, atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(clip.encode_text(published.tokens()), words, atol=2e-4, rtol=1e-4)


def table() -> str:
    lines = ["| form | | what becomes of it |", "|---|---|---|"]
    for form in FORMS:
        outcome = f'refused: "{form.refused}"' if form.refused else "read"
        lines.append(f"| {form.kind} | {form.name} | {outcome} |")
    return "\n".join(lines)


def page() -> str:
    return page_with(PAGE, START, table(), END)


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.clip.test_documented"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
