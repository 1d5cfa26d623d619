"""Every weight format, from files written in that format here; what a damaged or foreign file says."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from anomalyclip.clip.architecture import infer_config
from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.containers import Entry, open_container
from anomalyclip.clip.facts import Given, KnownWeights
from anomalyclip.clip.formats import RawWeights
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.published import OPEN_CLIP
from anomalyclip.clip.weights import load_clip, load_vision, save_clip, weights_hash
from anomalyclip.errors import WeightsError

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def openai(golden_folder) -> dict[str, torch.Tensor]:
    return load_file(golden_folder / "clip_small_openai.safetensors")


@pytest.fixture(scope="module")
def reference(golden_folder) -> CLIP:
    return load_clip(golden_folder / "clip_small_openai.safetensors")


GIVEN = Given("quick_gelu", heads=(2, 2))  # what a lone file of the golden model does not say


def lone(path) -> CLIP:
    """Load a file that stands alone, with what it does not say."""
    return load_clip(KnownWeights(path, GIVEN))


def assert_same(clip: CLIP, reference: CLIP) -> None:
    assert clip.config == reference.config
    assert clip.weights_sha256 == reference.weights_sha256
    for name, tensor in reference.state_dict().items():
        assert torch.equal(clip.state_dict()[name], tensor), name


class _Holder(torch.nn.Module):
    """Nested modules whose state dict has the given names: what OpenAI's archive holds; its code shows QuickGELU."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        groups: dict[str, dict[str, torch.Tensor]] = {}
        for name, tensor in state.items():
            head, _, rest = name.partition(".")
            if rest:
                groups.setdefault(head, {})[rest] = tensor
            else:
                self.register_parameter(head, torch.nn.Parameter(tensor, requires_grad=False))
        for head, group in groups.items():
            self.add_module(head, _Holder(group))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(x)


def write_torchscript(path, state, activation=lambda x: x * torch.sigmoid(1.702 * x)):
    holder = _Holder(state)
    holder.activation = activation
    holder.input_resolution = torch.tensor(56)  # OpenAI's archives carry these beside the weights
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(holder, torch.zeros(1)), str(path))


def test_torchscript_archive(tmp_path, openai, reference):
    write_torchscript(tmp_path / "ViT.pt", openai)
    clip = load_clip(KnownWeights(tmp_path / "ViT.pt", Given(heads=(2, 2))))
    assert_same(clip, reference)
    assert clip.config.vision.told_by == "given: heads 2/2; the archive's code"


@pytest.mark.parametrize(
    ("activation", "found"),
    [
        (torch.nn.functional.gelu, "gelu"),
        (partial(torch.nn.functional.gelu, approximate="tanh"), "gelu_tanh"),
        (torch.relu, None),
    ],
)
def test_an_archives_activation_is_that_of_its_code_and_its_heads_are_never_guessed(
    tmp_path, openai, activation, found
):
    write_torchscript(tmp_path / "ViT.pt", openai, activation)
    lacks = "the numbers of heads" if found else "the activation and the numbers of heads"
    with pytest.raises(WeightsError, match=f"does not say {lacks}, "):
        load_clip(tmp_path / "ViT.pt")
    if found:
        config = load_clip(KnownWeights(tmp_path / "ViT.pt", Given(heads=(4, 4)))).config
        assert (config.vision.activation, config.vision.heads, config.text.heads) == (found, 4, 4)


@pytest.mark.parametrize("name", ["ViT-L-14-336", "ViT-H-14", "ViT-bigG-14"])
def test_an_archive_of_a_published_shape_has_its_heads(name):
    """Heads of 64 numbers are OpenAI's; LAION's H, g and bigG have others."""
    architecture = OPEN_CLIP[name]
    (width, words), (layers, depth), side = architecture.widths, architecture.layers, architecture.image_size
    vision = VisionConfig(side, architecture.patch_size, width, layers, 1, mlp_width=architecture.mlp_width)
    with torch.device("meta"):
        outline = CLIP(CLIPConfig(architecture.embed_dim, vision, TextConfig(77, 49408, words, depth, 1)))
    entries = {
        CLIP.file_name(each): Entry(tuple(tensor.shape), tensor.clone) for each, tensor in outline.state_dict().items()
    }
    config = infer_config(RawWeights(Path("x.pt"), entries, activation="gelu"))
    assert (config.vision.heads, config.text.heads) == architecture.heads
    assert config.vision.told_by.startswith("the archive's code; heads as open_clip:ViT-")


