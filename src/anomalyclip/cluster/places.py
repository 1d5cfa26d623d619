"""Paths and URLs: local and mounted files, s3:// and gs:// through pyarrow, http(s):// and other schemes by fsspec."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable

#: Object stores whose client comes with pyarrow, so that no further package is needed.
_BY_ARROW = {"s3": "S3FileSystem", "gs": "GcsFileSystem"}


def is_url(place: str) -> bool:
    """Whether it names its scheme, such as `s3://bucket/key`; all else is a local or mounted path."""
    return "://" in place


def open_place(place: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and its path in there.

    Raises ConfigError for a scheme that nothing installed can read.
    """
    scheme = place.split("://", 1)[0].lower() if is_url(place) else "file"
    system = filesystem(scheme)
    return system, place.split("://", 1)[1].rstrip("/") if scheme in _BY_ARROW else system._strip_protocol(place)


def full_name(place: str, found: str) -> str:
    """What a listing of `place` calls `found`, as a URL again."""
    scheme = place.split("://", 1)[0]
    return found if is_url(found) else f"{scheme}://{found}"


@lru_cache(maxsize=64)
def filesystem(scheme: str) -> Any:
    """Opened once per process. Raises ConfigError."""
    try:
        import fsspec

        if scheme not in _BY_ARROW:
            return fsspec.filesystem(scheme, use_listings_cache=False)
        import pyarrow.fs
        from fsspec.implementations.arrow import ArrowFSWrapper

        return ArrowFSWrapper(getattr(pyarrow.fs, _BY_ARROW[scheme])())
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{printable(scheme)}:// cannot be read here ({error}); use a path, s3://, gs://, http:// or https://, or "
            "install the fsspec package of that scheme on every node"
        ) from error
