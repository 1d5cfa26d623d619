"""Every form in which one model is published gives transformers' own features, and one identity."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from anomalyclip.clip.facts import Given, KnownWeights
from anomalyclip.clip.foreign import KINDS
from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.clip.weights import load_clip
from anomalyclip.errors import HubError, WeightsError
from anomalyclip.hub import resolve_model

PIXELS = Preprocessing((0.5, 0.4, 0.3), (0.2, 0.25, 0.3), "bilinear")
GIVEN = Given("gelu", heads=(4, 2))


def assert_transformers(clip, published, dtype: torch.dtype | None = None, atol: float = 2e-5) -> None:
    vision, text = published.features(dtype)
    scale = float(vision.abs().max())
    torch.testing.assert_close(clip.encode_image(published.pixels()), vision, rtol=0, atol=atol * scale)
    text_scale = float(text.abs().max())
    torch.testing.assert_close(clip.encode_text(published.tokens()), text, rtol=0, atol=atol * text_scale)


def processor(folder: Path) -> None:
    told = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3], "resample": 2, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))


def hugging_face(folder: Path, published) -> Path:
    published.model.save_pretrained(folder)
    processor(folder)
    return folder


def hugging_face_bin(folder: Path, published) -> Path:
    hugging_face(folder, published)
    (folder / "model.safetensors").unlink()
    torch.save(published.model.state_dict(), folder / "pytorch_model.bin")
    return folder


def sharded(folder: Path, published) -> Path:
    published.model.save_pretrained(folder, max_shard_size="200KB")
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 1
    processor(folder)
    return folder


def sharded_bin(folder: Path, published) -> Path:
    published.model.config.save_pretrained(folder)
    processor(folder)
    names = sorted(published.model.state_dict())
    parts = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for file, chosen in parts.items():
        torch.save({name: published.model.state_dict()[name] for name in chosen}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, chosen in parts.items() for name in chosen}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return folder / "pytorch_model.bin.index.json"


def hub_cache(folder: Path, published) -> Path:
    """As huggingface_hub lays it out: the snapshot's files are links to blobs."""
    repository = folder / "models--some--clip"
    snapshot, blobs = repository / "snapshots" / ("ab" * 20), repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    hugging_face(folder / "plain", published)
    for number, file in enumerate(sorted((folder / "plain").iterdir())):
        file.rename(blobs / f"{number:040x}")
        (snapshot / file.name).symlink_to(os.path.relpath(blobs / f"{number:040x}", snapshot))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("ab" * 20)
    return repository


def hub_snapshot(folder: Path, published) -> Path:
    return hub_cache(folder, published) / "snapshots" / ("ab" * 20)


def hub_file(folder: Path, published) -> Path:
    return hub_snapshot(folder, published) / "model.safetensors"


def open_clip(folder: Path, published) -> Path:
    return published.write_open_clip(folder)


def open_clip_bin(folder: Path, published) -> Path:
    return published.write_open_clip(folder, suffix="bin") / "open_clip_pytorch_model.bin"


def custom_text(folder: Path, published) -> Path:
    """open_clip's CustomTextCLIP has the text tower in a module of its own."""
    published.write_open_clip(folder, published.open_clip_config(custom_text=True))
    vision = ("visual.", "logit_scale")
    named = {n if n.startswith(vision) else f"text.{n}": x for n, x in published.tensors.items()}
    save_file(named, folder / "open_clip_model.safetensors")
    return folder


def training_checkpoint(folder: Path, published) -> Path:
    """What open_clip's own training writes, beside the config."""
    published.write_open_clip(folder)
    (folder / "open_clip_model.safetensors").unlink()
    state = {f"module.{name}": tensor for name, tensor in published.tensors.items()}
    torch.save({"epoch": 32, "name": "run", "state_dict": state, "optimizer": {"state": {}}}, folder / "epoch_32.pt")
    return folder


def average_alone(folder: Path, published) -> Path:
    """As trainers keep an average of the weights, and nothing else."""
    published.write_open_clip(folder)
    (folder / "open_clip_model.safetensors").unlink()
    state = {f"module.{name}": tensor for name, tensor in published.tensors.items()}
    torch.save({"model_ema": state, "optimizer": {"state": {}, "param_groups": [{"lr": 1.0}]}}, folder / "ema.pt")
    return folder


