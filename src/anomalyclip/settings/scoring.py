"""The settings that decide a score, besides weights and prompts: each is one field here, which declares it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypedDict, get_args

from anomalyclip.clip.config import DPAM_MODES, DPAMMode
from anomalyclip.settings.faces import EVALUATE, EXPORT, LOAD, REPRODUCE, SCORING, TRAIN
from anomalyclip.settings.keywords import check_keywords
from anomalyclip.settings.panels import MODEL
from anomalyclip.settings.reading import layers_of
from anomalyclip.settings.setting import Range, Setting

#: The method's temperature; CLIP's own logit scale is not used.
TAU = 0.07
Smoothed = Literal["probability", "log-odds"]
SMOOTHED: tuple[Smoothed, ...] = get_args(Smoothed)
_EVERYWHERE = (*SCORING, EXPORT, LOAD)
_OWN = "default: what comes with the prompts"


def declared(default: Any, type: type, help: str, *, where: tuple[str, ...] = _EVERYWHERE, **more: Any) -> Any:
    """A field that is the :class:`Setting` of its name."""
    return field(default=default, metadata={"type": type, "help": help, "where": where, **more})


@dataclass(frozen=True, kw_only=True)
class ScoringSettings:
    """Those that do not depend on the encoder."""

    dpam: DPAMMode = declared(
        "vv",
        str,
        f"Attention of the maps' local path; qk: plain CLIP's own ({_OWN}).",
        where=(EVALUATE, TRAIN, LOAD),
        choices=DPAM_MODES,
        differs={TRAIN: {"help": "Attention of the local path; qk is plain CLIP's (default: vv, of baselines qk)."}},
    )
    sigma: float = declared(
        4.0,
        float,
        f"Smoothing of the map in pixels of the model's input ({_OWN}).",
        range=Range(0, 1000, "pixels"),
    )
    tau: float = declared(
        TAU, float, "Temperature of the scores.", where=(LOAD,), range=Range(1e-6, 100, "a temperature")
    )
    post_norm_class: bool = declared(
        False, bool, "LN_post on the class token, as plain CLIP does and the reference does not.", where=(LOAD,)
    )
    smoothed: Smoothed = declared(
        "probability",
        str,
        f"What is averaged over layers and smoothed into the map: probabilities, the paper's, or log-odds ({_OWN}).",
        choices=SMOOTHED,
        later=True,
    )
    map_weight: float = declared(
        0.0,
        float,
        f"Share of the map's peak in the image score (the paper's score: 0; {_OWN}).",
        range=Range(0, 1, "a share"),
    )
    map_share: float = declared(
        0.0,
        float,
        f"The map's peak is the mean of so large a share of its pixels, the hottest (0: the hottest pixel; {_OWN}).",
        range=Range(0, 1, "a share"),
        later=True,
    )
    glance: int = declared(
        0,
        int,
        f"Side in pixels of a smaller look that judges the picture as a whole, beside the map (0: none; {_OWN}).",
        range=Range(0, 8192, "pixels"),
        later=True,
    )

    @property
    def peak(self) -> tuple[float, float]:
        """The map's part in the image score, as :func:`anomalyclip.scoring.with_map_peak` takes it."""
        return self.map_weight, self.map_share


@dataclass(frozen=True, kw_only=True)
class Preset(ScoringSettings):
    """What comes with prompts; None leaves the choice to the encoder's defaults."""

    layers: tuple[int, ...] | None = declared(
        None,
        str,
        f"Blocks that make the map, such as 6,12,18,24 ({_OWN}).",
        where=(*_EVERYWHERE, TRAIN),
        read=layers_of,
        differs={TRAIN: {"help": "Blocks whose patch features are trained on (default: the last; vand, heads: four)."}},
    )
    image_size: int | None = declared(
        None,
        int,
        "Side in pixels that images are resized to (default: the model's own).",
        where=(*_EVERYWHERE, TRAIN, REPRODUCE),
        range=Range(1, 8192, "pixels"),
        differs={EXPORT: {"help": "Side in pixels of the graph's input (default: the model's own)."}},
    )
    dpam_blocks: int | None = declared(
        None,
        int,
        "How many last blocks have a local path (default: 19 of 24, in proportion).",
        where=(TRAIN, LOAD),
        range=Range(0, 1000, "blocks"),
    )


@dataclass(frozen=True, kw_only=True)
class ModelSettings(ScoringSettings):
    """Everything besides weights and prompts that decides a score, as one encoder runs it.

    Attributes:
        image_size: side in pixels the image is resized to.
        layers: 1-based vision blocks whose patch features make the anomaly map.
        dpam_blocks: how many last blocks run two paths.

    The others are declared above; the page Settings lists them.
    """

    image_size: int
    layers: tuple[int, ...]
    dpam_blocks: int = 19

    def recorded(self) -> dict[str, Any]:
        """JSON-ready, for provenance and hashes."""
        return without_later(asdict(self) | {"layers": list(self.layers)})


class ScoringKeywords(TypedDict, total=False):
    """Keywords of `anomalyclip.load` that override what comes with the prompts; None overrides nothing."""

    layers: Sequence[int] | None
    image_size: int | None
    dpam: DPAMMode | None
    dpam_blocks: int | None
    sigma: float | None
    tau: float | None
    post_norm_class: bool | None
    smoothed: Smoothed | None
    map_weight: float | None
    map_share: float | None
    glance: int | None


def _declared_by(owner: type[Preset]) -> tuple[Setting, ...]:
    common = {"panel": MODEL, "part": "opening"}
    return tuple(Setting(name=one.name, **{**common, "method": one.default, **one.metadata}) for one in fields(owner))


#: The declarations, in the order of the fields.
DECIDING: tuple[Setting, ...] = _declared_by(Preset)
_BY_NAME = {setting.name: setting for setting in DECIDING}
#: Their names.
NAMES: tuple[str, ...] = tuple(_BY_NAME)


def settings_from(record: Mapping[str, Any]) -> ModelSettings:
    """Back from :meth:`ModelSettings.recorded`."""
    return ModelSettings(**{**record, "layers": tuple(record["layers"])})


def without_later(values: Mapping[str, Any]) -> dict[str, Any]:
    """A record without the settings that came later and have their default: it stays what it was before they came."""
    later = {setting.name: setting.method for setting in DECIDING if setting.later}
    return {name: value for name, value in values.items() if name not in later or value != later[name]}


def chosen(preset: Preset, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting by name: what is given, else what comes with the prompts; None where neither says anything.

    Raises ConfigError for a value outside its range.
    """
    check_deciding(given)
    return {name: getattr(preset, name) if given.get(name) is None else given[name] for name in _BY_NAME}


def check_deciding(values: Mapping[str, Any], *, hints: Collection[str] = ()) -> dict[str, Any]:
    """The values as they are read. Raises ConfigError that names the first that is out of its range, or no setting."""
    return check_keywords(values, _BY_NAME, hints=hints)
