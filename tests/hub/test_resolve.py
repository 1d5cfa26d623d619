"""Names, paths, sources, switches: what a user types and what comes of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from anomalyclip.errors import HubError, WeightsError
from anomalyclip.hub import files as hub_files
from anomalyclip.hub import find_entry, home, look, obtain, resolve_model, resolve_prompts
from anomalyclip.hub.registry import MODELS, PROMPTS
from anomalyclip.prompts import PromptFile, PromptMetadata, PromptSettings, save_prompts


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("touched the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_name_is_downloaded_once(server, tiny, cache_home, body) -> None:
    files = resolve_model("tiny")
    assert files.name == "tiny"
    assert files.default_prompts == "tiny-prompts"
    assert files.weights == cache_home / "models" / "tiny" / "tiny.pt"
    assert files.weights.read_bytes() == body
    assert resolve_model("tiny") == files
    assert len(server.requests) == 1


def test_prompts_are_verified_by_git_blob_id(server, tiny, cache_home) -> None:
    path = resolve_prompts("tiny-prompts")
    assert path == cache_home / "prompts" / "tiny-prompts" / "tiny-prompts.pth"
    assert path.read_bytes() == b"learned words"
    path.unlink()
    server.files["/prompts/words.pth"] = b"learnt  words"
    with pytest.raises(HubError, match="its git blob id is"):
        resolve_prompts("tiny-prompts")


def test_another_source_on_request_and_kept_afterwards(server, tiny) -> None:
    first = resolve_model("tiny", source="huggingface")
    assert first.weights.name == "tiny.safetensors"
    assert resolve_model("tiny").weights == first.weights  # auto takes what is here
    assert resolve_model("tiny", offline=True).weights == first.weights
    assert [request["path"] for request in server.requests] == ["/hf/tiny.safetensors"]
    assert resolve_model("tiny", source="openai").weights.name == "tiny.pt"
    assert resolve_model("tiny").weights.name == "tiny.pt"


def test_unknown_sources_are_refused(tiny) -> None:
    with pytest.raises(HubError, match="source must be one of auto, openai, huggingface, got 'ftp'"):
        resolve_model("tiny", source="ftp")  # type: ignore[arg-type]


@pytest.mark.parametrize("switch", ["argument", "1", "true", "YES", " on "])
def test_offline_says_what_to_put_where(tiny, server, cache_home, no_network, monkeypatch, switch: str) -> None:
    if switch != "argument":
        monkeypatch.setenv("ANOMALYCLIP_OFFLINE", switch)
    with pytest.raises(HubError) as caught:
        resolve_model("tiny", offline=switch == "argument")
    text = str(caught.value)
    for file in tiny.files:
        assert file.url in text
        assert f"{file.size:,} bytes" in text
        assert str(file.sha256) in text
        assert str(cache_home / "models" / "tiny" / file.filename) in text
    assert "ANOMALYCLIP_OFFLINE" in text
    with pytest.raises(HubError, match=r"git blob [0-9a-f]{40}; check: git hash-object"):
        resolve_prompts("tiny-prompts", offline=switch == "argument")
    assert server.requests == []


def test_a_file_put_there_by_hand_is_taken_offline(tiny, target, body, no_network) -> None:
    target.write_bytes(body)
    assert resolve_model("tiny", offline=True).weights == target


def test_a_wrong_file_put_there_by_hand_is_named_offline(tiny, target, no_network) -> None:
    target.write_bytes(b"not it")
    with pytest.raises(HubError, match=r"tiny\.pt is not the file it should be: it has 6 bytes"):
        resolve_model("tiny", offline=True)


def test_a_damaged_file_is_replaced_online(tiny, target, body) -> None:
    target.write_bytes(bytes(len(body)))
    assert resolve_model("tiny").weights.read_bytes() == body


def test_offline_zero_means_online(tiny, server, monkeypatch) -> None:
    monkeypatch.setenv("ANOMALYCLIP_OFFLINE", "0")
    resolve_model("tiny")
    assert len(server.requests) == 1


def test_no_network_says_the_same(tiny, cache_home, monkeypatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    with pytest.raises(HubError, match="its name does not resolve") as caught:
        resolve_model("tiny")
    assert str(cache_home / "models" / "tiny" / "tiny.pt") in str(caught.value)


def test_a_mirror_replaces_scheme_and_host(server, body, cache_home, monkeypatch) -> None:
    """The real registry, a company's server: same paths below another base."""
    monkeypatch.setenv("ANOMALYCLIP_MIRROR", f"{server.url}/ai/")
    entry = MODELS["vit-b-32"]
    server.usual = lambda handler, data: handler.send(404)
    with pytest.raises(HubError, match=f"{server.url}/ai/clip/models/{entry.files[0].sha256}/ViT-B-32.pt answered"):
        obtain(entry)
    with pytest.raises(HubError, match=f"{server.url}/ai/zqhang/AnomalyCLIP/45ed4dd"):
        obtain(PROMPTS["published-mvtec"], offline=True)


