"""The stamp saves hashing, and must never hide a file that changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import platformdirs
import pytest

from anomalyclip.errors import HubError
from anomalyclip.hub import cache
from anomalyclip.hub.registry import MODELS, RemoteFile


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that was read to be verified."""
    paths: list[Path] = []
    real = cache.mismatch

    def counting(path: Path, file: RemoteFile) -> str | None:
        paths.append(path)
        return real(path, file)

    monkeypatch.setattr(cache, "mismatch", counting)
    return paths


def test_the_home_is_the_users_cache_unless_moved(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.home() == cache_home
    monkeypatch.setenv("ANOMALYCLIP_HOME", "~/elsewhere")
    assert cache.home() == Path.home() / "elsewhere"
    monkeypatch.setenv("ANOMALYCLIP_HOME", " ")
    assert cache.home() == Path(platformdirs.user_cache_dir("anomalyclip", appauthor=False))


def test_the_layout(cache_home: Path) -> None:
    entry = MODELS["vit-l-14-336"]
    places = [cache.location(entry, file).relative_to(cache_home).as_posix() for file in entry.files]
    assert places == ["models/vit-l-14-336/ViT-L-14-336px.pt", "models/vit-l-14-336/pytorch_model.bin"]


def test_a_verified_file_is_not_hashed_again(remote, target, body, hashed) -> None:
    target.write_bytes(body)
    assert [cache.state(target, remote) for _ in range(3)] == ["cached"] * 3
    assert len(hashed) == 1
    assert cache.state(target, remote, rehash=True) == "cached"
    assert len(hashed) == 2


def test_the_stamp_falls_when_the_file_changes(remote, target, body, hashed) -> None:
    target.write_bytes(body)
    assert cache.state(target, remote) == "cached"
    before = target.stat().st_mtime_ns
    target.write_bytes(bytes([body[0] ^ 1]) + body[1:])  # same size
    os.utime(target, ns=(before + 1, before + 1))
    assert cache.state(target, remote) == "damaged"
    assert not target.with_name("tiny.pt.verified.json").exists()
    target.write_bytes(body)
    assert cache.state(target, remote) == "cached"
    assert len(hashed) == 3


def test_a_rehash_sees_a_change_that_kept_size_and_time(remote, target, body) -> None:
    target.write_bytes(body)
    assert cache.state(target, remote) == "cached"
    times = target.stat()
    target.write_bytes(bytes([body[0] ^ 1]) + body[1:])
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert cache.state(target, remote) == "cached"  # what the stamp cannot see, by design
    assert cache.state(target, remote, rehash=True) == "damaged"
    assert cache.state(target, remote) == "damaged"


def test_a_stamp_of_other_checksums_does_not_count(remote, target, body) -> None:
    target.write_bytes(body)
    assert cache.state(target, remote) == "cached"
    pinned_anew = RemoteFile("openai", remote.url, "tiny.pt", remote.size, "0" * 64)
    assert cache.state(target, pinned_anew) == "damaged"


@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"size": true}'])
def test_a_broken_stamp_means_hashing(remote, target, body, hashed, content: str) -> None:
    target.write_bytes(body)
    target.with_name("tiny.pt.verified.json").write_text(content)
    assert cache.state(target, remote) == "cached"
    assert len(hashed) == 1
    assert json.loads(target.with_name("tiny.pt.verified.json").read_text())["size"] == len(body)


def test_a_cache_without_room_for_stamps_still_works(remote, target, body, monkeypatch, hashed) -> None:
    target.write_bytes(body)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert [cache.state(target, remote) for _ in range(2)] == ["cached"] * 2
    assert len(hashed) == 2


def test_missing(remote, target) -> None:
    assert cache.state(target, remote) == "missing"
    target.mkdir()
    assert cache.state(target, remote) == "missing"


def test_an_impossible_cache_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HubError, match=r"cannot write the cache folder .* choose another with ANOMALYCLIP_HOME"):
        cache.make_folder(tmp_path / "file" / "below")