@pytest.mark.parametrize("numbers", [384, 3])
def test_a_tensors_bytes_are_no_pickle(tmp_path, numbers):
    """torch before 1.6 wrote a tensor's length behind its pickles: that of 384 numbers begins as a pickle does."""
    tensor = torch.arange(numbers) / 7
    torch.save({"visual.x": tensor}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(open_container(tmp_path / "old.pt").entries["visual.x"].load(), tensor)


def test_torchscript_equals_what_torch_jit_reads(tmp_path, openai):
    """The restricted reader against torch's own."""
    from anomalyclip.clip.archive import read_torchscript

    path = tmp_path / "ViT.pt"
    write_torchscript(path, openai)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.jit.load(str(path)).state_dict()
    ours = {name: tensor.load(path) for name, tensor in read_torchscript(path)[0].items()}
    assert set(theirs) <= set(ours)
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor)
        assert ours[name].dtype == tensor.dtype


def test_plain_state_dict(tmp_path, openai, reference):
    torch.save(openai, tmp_path / "clip.pt")
    assert_same(lone(tmp_path / "clip.pt"), reference)


@pytest.fixture(scope="module")
def huggingface():
    """transformers' own CLIP with random weights, three heads of width 16 (not inferable from shapes)."""
    from transformers import CLIPConfig as HFConfig
    from transformers import CLIPModel

    torch.manual_seed(0)
    shared = {"hidden_size": 48, "intermediate_size": 192, "num_hidden_layers": 3, "num_attention_heads": 3}
    config = HFConfig(
        text_config=shared
        | {"vocab_size": 600, "max_position_embeddings": 24, "eos_token_id": 599, "bos_token_id": 598},
        vision_config=shared | {"image_size": 48, "patch_size": 16},
        projection_dim=40,
    )
    model = CLIPModel(config).eval()
    for parameter in model.parameters():  # default biases are zero and norms one: a mix-up would go unseen
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("layout", ["folder", "file", "bin"])
def test_hugging_face_and_plain_clip_parity(tmp_path, huggingface, layout):
    """Loaded from transformers' own files, our plain CLIP equals transformers' outputs within 1e-5."""
    huggingface.save_pretrained(tmp_path)
    path = tmp_path
    if layout == "file":
        path = tmp_path / "model.safetensors"
    if layout == "bin":
        path = tmp_path / "pytorch_model.bin"
        torch.save(load_file(tmp_path / "model.safetensors"), path)
    clip = load_clip(path)
    assert (clip.config.vision.heads, clip.config.text.heads) == (3, 3)
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(2, 3, 48, 48, generator=generator)
    tokens = torch.randint(1, 590, (3, 24), generator=generator)
    for row, end in enumerate((23, 9, 15)):
        tokens[row, end] = 599
        tokens[row, end + 1 :] = 0
    with torch.no_grad():
        theirs = huggingface(input_ids=tokens, pixel_values=pixels)
        vision = huggingface.visual_projection(huggingface.vision_model(pixels).pooler_output)
        text = huggingface.text_projection(huggingface.text_model(input_ids=tokens).pooler_output)
        torch.testing.assert_close(clip.encode_image(pixels), vision, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(clip.encode_text(tokens), text, rtol=1e-5, atol=1e-5)
    normalised = torch.nn.functional.normalize(clip.encode_image(pixels), dim=-1)
    torch.testing.assert_close(normalised, theirs.image_embeds, rtol=1e-5, atol=1e-5)


def test_our_own_file_keeps_the_configuration(tmp_path):
    stem = StemConfig(first=8, stages=(StemStage(3, 1, 2, 12, 1), StemStage(3, 2, 2, 12, 2)), taps=(1, 2), stride=4)
    config = CLIPConfig(
        24,
        VisionConfig(16, 4, 36, 2, 3, stem=stem, activation="gelu"),
        TextConfig(16, 600, 32, 2, 4, activation="gelu"),
    )
    clip = random_clip(config, seed=3)
    save_clip(tmp_path / "model.safetensors", clip)
    loaded = load_clip(tmp_path / "model.safetensors")
    assert loaded.config == config
    assert loaded.tensors_sha256 == weights_hash({CLIP.file_name(k): v for k, v in clip.state_dict().items()})
    pixels = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded.encode_image(pixels), clip.encode_image(pixels), rtol=2e-2, atol=2e-2)


