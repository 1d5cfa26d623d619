"""Where torch runs a model."""

from __future__ import annotations

import torch

from anomalyclip.errors import ConfigError


def pick_device(device: str) -> torch.device:
    """``auto`` is the fastest present; any other name is checked. Raises :class:`ConfigError`."""
    if device == "auto":
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        return torch.device(best)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"the device {device!r} cannot be used here ({reason}); try the device cpu") from error
    return torch.device(device)
