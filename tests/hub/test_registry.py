"""The tables are data a typo would break silently: check their form and what they promise."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from anomalyclip.hub import MODELS, PROMPTS
from anomalyclip.hub.registry import RemoteFile

FILES = [file for entry in (*MODELS.values(), *PROMPTS.values()) for file in entry.files]


def test_the_promised_names_exist() -> None:
    assert list(MODELS) == ["pocket", "vit-l-14-336", "vit-l-14", "vit-b-16", "vit-b-32"]
    assert list(PROMPTS) == ["pocket", "pocket-heads", "published-mvtec", "published-visa"]


def test_default_prompts() -> None:
    defaults = {name: entry.default_prompts for name, entry in MODELS.items() if entry.default_prompts}
    assert defaults == {"pocket": "pocket-heads", "vit-l-14-336": "published-mvtec"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.origin}-{file.filename}")
def test_every_file_is_pinned(file: RemoteFile) -> None:
    assert urlsplit(file.url).scheme == "https"
    assert 10**7 < file.size < 2 * 10**9
    assert file.sha256 or file.git_blob
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256 or "0" * 64)
    assert re.fullmatch(r"[0-9a-f]{40}", file.git_blob or "0" * 40)
    assert Path(file.filename).name == file.filename


def test_openai_addresses_carry_their_checksum() -> None:
    files = [file for file in FILES if file.origin == "openai"]
    assert len(files) == 4
    for file in files:
        expected = f"https://openaipublic.azureedge.net/clip/models/{file.sha256}/{file.filename}"
        assert file.url == expected


def test_hugging_face_addresses_are_pinned_by_revision() -> None:
    files = [file for file in FILES if file.origin == "huggingface"]
    assert len(files) == 4
    for file in files:
        found = re.fullmatch(r"https://huggingface\.co/(openai/[\w-]+)/resolve/([0-9a-f]{40})/([\w.]+)", file.url)
        assert found
        assert file.known_copy == f"models--{found[1].replace('/', '--')}/snapshots/{found[2]}/{found[3]}"


def test_published_prompts_are_the_files_the_method_page_names() -> None:
    """METHOD section 4: the folder with the suffix _visa holds what was learned on MVTec AD."""
    learned_on = {name: PROMPTS[f"published-{name}"].files[0] for name in ("mvtec", "visa")}
    assert learned_on["mvtec"].git_blob == "72adc786e031b49ea288ba5f815f0d38cf158708"
    assert learned_on["mvtec"].url.endswith("/checkpoints/9_12_4_multiscale_visa/epoch_15.pth")
    assert learned_on["visa"].git_blob == "c90f1d9d92d158b436a8fc193f984d4cec8b1fc8"
    assert learned_on["visa"].url.endswith("/checkpoints/9_12_4_multiscale/epoch_15.pth")
    assert all("/zqhang/AnomalyCLIP/45ed4dd" in file.url for file in learned_on.values())
    assert "learned ON MVTec AD" in PROMPTS["published-mvtec"].what
    assert "learned ON VisA" in PROMPTS["published-visa"].what


def test_files_of_one_name_do_not_collide() -> None:
    for entry in (*MODELS.values(), *PROMPTS.values()):
        names = [file.filename for file in entry.files]
        assert len(set(names)) == len(names)
        assert bool(entry.files) != (entry.embedded is not None)
