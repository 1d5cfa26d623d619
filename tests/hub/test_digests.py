"""Checksums against the tools everybody has: git and hashlib."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalyclip.errors import HubError
from anomalyclip.hub.digests import git_blob_id, mismatch, sha256
from anomalyclip.hub.registry import RemoteFile


def git_says(path: Path) -> str:
    done = subprocess.run(["git", "hash-object", "--no-filters", path], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20])
def test_blob_id_is_gits(tmp_path: Path, size: int, body: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes((body * 3)[:size])
    assert git_blob_id(path) == git_says(path)
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_blob_id_of_any_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert git_blob_id(path) == git_says(path)


def test_mismatch_names_size_first_then_every_checksum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"learned words")
    good_sha, good_blob = hashlib.sha256(b"learned words").hexdigest(), git_says(path)

    def problem(size: int = 13, sha: str | None = good_sha, blob: str | None = good_blob) -> str | None:
        return mismatch(path, RemoteFile("github", "", "file", size, sha, blob))

    assert problem() is None
    assert problem(size=1234567) == "it has 13 bytes, expected 1,234,567"
    assert problem(sha="0" * 64) == f"its sha256 is {good_sha}, expected {'0' * 64}"
    assert problem(blob="0" * 40) == f"its git blob id is {good_blob}, expected {'0' * 40}"
    assert problem(sha=None, blob="0" * 40) is not None


def test_a_missing_file_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(HubError, match="cannot read"):
        mismatch(tmp_path / "none", RemoteFile("github", "", "file", 1))
