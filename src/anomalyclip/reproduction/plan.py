"""The paper's tables as data: which sets, which variants of the method, learned on what (METHOD sections 6, 8, 9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from anomalyclip.data.known import KNOWN
from anomalyclip.errors import ConfigError

#: Where a variant's prompts come from, if not from a spec of `anomalyclip.opening.open_for`.
PROTOCOL, TRAINED, INITIAL = "by the protocol", "trained here", "as initialised"

MVTEC, VISA = "MVTec AD", "VisA"
COLON = "CVC-ColonDB"
INDUSTRIAL = tuple(name for name, known in KNOWN.items() if known.domain == "industrial")
MEDICAL = tuple(name for name, known in KNOWN.items() if known.domain == "medical")
_ABLATED = (MVTEC, VISA)
LENGTH, DEPTH = 12, 9  # METHOD section 4


@dataclass(frozen=True)
class Variant:
    """One line of a table.

    Attributes:
        label: as our tables call it. paper: as the paper's table does; None where it gives a plot only.
        prompts: PROTOCOL, TRAINED, INITIAL, or a spec of `open_for` ("clip", "winclip", a file).
        train: what differs from the published hyper-parameters (fields of `TrainConfig`), for TRAINED and INITIAL.
        load: what differs when the model is loaded (arguments of `open_for`).
        mutual: each class judges itself as a batch, too (`evaluate --mutual`).
    """

    label: str
    paper: str | None
    prompts: str
    train: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)
    mutual: bool = False


@dataclass(frozen=True)
class Towers:
    """Depths of the backbone's two towers, which bound what can be ablated."""

    vision_layers: int
    text_layers: int


@dataclass(frozen=True)
class Table:
    """One table or figure of the paper.

    Attributes:
        name: as the command line calls it. title: heading of its page.
        paper: the table's name in the carried figures; None where the paper gives a plot only.
        targets: the data sets it measures, in the paper's order.
        auxiliary: target -> the set that prompts are learned on.
        methods: columns of METHODS that the paper's table has; empty for the ablations.
        variants: lines of an ablation, for a backbone.
        trains: the table is about training: published prompts do not serve it.
        note: what a reader of the page should know.
        gain: the page shows the first variant minus the second, as the paper's figure does.
    """

    name: str
    title: str
    paper: str | None
    targets: tuple[str, ...]
    auxiliary: Callable[[str], str]
    methods: tuple[str, ...] = ()
    variants: Callable[[Towers], Sequence[Variant]] = lambda _: ()
    trains: bool = True
    note: str = ""
    gain: bool = False

    def lines(self, towers: Towers, methods: Sequence[str]) -> list[Variant]:
        """What is measured on each target: the wanted methods the table has, or its variants."""
        if not self.methods:
            return list(self.variants(towers))
        wanted = [METHODS[name] for name in methods if name in self.methods]
        return [replace(one, prompts=TRAINED) if self.trains and one.prompts == PROTOCOL else one for one in wanted]


def auxiliary_for(target: str) -> str:
    """The protocol of Tables 1 and 2: learned on MVTec AD for every target, on VisA for MVTec AD itself.

    >>> auxiliary_for("VisA"), auxiliary_for("MVTec AD")
    ('MVTec AD', 'VisA')
    """
    return VISA if target == MVTEC else MVTEC


def _colon(_: str) -> str:
    return COLON


#: data set that published prompts were learned on -> their name
PUBLISHED = {MVTEC: "published-mvtec", VISA: "published-visa"}

METHODS: dict[str, Variant] = {
    "anomalyclip": Variant("AnomalyCLIP", "AnomalyCLIP", PROTOCOL),
    "clip": Variant("CLIP", "CLIP", "clip"),
    "clip-ac": Variant("CLIP-AC", "CLIP-AC", "clip-ac"),
    "winclip": Variant("WinCLIP", "WinCLIP", "winclip"),
    "vand": Variant("VAND", "VAND", TRAINED, {"method": "vand"}),
    "coop": Variant("CoOp", "CoOp", TRAINED, {"method": "coop"}),
}
"""Columns of Tables 1 and 2 by name."""