@pytest.mark.parametrize("value", ["files.example", "file:///x", "https://"])
def test_a_mirror_must_be_an_address(tiny, monkeypatch, value: str) -> None:
    monkeypatch.setenv("ANOMALYCLIP_MIRROR", value)
    with pytest.raises(HubError, match="ANOMALYCLIP_MIRROR is"):
        resolve_model("tiny")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("openai", ".cache/clip/tiny.pt"),
        ("huggingface", ".cache/huggingface/hub/models--x--tiny/snapshots/1/tiny.safetensors"),
    ],
)
def test_copies_of_other_programs_are_adopted(tiny, server, body, source, place: str) -> None:
    copy = Path.home() / place
    copy.parent.mkdir(parents=True)
    copy.write_bytes(body if source == "openai" else b"the same model in another format")
    found = resolve_model("tiny", source=source).weights
    assert found.is_relative_to(home())
    assert found.read_bytes() == copy.read_bytes()
    assert server.requests == []


@pytest.mark.parametrize(
    ("variable", "value", "hub"),
    [
        (None, None, ".cache/huggingface/hub"),
        ("HF_HOME", "~/hf", "hf/hub"),
        ("HF_HUB_CACHE", "$HOME/hubs", "hubs"),
        ("HUGGINGFACE_HUB_CACHE", "~/old", "old"),
        ("XDG_CACHE_HOME", "~/xdg", "xdg/huggingface/hub"),
    ],
)
def test_a_copy_of_any_source_is_enough_without_network(
    tiny, cache_home, server, no_network, monkeypatch, variable, value, hub
) -> None:
    if variable:
        monkeypatch.setenv(variable, value)
    snapshot = Path.home() / hub / "models--x--tiny" / "snapshots" / "1"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "blob").write_bytes(b"the same model in another format")
    (snapshot / "tiny.safetensors").symlink_to("../../blob")
    found = resolve_model("tiny", offline=True).weights
    assert found.is_relative_to(cache_home)
    assert not found.is_symlink()
    assert found.read_bytes() == b"the same model in another format"


def test_a_bad_copy_of_another_program_is_ignored_and_left_alone(tiny, server, body) -> None:
    copy = Path.home() / ".cache" / "clip" / "tiny.pt"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(bytes(len(body)))
    assert resolve_model("tiny").weights.read_bytes() == body
    assert copy.read_bytes() == bytes(len(body))


def test_paths_are_taken_as_they_are(tmp_path: Path, no_network, monkeypatch) -> None:
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"x")
    files = resolve_model(weights)
    assert (files.name, files.weights, files.default_prompts) == (str(weights), weights, None)
    assert resolve_prompts(str(weights)) == weights
    monkeypatch.chdir(tmp_path)
    assert resolve_model("mine.pt").weights == Path("mine.pt")


