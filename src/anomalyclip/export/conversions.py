"""Conversions made on the way, kept in the cache: `--runtime openvino` converts a model once.

    HOME/exports/<key>/               an artefact; the key is the hash of everything that decides its content
    HOME/exports/<key>.lock           held by the process that converts
    HOME/exports/requests/<key>.json  which artefact a call got, so that the next start needs neither weights nor torch

A call is recognised by its options and by size and time of change of the files that it names, as downloads are
(`anomalyclip.hub.cache`).
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.encoders.exported import SIDECAR
from anomalyclip.encoders.formats import FORMATS, RUNTIMES, FormatName, Precision, RuntimeName
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.sidecar import read_artefact
from anomalyclip.errors import AnomalyClipError
from anomalyclip.export.making import VERDICT_ALONE
from anomalyclip.hub.cache import home, lock, make_folder
from anomalyclip.io.atomic import write_bytes
from anomalyclip.settings.scoring import NAMES as SCORING

if TYPE_CHECKING:
    from anomalyclip.detector import Detector

RECIPE = 5
"""Raised when the same model would be converted differently."""
_DECIDING = ("model", "prompts", "class_name", "reading", *SCORING, "gives")


def folder() -> Path:
    """Where conversions lie (the folder may not exist yet)."""
    return home() / "exports"


def known_conversion(runtime: RuntimeName, precision: Precision, asked: Mapping[str, Any]) -> Path | None:
    """The artefact that the same call got before, if it is still there and whole; loads nothing."""
    asked = {"gives": repr(VERDICT_ALONE), **asked}
    try:
        told = json.loads(_request(runtime, precision, asked).read_text(encoding="utf-8"))
        return _whole(folder() / str(told["artefact"]))
    except (OSError, ValueError, KeyError, TypeError, AnomalyClipError):
        return None


def convert_once(
    runtime: RuntimeName,
    precision: Precision,
    asked: Mapping[str, Any],
    load: Callable[[], Detector],
    gives: FeatureRequest = VERDICT_ALONE,
    tell: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> Path:
    """The artefact for a model and its options: the known one, or a new one of what ``load`` gives, on the CPU.

    asked: what the call was, by which it is known again. gives: what the graph is to give.

    Raises:
        ConfigError: a package is missing, or the precision does not exist. HubError, OutputError: the model or the
            cache folder cannot be had. And what loading and exporting raise.
    """
    from anomalyclip.export.making import ExportOptions, check_options, export_model

    asked = {**asked, "gives": repr(gives)}
    if (known := known_conversion(runtime, precision, asked)) is not None:
        return known
    options = ExportOptions(_format(runtime), precision, gives=gives)
    check_options(options)
    model = load()
    target = folder() / _content_key(model, options.format, precision, gives)
    make_folder(folder() / "requests")
    with lock(target):
        if _whole(target) is None:
            tell(f"converting {model.name} for {runtime} in {precision}, once; it is kept in {target}")
            export_model(model, target, options, overwrite=True, tell=lambda line: tell(f"  {line}"))
    write_bytes(_request(runtime, precision, asked), json.dumps({"artefact": target.name}).encode())
    return target


def _whole(target: Path) -> Path | None:
    if not (target / SIDECAR).is_file():
        return None
    try:
        read_artefact(target)
    except AnomalyClipError:
        return None
    return target


def _format(runtime: RuntimeName) -> FormatName:
    name = RUNTIMES[runtime][2]
    assert name is not None, f"{runtime} runs models as they are"
    return name


def _content_key(model: Detector, format: FormatName, precision: Precision, gives: FeatureRequest) -> str:
    """Of everything that decides what is in the artefact: without a verdict neither prompts nor their settings do."""
    from anomalyclip.export.making import package_versions

    told = model.provenance()
    names = ("weights_sha256", "prompts_sha256", "method", "settings") if gives.verdict else ("weights_sha256",)
    return _digest(
        {
            "recipe": RECIPE,
            "format": format,
            "precision": precision,
            "gives": repr(gives),
            "image_size": model.image_size,
            "model": {key: told[key] for key in names},
            "versions": _relevant(package_versions(), format),
        }
    )


def _relevant(versions: Mapping[str, str], format: FormatName) -> dict[str, str]:
    packages = ("anomalyclip", "torch", "nncf", *FORMATS[format].makers)
    return {name: versions[name] for name in packages if name in versions}


def _request(runtime: RuntimeName, precision: Precision, given: Mapping[str, Any]) -> Path:
    from anomalyclip.export.making import package_versions

    asked = {name: given.get(name) for name in _DECIDING}
    asked["layers"] = list(asked["layers"]) if asked["layers"] is not None else None
    files = [stamp for name in ("model", "prompts") for stamp in _stamps(given.get(name))]
    versions = _relevant(package_versions(), _format(runtime))
    key = _digest({"recipe": RECIPE, "asked": asked, "files": files, "precision": precision, "versions": versions})
    return folder() / "requests" / f"{key}.json"


def _stamps(given: str | Path | None) -> list[list[Any]]:
    """Path, size and time of change of every file that a model or prompts name stands for, as far as it is a path.

    Known names need none: what they stand for is pinned in the package, whose version is part of the key.
    """
    if given is None:
        return []
    path = Path(given).expanduser()
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    return [[str(each.absolute()), each.stat().st_size, each.stat().st_mtime_ns] for each in files if each.is_file()]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:24]
