"""Checksums of files, streamed: a 1.7 GB file is verified with one megabyte of memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

from anomalyclip.errors import HubError
from anomalyclip.hub.registry import RemoteFile

_CHUNK = 2**20


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 lower-case hexadecimal digits."""
    return _digest(path, hashlib.sha256())


def git_blob_id(path: Path) -> str:
    """The id git gives a file's content (``git hash-object``): sha1 of ``blob SIZE\\0`` followed by the bytes."""
    # Not a signature: sha1 is git's choice, and the id is pinned beside the exact size.
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(b"blob %d\0" % path.stat().st_size)
    return _digest(path, digest)


def mismatch(path: Path, file: RemoteFile) -> str | None:
    """What is wrong with ``path`` as a copy of ``file``: ``None`` if size and every checksum agree.

    Raises:
        HubError: the file cannot be read.
    """
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"it has {size:,} bytes, expected {file.size:,}"
        checks = (("sha256", sha256, file.sha256), ("git blob id", git_blob_id, file.git_blob))
        for name, compute, expected in checks:
            if expected is not None and (found := compute(path)) != expected:
                return f"its {name} is {found}, expected {expected}"
    except OSError as error:
        raise HubError(f"cannot read {path}: {error.strerror or error}; check its permissions") from error
    return None


def _digest(path: Path, digest: hashlib._Hash) -> str:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