def test_a_known_name_beats_a_file_of_that_name_but_not_a_path(tiny, body, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").write_bytes(b"x")
    assert resolve_model("tiny").weights.read_bytes() == body
    assert resolve_model("./tiny").weights.read_bytes() == b"x"


def test_a_model_folder_brings_the_prompts_beside_it(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    assert resolve_model(tmp_path).default_prompts is None
    (tmp_path / "prompts.safetensors").write_bytes(b"x")
    assert resolve_model(tmp_path).default_prompts == str(tmp_path / "prompts.safetensors")


def run_folder(folder: Path, backbone: str | None) -> Path:
    folder.mkdir()
    settings = PromptSettings(n_ctx=2, depth=1, deep_length=1)
    tensors = {"ctx_pos": torch.zeros(1, 1, 2, 8), "ctx_neg": torch.zeros(1, 1, 2, 8)}
    metadata = PromptMetadata(backbone=backbone, weights_sha256=None, text_width=8, embed_dim=4)
    embeddings = torch.nn.functional.normalize(torch.ones(2, 4), dim=1)
    save_prompts(folder / "prompts.safetensors", PromptFile("anomalyclip", settings, metadata, tensors, embeddings))
    (folder / "config.yaml").write_text("seed: 1\n")
    return folder


def test_a_run_folder_is_its_prompts_on_their_model(tiny, tmp_path, cache_home) -> None:
    run = run_folder(tmp_path / "run", "tiny")
    files = resolve_model(run)
    assert (files.name, files.weights) == ("tiny", cache_home / "models" / "tiny" / "tiny.pt")
    assert resolve_prompts(files.prompts_or_error()) == run / "prompts.safetensors"
    assert resolve_prompts(run) == run / "prompts.safetensors"


@pytest.mark.parametrize(("backbone", "words"), [(None, "does not record its model"), ("gone.pt", "neither a known")])
def test_a_run_folder_without_a_usable_model_is_explained(tmp_path, backbone, words: str) -> None:
    with pytest.raises(HubError, match=words):
        resolve_model(run_folder(tmp_path / "run", backbone))


def test_a_folder_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"holds no prompts\.safetensors"):
        resolve_prompts(tmp_path)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("pocke", r"unknown model 'pocke'; did you mean pocket\?"),
        ("ViT-L/14@336px", r"unknown model .*; did you mean vit-l-14-336\?"),
        ("vit-l14-336", r"did you mean vit-l-14-336 or"),
        ("zzz", r"unknown model 'zzz'\. Known names: pocket, vit-l-14-336, vit-l-14, vit-b-16, vit-b-32; or give"),
        ("no/such/file.pt", r"there is no file or folder 'no/such/file\.pt'\."),
        ("weights.pt", r"there is no file or folder 'weights\.pt'"),
        ("openai/clip-vit-large-patch14-336", r"no file or folder .*; did you mean vit-l-14-336\?"),
        (
            "https://huggingface.co/openai/clip-vit-base-patch16/",
            r"is an address, which is not fetched: download it and give its path; did you mean vit-b-16\?",
        ),
        ("", "unknown model ''"),
        ("a" * 5000, "neither a known model name nor a path|unknown model"),
        ("nul\0byte", "neither a known model name nor a path|unknown model"),
    ],
)
def test_unknown_names(typed: str, expected: str) -> None:
    with pytest.raises(HubError, match=expected):
        resolve_model(typed)


def test_unknown_prompts() -> None:
    with pytest.raises(HubError, match=r"unknown prompt file 'published-mvtek'; did you mean published-mvtec"):
        resolve_prompts("published-mvtek")


def test_models_without_prompts_say_so(tmp_path: Path) -> None:
    weights = tmp_path / "vit.pt"
    weights.write_bytes(b"x")
    with pytest.raises(HubError, match=r"nobody published prompts learned on .*vit.pt.*anomalyclip train"):
        resolve_model(weights).prompts_or_error()


def test_what_is_no_model_is_told_before_its_prompts_are_missed(tmp_path: Path) -> None:
    (tmp_path / "line.json").write_text("{}")
    with pytest.raises(HubError, match=r"line\.json is JSON and no model: a profile is what --profile takes"):
        resolve_model(tmp_path / "line.json").prompts_or_error()
    with pytest.raises(WeightsError, match=r"holds none of model\.safetensors"):
        resolve_model(tmp_path).prompts_or_error()


def test_embedded_files(monkeypatch, tmp_path, no_network) -> None:
    monkeypatch.setattr(hub_files, "_ASSETS", tmp_path)
    with pytest.raises(HubError, match="this installation lacks the embedded file"):
        resolve_model("pocket")
    (tmp_path / "pocket").mkdir()
    for name in ("model", "prompts", "heads"):
        (tmp_path / "pocket" / f"{name}.safetensors").write_bytes(b"x")
    files = resolve_model("pocket")
    assert files.weights == tmp_path / "pocket" / "model.safetensors"
    assert resolve_prompts(files.prompts_or_error()) == tmp_path / "pocket" / "heads.safetensors"
    assert resolve_prompts("pocket") == tmp_path / "pocket" / "prompts.safetensors"
    for own in ("heads", "prompts"):  # of a folder by its path: the heads, where there are some
        beside = tmp_path / "pocket" / f"{own}.safetensors"
        assert resolve_model(tmp_path / "pocket").default_prompts == str(beside)
        beside.unlink()
    assert resolve_model(tmp_path / "pocket").default_prompts is None
    assert [entry.kind for entry in find_entry("pocket")] == ["model", "prompts"]
    assert look(MODELS["pocket"])[0].state == "embedded"


def test_the_room_loads_no_torch() -> None:
    program = "import sys, anomalyclip.hub, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "rich", "filelock"} & set(json.loads(done.stdout))