def test_towers_one_after_the_other(tmp_path, openai, reference):
    save_file(openai, tmp_path / "clip.safetensors")
    known = KnownWeights(tmp_path / "clip.safetensors", GIVEN)
    clip = load_clip(known, vision=False)
    assert all(p.is_meta for p in clip.visual.parameters())
    assert clip.weights_sha256 == reference.weights_sha256
    tokens = torch.tensor([[1, 5, 7, 0]])
    assert torch.equal(clip.encode_text(tokens), reference.encode_text(tokens))
    load_vision(clip, known)
    assert_same(clip, reference)
    assert not any(p.requires_grad for p in clip.parameters())


def test_a_file_replaced_between_the_towers_is_refused(tmp_path, openai):
    save_file(openai, tmp_path / "clip.safetensors")
    known = KnownWeights(tmp_path / "clip.safetensors", GIVEN)
    clip = load_clip(known, vision=False)
    other = CLIPConfig(24, VisionConfig(16, 2, 36, 2, 3), TextConfig(16, 600, 32, 2, 4))
    save_clip(tmp_path / "clip.safetensors", random_clip(other))
    with pytest.raises(WeightsError, match="replaced while it was being read"):
        load_vision(clip, known)


def test_hash_is_of_content_not_of_format(tmp_path, openai, reference):
    torch.save({name: tensor.float() for name, tensor in openai.items()}, tmp_path / "fp32.pt")
    assert lone(tmp_path / "fp32.pt").weights_sha256 == reference.weights_sha256
    changed = dict(openai) | {"ln_final.bias": openai["ln_final.bias"] + 0.5}
    save_file(changed, tmp_path / "changed.safetensors")
    assert lone(tmp_path / "changed.safetensors").weights_sha256 != reference.weights_sha256


def test_every_wrong_key_is_listed(tmp_path, openai):
    state = dict(openai)
    del state["ln_final.bias"], state["visual.ln_post.weight"]
    state["visual.strange"] = torch.zeros(1)
    state["text_projection"] = torch.zeros(128, 63)
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError) as caught:
        lone(tmp_path / "bad.safetensors")
    for part in (
        "missing: ln_final.bias, visual.ln_post.weight",
        "unknown: visual.strange",
        "(128, 63) instead of (128, 64)",
    ):
        assert part in str(caught.value)


def test_incomplete_hugging_face_file_names_what_is_missing(tmp_path, huggingface):
    state = {k: v for k, v in huggingface.state_dict().items() if "0.self_attn.v_proj.weight" not in k}
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"lacks .*v_proj\.weight"):
        load_clip(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a readable"), (b"PK\x03\x04rubbish", "not a readable"), (b"\xff" * 64, "not a readable"),
     (b"\x08\0\0\0\0\0\0\0{\"a\":1}.", "damaged safetensors"),
     (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
     (b"<!DOCTYPE html>", "a web page"),
     (b"GGUF\3\0\0\0", "a GGUF model"), (b"\x08\x07\x12\4onnx", "an ONNX"), (b"\x89HDF\r\n\x1a\n", "an HDF5 file")],
)  # fmt: skip
def test_rubbish_is_refused(tmp_path, content, message):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        load_clip(tmp_path / "x.pt")
    assert "weights_only" not in str(caught.value)  # torch's advice is to run what is in there


def test_missing_files_say_what_was_looked_for(tmp_path):
    with pytest.raises(WeightsError, match="do not exist"):
        load_clip(tmp_path / "none.pt")
    with pytest.raises(WeightsError, match=r"holds none of model\.safetensors"):
        load_clip(tmp_path)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="holds no CLIP image encoder"):
        load_clip(tmp_path / "other.pt")


class _Bomb:
    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (os.mkdir, (self.marker,))


def test_code_in_a_pickle_never_runs(tmp_path, openai):
    marker = tmp_path / "executed"
    torch.save({"visual.x": _Bomb(str(marker))}, tmp_path / "evil.pt")
    with pytest.raises(WeightsError):
        load_clip(tmp_path / "evil.pt")
    write_torchscript(tmp_path / "good.pt", openai)
    with zipfile.ZipFile(tmp_path / "good.pt") as source, zipfile.ZipFile(tmp_path / "evil.ts", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, pickle.dumps(_Bomb(str(marker)), protocol=2) if name.endswith("data.pkl") else data)
    with pytest.raises(WeightsError, match="has no place in a weights file"):
        load_clip(tmp_path / "evil.ts")
    assert not marker.exists()