def swa_model(folder: Path, published) -> Path:
    """torch.optim.swa_utils.AveragedModel, which counts beside the weights."""
    published.write_open_clip(folder)
    (folder / "open_clip_model.safetensors").unlink()
    state = {f"module.{name}": tensor for name, tensor in published.tensors.items()}
    torch.save(state | {"n_averaged": torch.tensor(7)}, folder / "swa.pt")
    return folder


FORMS = {
    each.__name__: each
    for each in (
        hugging_face, hugging_face_bin, sharded, sharded_bin, hub_cache, hub_snapshot, hub_file, open_clip,
        open_clip_bin, custom_text, training_checkpoint, average_alone, swa_model,
    )
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_transformers_model(tmp_path, published, form):
    clip = load_clip(FORMS[form](tmp_path, published))
    assert (clip.config.vision.heads, clip.config.text.heads) == (4, 2)
    assert (clip.config.vision.mlp_width, clip.config.text.mlp_width) == (208, 0)
    assert clip.config.vision.preprocessing == PIXELS
    theirs = (tmp_path / "open_clip_config.json").exists()
    assert clip.config.vision.told_by == ("open_clip_config.json" if theirs else "config.json")
    assert_transformers(clip, published)


def test_weights_beside_their_average_are_refused(tmp_path, published):
    published.write_open_clip(tmp_path)
    (tmp_path / "open_clip_model.safetensors").unlink()
    torch.save({"state_dict": published.tensors, "state_dict_ema": published.tensors}, tmp_path / "run.pt")
    with pytest.raises(WeightsError, match=r"run\.pt: it holds weights twice, as 'state_dict' and averaged"):
        load_clip(tmp_path)


def test_all_forms_have_one_identity(tmp_path, published):
    names = set()
    for form, make in FORMS.items():
        (tmp_path / form).mkdir()
        names.add(load_clip(make(tmp_path / form, published)).weights_sha256)
    assert len(names) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("form", [hugging_face, open_clip])
def test_files_of_other_precision(tmp_path, published, form, dtype):
    """The model that transformers has with the same rounded numbers."""
    file = next(form(tmp_path, published).glob("*model.safetensors"))
    state = published.tensors if form is open_clip else published.model.state_dict()
    save_file({name: tensor.to(dtype).contiguous() for name, tensor in state.items()}, file)
    assert_transformers(load_clip(tmp_path), published, dtype)


def test_lone_file_is_refused_until_told(tmp_path, published):
    torch.save(published.tensors, tmp_path / "loose.bin")
    with pytest.raises(WeightsError, match=r"does not say the activation and the numbers of heads.*--activation"):
        load_clip(tmp_path / "loose.bin")
    clip = load_clip(KnownWeights(tmp_path / "loose.bin", GIVEN))
    assert_transformers(clip, published)
    assert clip.config.vision.told_by == "given: activation gelu, heads 4/2"


def test_another_reading_is_another_identity(tmp_path, published):
    """The same tensors with another activation, other heads, other pixels, or none of it."""
    torch.save(published.tensors, tmp_path / "loose.bin")
    readings = [Given("gelu", (4, 2)), Given("quick_gelu", (4, 2)), Given("gelu", (8, 2)), Given("gelu", (4, 4))]
    found = [load_clip(KnownWeights(tmp_path / "loose.bin", given)) for given in readings]
    folder = published.write_open_clip(tmp_path / "oc")  # has its own mean and std
    found.append(load_clip(folder))
    assert len({clip.weights_sha256 for clip in found}) == 5
    assert len({clip.tensors_sha256 for clip in found}) == 1
    told = load_clip(KnownWeights(folder, Given("gelu")))  # what the config says anyway
    assert told.weights_sha256 == found[-1].weights_sha256


def test_each_tower_has_its_own_activation_and_epsilon(tmp_path, make_published):
    mixed = make_published(
        {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-2},
        {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-3},
    )
    clip = load_clip(hugging_face(tmp_path, mixed))
    assert (clip.config.vision.activation, clip.config.text.activation) == ("quick_gelu", "gelu_tanh")
    assert_transformers(clip, mixed)


def test_an_end_that_is_not_the_largest_token(tmp_path, make_published):
    """transformers takes the first end-of-text token, the old rule takes the largest id."""
    other = make_published(text={"eos_token_id": 530, "bos_token_id": 529})
    clip = load_clip(hugging_face(tmp_path, other))
    assert clip.config.text.end == 530
    assert clip.tokenizer().eot == 530
    assert_transformers(clip, other)


def test_transformers_defaults_stand_for_fields_that_are_not_there(tmp_path, make_published):
    """config.json leaves out what equals the library's defaults: 12 and 8 heads, QuickGELU."""
    plain = make_published(
        {"hidden_size": 96, "intermediate_size": 3072, "num_attention_heads": 12, "hidden_act": "quick_gelu"},
        {"num_attention_heads": 8, "hidden_act": "quick_gelu"},
    )
    hugging_face(tmp_path, plain)
    config = json.loads((tmp_path / "config.json").read_text())
    for tower in ("vision_config", "text_config"):
        for field in ("num_attention_heads", "hidden_act", "layer_norm_eps"):
            config[tower].pop(field, None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_transformers(load_clip(tmp_path), plain)


def test_old_configs_name_the_towers_twice(tmp_path, published):
    """Until 2022 the towers' values stood in ``*_config_dict``, which transformers lets win."""
    hugging_face(tmp_path, published)
    config = json.loads((tmp_path / "config.json").read_text())
    for tower in ("vision", "text"):
        config[f"{tower}_config_dict"] = config[f"{tower}_config"]
        config[f"{tower}_config"] = {"hidden_act": "quick_gelu", "num_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_transformers(load_clip(tmp_path), published)


@pytest.mark.parametrize(
    ("make", "edit", "message"),
    [
        (sharded_bin, lambda folder: (folder / "pytorch_model-00002-of-00002.bin").unlink(), "lacks the parts"),
        (
            sharded_bin,
            lambda folder: torch.save({}, folder / "pytorch_model-00002-of-00002.bin"),
            "which the index says is in it",
        ),
        (open_clip, lambda folder: edited(folder, "vision_cfg", "width", 96), "vision width 96, the weights have 80"),
        (open_clip, lambda folder: edited(folder, "text_cfg", "layers", 3), "text layers 3, the weights have 2"),
        (open_clip, lambda folder: edited(folder, "vision_cfg", "head_width", 24), "cannot be split into 3 heads"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, published, make, edit, message):
    path = make(tmp_path, published)
    edit(tmp_path)
    with pytest.raises(WeightsError, match=re.escape(message)):
        load_clip(path)


def edited(folder: Path, part: str, field: str, value: object) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"][part][field] = value
    path.write_text(json.dumps(config))


def test_a_part_alone_names_its_index(tmp_path, published):
    sharded_bin(tmp_path, published)
    with pytest.raises(WeightsError, match="one part of several"):
        load_clip(tmp_path / "pytorch_model-00001-of-00002.bin")


def test_timms_folder_of_an_open_clip_model_is_read_as_open_clips(tmp_path, published):
    """Its model.safetensors is the image tower alone, for timm."""
    folder = published.write_open_clip(tmp_path / "vit_base_patch32_clip_224.openai")
    save_file({"patch_embed.proj.weight": torch.zeros(2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit_base_patch32_clip_224", "num_classes": 40}))
    assert_transformers(load_clip(folder), published)


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_another_kind_are_named(tmp_path, kind):
    name = kind + "weight" if kind[-1] in "._" else kind
    save_file({name: torch.zeros(2), "visual.proj": torch.zeros(2, 2)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match=re.escape(f"is not for this package: it is {KINDS[kind][0]}; ")):
        load_clip(tmp_path / "x.safetensors")


def test_a_cut_archive_a_text_a_lost_link_and_a_whole_cache_are_told(tmp_path):
    torch.save({"visual.proj": torch.zeros(40, 40)}, tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:3000])
    (tmp_path / "text.pt").write_text("Invalid username or password.")
    snapshot = tmp_path / "models--me--clip" / "snapshots" / "abcdef0"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/gone")
    for path, words in (
        ("cut.pt", "cut short or damaged: a ZIP archive without its end; download it again"),
        ("text.pt", "it is a text: 'Invalid username or password.'; download the weights again"),
        ("models--me--clip", "model.safetensors is a link to a file that is not there; download it again"),
        ("", "is a hub cache; give one of its models: 'models--me--clip'"),
    ):
        with pytest.raises(WeightsError, match=re.escape(words)):
            load_clip(tmp_path / path)
    with pytest.raises(HubError, match="is a link to a file that is not there"):
        resolve_model(snapshot / "model.safetensors")
