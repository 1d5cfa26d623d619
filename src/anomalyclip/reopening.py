"""From a record of what made results back to the detector, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.io.names import printable
from anomalyclip.judges.choosing import PREFIXES
from anomalyclip.opening import open_detector
from anomalyclip.settings.scoring import NAMES

if TYPE_CHECKING:
    from anomalyclip.detector import Detector

_HASHES = ("weights_sha256", "prompts_sha256")


def reopen(record: Mapping[str, Any], *, anew: str = "", **options: Any) -> Detector:
    """The detector of a `Detector.provenance()` record, with the same weights, prompts and settings.

    anew: how what was recorded is made with what is here now, for a message. options: as for `open_detector`, such as
    runtime and threads: the record does not bind them.

    Raises InputError where the record names no single model, the model or its prompts are not here any more, or lie
    here with other content.
    """
    name, prompts = record.get("model"), record.get("prompts")
    settings = {key: value for key, value in dict(record.get("settings") or {}).items() if key in NAMES}
    if not isinstance(name, str) or not isinstance(prompts, str) or "classes" in record:
        raise InputError("the record names no single model and prompts, so its detector cannot be opened again")
    try:
        found = open_detector(name, prompts=_spec(record, prompts), **settings, **options)
    except AnomalyClipError as error:
        raise InputError(f"the model {printable(name)} cannot be opened again: {error}") from error
    now = found.provenance()
    for hash_name in _HASHES:
        if record.get(hash_name, "") != now[hash_name]:
            what, then = hash_name.removesuffix("_sha256"), str(record.get(hash_name))
            raise InputError(
                f"the {what} of {printable(name)} here are not those of the record (sha256 {then[:12]} then, "
                f"{now[hash_name][:12]} now): bring back the files it was made with{f', or {anew}' * bool(anew)}"
            )
    return found


def _spec(record: Mapping[str, Any], prompts: str) -> str:
    """What `--prompts` was: a record says more of some."""
    method = str(record.get("method", ""))
    where = prompts.partition(" with ")[0]
    prefix = next((prefix for prefix, one in PREFIXES.items() if one == method and one == "vand"), "")
    return f"{prefix}{where}"