def quarters(layers: int) -> tuple[int, ...]:
    """The paper's four stages, for any depth.

    >>> quarters(24), quarters(4), quarters(6)
    ((6, 12, 18, 24), (1, 2, 3, 4), (2, 3, 5, 6))
    """
    return tuple(sorted({max(1, (layers * stage + 2) // 4) for stage in (1, 2, 3, 4)}))


def _modules(towers: Towers) -> Sequence[Variant]:
    return (
        Variant("base: CLIP's towers and words", "Base", "clip", load={"dpam": "qk"}),
        Variant("+ T1: V-V attention (DPAM)", "+T1(DPAM)", "clip", load={"dpam": "vv"}),
        Variant("+ T2: learned object-agnostic prompts", "+T2(object-agnostic prompts)", TRAINED, {"depth": 1}),
        Variant("+ T3: learned tokens in the text encoder", "+T3(text-encoder tokens)", TRAINED),
        Variant(
            "+ T4: features of four layers",
            "+T4(multi-layer features)",
            TRAINED,
            {"layers": quarters(towers.vision_layers)},
        ),
    )


def _contexts(_: Towers) -> Sequence[Variant]:
    return (
        Variant("no loss (prompts as initialised)", "local=no,global=no", INITIAL),
        Variant("global loss", "local=no,global=yes", TRAINED, {"level": "image"}),
        Variant("local loss", "local=yes,global=no", TRAINED, {"level": "pixel"}),
        Variant("global and local loss", "local=yes,global=yes", TRAINED),
    )


def _attentions(_: Towers) -> Sequence[Variant]:
    words = {"qk": "Q-K (no DPAM)", "qq": "Q-Q", "kk": "K-K", "vv": "V-V (the method's)"}
    return [_study(label, "dpam", mode, "vv") for mode, label in words.items()]


def _lengths(_: Towers) -> Sequence[Variant]:
    return [_study(f"length {length}", "n_ctx", length, LENGTH) for length in (4, 8, 12, 16)]


def _depths(towers: Towers) -> Sequence[Variant]:
    depths = sorted({min(depth, towers.text_layers) for depth in (1, 3, 5, 7, 9, 11)})
    return [_study(f"depth {depth}", "depth", depth, min(DEPTH, towers.text_layers)) for depth in depths]


def _study(label: str, setting: str, value: Any, published: Any) -> Variant:
    """The published value is left unsaid, so that all studies share its training and its cells."""
    return Variant(label, None, TRAINED, {} if value == published else {setting: value})


def _object_words(_: Towers) -> Sequence[Variant]:
    return (
        Variant("object-agnostic", "AnomalyCLIP", TRAINED),
        Variant("object-aware", None, TRAINED, {"method": "object-aware"}),
    )


def _batches(_: Towers) -> Sequence[Variant]:
    return (
        Variant("words alone", "AnomalyCLIP", PROTOCOL),
        Variant("words and the batch", "MuSc", PROTOCOL, mutual=True),
    )


_PLOTTED = "The paper gives this study as a plot without figures."
_AS_PUBLISHED = "Maps come from the last layer alone, as in the authors' released checkpoints and logs."

_TABLES = (
    Table(
        "1",
        "Table 1: zero-shot anomaly detection, industrial data sets",
        "T1_industrial",
        INDUSTRIAL,
        auxiliary_for,
        methods=tuple(METHODS),
        trains=False,
        note=_AS_PUBLISHED,
    ),
    Table(
        "2",
        "Table 2: zero-shot anomaly detection, medical data sets",
        "T2_medical",
        MEDICAL,
        auxiliary_for,
        methods=tuple(METHODS),
        trains=False,
        note=_AS_PUBLISHED,
    ),
    Table(
        "3",
        "Table 3: prompts learned on a medical data set (colon), tested on the others",
        "T3_medical_finetuned",
        tuple(name for name in MEDICAL if name != COLON),
        lambda _: COLON,
        methods=("anomalyclip", "vand"),
        note="The authors learn on ColonDB together with an Endo classification set that is not published. ColonDB "
        "holds anomalous images only: alone it trains the local loss only. Add normal images with --auxiliary.",
    ),
    Table(
        "4",
        "Table 4: module ablation",
        "T4_module_ablation",
        _ABLATED,
        auxiliary_for,
        variants=_modules,
        note="The paper does not print the words of its base; here they are those of its CLIP baseline, whose figures "
        "in Table 1 differ from that base's. T4 selects four layers for real, where in the authors' release all four "
        "maps equalled the last.",
    ),
    Table(
        "5",
        "Table 5: context optimisation",
        "T5_context_ablation",
        _ABLATED,
        auxiliary_for,
        variants=_contexts,
        note=f"{_AS_PUBLISHED} The paper does not say what judges without any loss; here it is the random prompts that "
        "training starts from.",
    ),
    Table(
        "dpam",
        "DPAM strategies: which projections attend to themselves",
        None,
        _ABLATED,
        auxiliary_for,
        variants=_attentions,
        note=f"{_PLOTTED} {_AS_PUBLISHED}",
    ),
    Table(
        "length",
        "Prompt length: learned vectors per prompt",
        None,
        _ABLATED,
        auxiliary_for,
        variants=_lengths,
        note=f"{_PLOTTED} {_AS_PUBLISHED}",
    ),
    Table(
        "depth",
        "Prompt depth: text blocks that see learned tokens",
        None,
        _ABLATED,
        auxiliary_for,
        variants=_depths,
        note=f"{_PLOTTED} {_AS_PUBLISHED} Depths beyond the text tower are left out.",
    ),
    Table(
        "figure5",
        "Figure 5: gain of object-agnostic over object-aware prompts",
        "F5_gain_object_agnostic_minus_object_aware",
        INDUSTRIAL,
        auxiliary_for,
        variants=_object_words,
        note=_AS_PUBLISHED,
        gain=True,
    ),
    Table(
        "mutual",
        "Each class as an unlabelled batch, beside the published figures of MuSc",
        "M_mutual_scoring",
        _ABLATED,
        auxiliary_for,
        variants=_batches,
        trains=False,
        note="MuSc (ICLR 2024) scores the test set of a class by itself with the same CLIP: four layers, three "
        "neighbourhoods, all pairs, no words. Here one layer or stem, 48 partners, joined with the words "
        "(docs/mutual.md): another method, so that differences are no errors of a rerun.",
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _TABLES}
"""What `reproduce --table` offers."""


def find_table(name: str) -> Table:
    """A table by name. Raises ConfigError that lists them."""
    if name not in TABLES:
        raise ConfigError(f"unknown table {name!r}; expected some of {', '.join(TABLES)}, or all")
    return TABLES[name]


def find_method(name: str) -> Variant:
    """A column of Tables 1 and 2 by name. Raises ConfigError that lists them."""
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r}; expected some of {', '.join(METHODS)}, or all")
    return METHODS[name]
