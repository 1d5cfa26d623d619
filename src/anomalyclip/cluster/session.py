"""A connection to a Ray cluster, for as long as a run takes."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anomalyclip.errors import ConfigError


def _knock(address: str) -> None:
    """Raises OSError at once where nobody answers; Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def connected(address: str | None = None, **options: Any) -> Iterator[Any]:
    """The `ray` module, connected to `address`: `auto`, `host:port` or `ray://host:port`.

    None takes RAY_ADDRESS, else starts Ray on this machine for the time of the run. options: of `ray.init`.

    Raises ConfigError where Ray is not installed or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # silences a warning about a coming default
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray: pip install 'anomalyclip[ray]'") from error
    given = address or os.environ.get("RAY_ADDRESS") or "local"
    if given == "local":
        options = {"include_dashboard": False, **options}
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # Ray would write one to the home folder
    try:
        _knock(given)
        ray.init(address=given, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as error:  # ConnectionError, ValueError, TimeoutError, RuntimeError, grpc's own
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"--address {given}: no Ray cluster can be reached there ({reason}). Start one with `ray start --head`, "
            "leave --address out to run on this machine, or, where it asks for a token, set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
