"""One model of transformers, with everything that shapes do not tell, written in every form it is published in."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

os.environ.setdefault("HF_HUB_OFFLINE", "1")
PARTS = {
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
}  # fmt: skip


def open_clip_names(theirs: dict[str, torch.Tensor], depths: tuple[int, int]) -> dict[str, torch.Tensor]:
    """transformers' state dict under OpenAI's names, written here anew: the loader's renaming is what is tested."""
    out = {
        "visual.class_embedding": theirs["vision_model.embeddings.class_embedding"],
        "visual.conv1.weight": theirs["vision_model.embeddings.patch_embedding.weight"],
        "visual.positional_embedding": theirs["vision_model.embeddings.position_embedding.weight"],
        "token_embedding.weight": theirs["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": theirs["text_model.embeddings.position_embedding.weight"],
        "logit_scale": theirs["logit_scale"],
        "visual.proj": theirs["visual_projection.weight"].T,
        "text_projection": theirs["text_projection.weight"].T,
    }
    norms = {"vision_model.pre_layrnorm": "visual.ln_pre", "vision_model.post_layernorm": "visual.ln_post"}
    norms["text_model.final_layer_norm"] = "ln_final"
    for kind in ("weight", "bias"):
        out |= {f"{ours}.{kind}": theirs[f"{name}.{kind}"] for name, ours in norms.items()}
        for tower, name, depth in zip(
            ("vision_model", "text_model"), ("visual.transformer", "transformer"), depths, strict=True
        ):
            for block in range(depth):
                source, target = f"{tower}.encoder.layers.{block}.", f"{name}.resblocks.{block}."
                joined = [theirs[f"{source}self_attn.{letter}_proj.{kind}"] for letter in "qkv"]
                out[f"{target}attn.in_proj_{kind}"] = torch.cat(joined)
                out |= {f"{target}{ours}.{kind}": theirs[f"{source}{part}.{kind}"] for part, ours in PARTS.items()}
    return {name: tensor.detach().clone().contiguous() for name, tensor in out.items()}


VISION = {
    "hidden_size": 80, "intermediate_size": 208, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 48,
    "patch_size": 16, "hidden_act": "gelu",
}  # fmt: skip
TEXT = {
    "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 600,
    "max_position_embeddings": 24, "hidden_act": "gelu", "eos_token_id": 599, "bos_token_id": 598,
}  # fmt: skip


class Published:
    """A model, its two kinds of names, and its config files: heads of 20 and 32 numbers, GELU, an MLP of 2.6 widths."""

    def __init__(self, vision: dict | None = None, text: dict | None = None) -> None:
        from transformers import CLIPConfig, CLIPModel

        torch.manual_seed(0)
        self.vision, self.text = VISION | (vision or {}), TEXT | (text or {})
        self.model = CLIPModel(CLIPConfig(text_config=self.text, vision_config=self.vision, projection_dim=40)).eval()
        for parameter in self.model.parameters():  # strong enough that a wrong activation or head count shows
            parameter.data = 3 * parameter.data + 0.05 * torch.randn_like(parameter)
        depths = (self.vision["num_hidden_layers"], self.text["num_hidden_layers"])
        self.tensors = open_clip_names(self.model.state_dict(), depths)

    def open_clip_config(self, **model_cfg: object) -> dict:
        vision, text = self.vision, self.text
        return {
            "model_cfg": {
                "embed_dim": 40,
                "vision_cfg": {
                    "image_size": vision["image_size"], "layers": vision["num_hidden_layers"],
                    "width": vision["hidden_size"], "patch_size": vision["patch_size"],
                    "head_width": vision["hidden_size"] // vision["num_attention_heads"],
                    "mlp_ratio": (vision["intermediate_size"] + 0.01) / vision["hidden_size"],
                },
                "text_cfg": {
                    "context_length": text["max_position_embeddings"], "vocab_size": text["vocab_size"],
                    "width": text["hidden_size"], "heads": text["num_attention_heads"],
                    "layers": text["num_hidden_layers"],
                    "mlp_ratio": text["intermediate_size"] / text["hidden_size"],
                },
                **model_cfg,
            },
            "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "interpolation": "bilinear"},
        }  # fmt: skip

    def write_open_clip(self, folder: Path, config: dict | None = None, suffix: str = "safetensors") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        if suffix == "safetensors":
            save_file(self.tensors, folder / "open_clip_model.safetensors")
        else:
            torch.save(self.tensors, folder / "open_clip_pytorch_model.bin")
        (folder / "open_clip_config.json").write_text(json.dumps(config or self.open_clip_config()))
        return folder

    def pixels(self) -> torch.Tensor:
        return torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(1))

    def tokens(self) -> torch.Tensor:
        """Three texts that end at different places; what follows an end is padding."""
        end = self.text["eos_token_id"]
        tokens = torch.randint(1, 590, (3, 24), generator=torch.Generator().manual_seed(2))
        tokens[tokens == end] = 7
        for row, place in enumerate((23, 9, 15)):
            tokens[row, place] = end
            tokens[row, place + 1 :] = 0
        return tokens

    @torch.no_grad()
    def features(self, dtype: torch.dtype | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """What transformers makes of :meth:`pixels` and :meth:`tokens`, with weights rounded to a type."""
        model = copy.deepcopy(self.model).to(dtype or torch.float32).float()
        vision = model.vision_model(self.pixels()).pooler_output
        text = model.text_model(input_ids=self.tokens()).pooler_output
        return model.visual_projection(vision), model.text_projection(text)


@pytest.fixture(scope="session")
def make_published() -> type[Published]:
    return Published


@pytest.fixture(scope="session")
def published() -> Published:
    return Published()
