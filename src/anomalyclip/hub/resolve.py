"""Names and paths -> files: what ``load``, the command line and the server call."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.clip.facts import Given, KnownWeights
from anomalyclip.clip.places import find
from anomalyclip.errors import HubError
from anomalyclip.hub.files import obtain
from anomalyclip.hub.identify import published_name
from anomalyclip.hub.progress import Meter, silent
from anomalyclip.hub.registry import MODELS, SOURCES, Entry, Kind, Source, table
from anomalyclip.io.headers import what_it_is

RUN_PROMPTS = "prompts.safetensors"
OWN_HEADS = "heads.safetensors"  # beside weights of this project's own: judges in place of the prompts
RUN_CONFIG = "config.yaml"
_WEIGHT_SUFFIXES = frozenset({".pt", ".pth", ".bin", ".safetensors"})


@dataclass(frozen=True)
class ModelFiles:
    """A model as files.

    Attributes:
        name: the known name, or the path as given.
        weights: file or folder that ``anomalyclip.clip.weights.load_clip`` reads, with what is known of a file that
            lies alone and does not say how its weights are to be read.
        default_prompts: name or path for :func:`resolve_prompts`; ``None`` if none were ever learned on this model.
    """

    name: str
    weights: Path | KnownWeights
    default_prompts: str | None

    def prompts_or_error(self) -> str:
        """``default_prompts``, or an error that says how to get some.

        Raises:
            HubError: this model has none, or is none. WeightsError: a folder without weights.
        """
        if self.default_prompts is None:
            place = find(self.weights if isinstance(self.weights, Path) else self.weights.path)
            if place.path.suffix == ".json" and len(place.files) == 1:
                raise HubError(
                    f"{self.name} is JSON and no model: a profile is what --profile takes, in Python profile="
                )
            told = None if place.path.suffix in _WEIGHT_SUFFIXES else what_it_is(place.path)  # torch.save writes ZIPs
            if told is not None:
                raise HubError(f"{self.name} is no model: {told}; give a name of `anomalyclip models`, or weights")
            raise HubError(
                f"nobody published prompts learned on {self.name}: give a prompt file of your own (anomalyclip train),"
                " hand-written words (--prompts winclip-ensemble), or use the model vit-l-14-336 or pocket"
            )
        return self.default_prompts


def resolve_model(
    name_or_path: str | os.PathLike[str],
    *,
    offline: bool = False,
    source: Source = "auto",
    meter: Meter = silent,
    given: Given | None = None,
) -> ModelFiles:
    """A known name, a weights file or folder, or a run folder (its prompts, on the model they were learned on).

    Args:
        name_or_path: a known name always means the registry (write ``./pocket`` for a file of that name).
        offline: never touch the network; ``ANOMALYCLIP_OFFLINE=1`` does the same.
        source: ``openai`` or ``huggingface``; ``auto`` takes what is cached, else the preferred one.
        meter: shows progress (:func:`anomalyclip.hub.progress.meter`); silent by default.
        given: what the user says of weights that do not say it themselves.

    Raises:
        HubError: unknown name, no such path, or the file cannot be had; the message says what to do.
    """
    _check_source(source)
    name = os.fspath(name_or_path)
    entry = MODELS.get(name)
    if entry is not None:
        file = obtain(entry, source=source, offline=offline, meter=meter)
        return ModelFiles(name, _known(file, given, entry.published), entry.default_prompts)
    path = _existing_path(name, "model")
    if is_run_folder(path) and not _holds_weights(path):
        backbone = _backbone_of(path)
        files = resolve_model(backbone, offline=offline, source=source, meter=meter, given=given)
        return ModelFiles(files.name, files.weights, str(path))
    beside = next((str(path / own) for own in (OWN_HEADS, RUN_PROMPTS) if (path / own).is_file()), None)
    return ModelFiles(name, _known(path, given, published_name(path)), beside)


def check_model_name(name_or_path: str | os.PathLike[str]) -> None:
    """Raises HubError where it is neither a known name nor something that exists; fetches nothing."""
    name = os.fspath(name_or_path)
    if name not in MODELS:
        _existing_path(name, "model")


def resolve_prompts(
    name_or_path: str | os.PathLike[str], *, offline: bool = False, source: Source = "auto", meter: Meter = silent
) -> Path:
    """A known name, a prompt file, or a folder that holds ``prompts.safetensors`` (a run). Same rules as for models.

    Raises:
        HubError: unknown name, no such path, a folder without prompts, or the file cannot be had.
    """
    _check_source(source)
    name = os.fspath(name_or_path)
    entry = table("prompts").get(name)
    if entry is not None:
        return obtain(entry, source=source, offline=offline, meter=meter)
    path = _existing_path(name, "prompts")
    if not path.is_dir():
        return path
    if not (path / RUN_PROMPTS).is_file():
        raise HubError(f"the folder {path} holds no {RUN_PROMPTS}; expected a run folder (of anomalyclip train)")
    return path / RUN_PROMPTS


def _known(path: Path, given: Given | None, published: str | None) -> Path | KnownWeights:
    """With what is known of the weights, where anything is: the user's word, else the registry's."""
    told = given or Given(published=published)
    return KnownWeights(path, told) if told else path


def is_run_folder(path: Path) -> bool:
    """True for a folder that training wrote: it holds prompts and the settings they were learned with."""
    return (path / RUN_PROMPTS).is_file() and (path / RUN_CONFIG).is_file()


def find_entry(name: str) -> list[Entry]:
    """The entries of a name: its model first, then its prompts (``pocket`` is both).

    Raises:
        HubError: unknown name; lists close matches.
    """
    found = [entries[name] for entries in (table("model"), table("prompts")) if name in entries]
    if not found:
        raise _unknown(name, [*table("model"), *table("prompts")], "name")
    return found


def _existing_path(name: str, kind: Kind) -> Path:
    path = Path(name).expanduser()
    try:
        if name and path.exists():
            return path
        if name and path.is_symlink():
            raise HubError(f"{path} is a link to a file that is not there; download it again")
    except (OSError, ValueError) as error:  # a name too long, or with a null byte
        raise HubError(f"{name[:80]!r} is neither a known {kind} name nor a path: {error}") from error
    raise _unknown(name, list(table(kind)), "model" if kind == "model" else "prompt file")


def _unknown(name: str, known: list[str], noun: str) -> HubError:
    """Names close to what was typed; ``ViT-L/14@336px`` and the like are recognised too."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).removesuffix("px")
    close = [plain] if plain in known else list(dict.fromkeys(difflib.get_close_matches(plain, known, n=3)))
    close = [each for each in known if each in MODELS and _is_repository_of(name, MODELS[each])] or close
    looks_like_path = (os.sep in name or "/" in name or Path(name).suffix in _WEIGHT_SUFFIXES) and plain not in known
    what = f"there is no file or folder {name!r}" if looks_like_path else f"unknown {noun} {name!r}"
    what = f"{name!r} is an address, which is not fetched: download it and give its path" if "://" in name else what
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    tail = "" if noun == "name" else "; or give a path"
    return HubError(f"{what}{hint} Known names: {', '.join(dict.fromkeys(known))}{tail}.")


def _is_repository_of(name: str, entry: Entry) -> bool:
    """Whether ``openai/clip-vit-large-patch14``, or its address, is where a known model comes from."""
    repository = "/".join(name.strip("/").split("/")[-2:])
    return "/" in repository and any(f"/{repository}/resolve/" in file.url for file in entry.files)


def _holds_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("model.safetensors", "pytorch_model.bin"))


def _backbone_of(run: Path) -> str:
    """The model a run's prompts were learned on, as their metadata records it."""
    from anomalyclip.prompts.kinds import read_metadata

    backbone = read_metadata(run / RUN_PROMPTS).backbone
    if not backbone:
        raise HubError(f"{run / RUN_PROMPTS} does not record its model; name the model and pass {run} as the prompts")
    if backbone not in MODELS and not Path(backbone).exists():
        raise HubError(
            f"the prompts of {run} were learned on {backbone!r}, which is neither a known name nor on this machine;"
            f" give that model's path as the model and {run} as the prompts"
        )
    return backbone


def _check_source(source: str) -> None:
    if source not in SOURCES:
        raise HubError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
