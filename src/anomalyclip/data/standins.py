"""Rendered stand-ins of the 17 data sets, in their published layouts: to exercise what reads, trains and reproduces.

They share names, classes, layout and levels with the real sets, and nothing else: a figure on them says nothing about
the paper's. Every folder holds ``made.json``, by which they are told from the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from anomalyclip.data.known import KNOWN, Known, find_known
from anomalyclip.data.label_subfolder import LabelSubfolder
from anomalyclip.data.layouts import (
    ClassTree,
    ImagesAndMasks,
    LabelledFolders,
    Layout,
    MaskBeside,
)
from anomalyclip.data.listed import Listed
from anomalyclip.data.make import SETTINGS, check_numbers, claim_folder, save_render

_MAX_PER_CLASS = 10_000


@dataclass(frozen=True)
class Style:
    """What a layout's reader leaves open.

    Attributes:
        folder: the data set's folder, as its archive unpacks.
        families: of the renderer; class number i is drawn as families[i], and so on in turn.
        normal, kind: folder names of normal and anomalous images.
        suffix, mask_suffix: of files; by_class: for single classes both.
        ending: what a mask's name adds to its image's.
    """

    folder: str
    families: tuple[str, ...]
    normal: str = "good"
    kind: str = "defect"
    suffix: str = ".png"
    mask_suffix: str = ".png"
    ending: str = "_mask"
    by_class: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def suffixes(self, class_name: str) -> tuple[str, str]:
        """Of images and masks."""
        return self.by_class.get(class_name, (self.suffix, self.mask_suffix))


_MVTEC = "bottle cable capsule carpet mesh food leather nut pill screw stone_tile toothbrush chip wood zipper"
_VISA = "candle capsule food food food scatter scatter circuit_board circuit_board circuit_board circuit_board food"
_DTD = "fabric fabric knit bricks concrete fabric fabric stone_tile mesh mesh felt carpet"
_COLON = ("endoscopy",)
_BRAIN = ("brain",)

STYLES: dict[str, Style] = {
    "MVTec AD": Style("mvtec_anomaly_detection", tuple(_MVTEC.split())),
    "VisA": Style("VisA_20220922", tuple(_VISA.split()), suffix=".JPG"),
    "MPDD": Style("MPDD", ("painted_metal", "painted_metal", "painted_metal", "connector", "machined_metal", "rods")),
    "BTAD": Style(
        "BTech_Dataset_transformed",
        ("washer", "wood", "cap"),
        normal="ok",
        kind="ko",
        ending="",
        by_class={"01": (".bmp", ".png"), "03": (".bmp", ".bmp")},
    ),
    "SDD": Style("KolektorSDD", ("cast_metal",), suffix=".jpg", mask_suffix=".bmp"),
    "DAGM": Style("DAGM_KaggleUpload", ("micrograph", "plastic", "felt", "fabric"), suffix=".PNG", mask_suffix=".PNG"),
    "DTD-Synthetic": Style("DTD-Synthetic", tuple(_DTD.split())),
    "HeadCT": Style("head-ct-hemorrhage", _BRAIN),
    "BrainMRI": Style("brain-mri-images-for-brain-tumor-detection", _BRAIN, suffix=".jpg"),
    "Br35H": Style("Br35H", _BRAIN, suffix=".jpg"),
    "COVID-19": Style("COVID-19_Radiography_Dataset", ("xray",)),
    "ISIC": Style("ISIC2016", ("skin",), suffix=".jpg", ending="_Segmentation"),
    "CVC-ColonDB": Style("CVC-ColonDB", _COLON, ending=""),
    "CVC-ClinicDB": Style("CVC-ClinicDB", _COLON, ending=""),
    "Kvasir": Style("Kvasir-SEG", _COLON, suffix=".jpg", mask_suffix=".jpg", ending=""),
    "Endo": Style("EndoTect_2020_Segmentation_Test_Dataset", _COLON, suffix=".jpg", ending=""),
    "TN3K": Style("tn3k", ("ultrasound",), suffix=".jpg", mask_suffix=".jpg", ending=""),
}
"""How each data set of `KNOWN` is imitated."""


class Place(NamedTuple):
    """Where one picture goes, relative to the data set's folder; `mask` is None where the layout has none."""

    image: str
    mask: str | None


class _Wanted(NamedTuple):
    """One picture to render: `number` counts within its class, anomalous ones first."""

    class_name: str
    class_rank: int
    number: int
    anomalous: bool


def make_standin(
    root: Path,
    name: str,
    per_class: int = 4,
    *,
    classes: int | None = None,
    size: int = 128,
    seed: int = 0,
    resume: bool = False,
    advance: Callable[[], object] = lambda: None,
) -> Path:
    """Render a small data set in the published layout of `name` and return its folder below `root`.

    per_class: pictures per class, half of them normal; all anomalous where the real set is. classes: the first so many
    of the real set's classes; None for all. A picture depends on its class, its number and `seed` alone, so `per_class`
    may grow with `resume`, which keeps what is there.

    Raises ConfigError for a number out of range, InputError for an unknown data set or a folder that holds something
    else, OutputError if a file cannot be written.
    """
    from anomalyclip.data.synthetic import render

    known, chosen = find_known(name), classes or _MAX_PER_CLASS
    check_numbers(size, seed, (per_class, 2, _MAX_PER_CLASS, "per_class"), (chosen, 1, _MAX_PER_CLASS, "classes"))
    style, layout = STYLES[known.name], known.layouts[0]
    folder = root / style.folder
    claim_folder(folder, {"stand_in_for": known.name, "classes": classes, "size": size, "seed": seed}, resume)
    places = {picture: _place(layout, style, picture) for picture in _wanted(known, per_class, classes)}
    rank = list(KNOWN).index(known.name)
    for picture, place in places.items():
        if not (folder / place.image).exists():
            number = (rank << 24) | (picture.class_rank << 16) | picture.number
            family = style.families[picture.class_rank % len(style.families)]
            sample = render((seed << 32) | number, size, anomalous=picture.anomalous, families=[family])
            save_render(sample, folder / place.image, folder / place.mask if place.mask else None)
        advance()
    _write_list(folder, layout, places)
    return folder


def count_pictures(name: str, per_class: int, classes: int | None = None) -> int:
    """How many pictures `make_standin` will render."""
    return len(list(_wanted(find_known(name), per_class, classes)))


def is_standin(folder: Path) -> bool:
    """Whether a data set's folder was rendered by this package."""
    return (folder / SETTINGS).is_file()


def _wanted(known: Known, per_class: int, classes: int | None) -> Iterator[_Wanted]:
    normals = per_class // 2 if "image" in known.levels else 0
    for rank, class_name in enumerate(known.classes[:classes]):
        for number in range(per_class):
            yield _Wanted(class_name, rank, number, number % 2 == 0 or not normals)


def _place(layout: Layout, style: Style, picture: _Wanted) -> Place:
    """Where the layout's own reader will find this picture and its mask."""
    return _PLACES[type(layout)](layout, style, picture)


def _class_tree(layout: ClassTree, style: Style, picture: _Wanted) -> Place:
    name, stem = picture.class_name, f"{picture.number:03}"
    suffix, mask_suffix = style.suffixes(name)
    if not picture.anomalous:
        return Place(f"{name}/test/{style.normal}/{stem}{suffix}", None)
    mask = f"{name}/{layout.mask_folders[0]}/{style.kind}/{stem}{style.ending}{mask_suffix}"
    return Place(f"{name}/test/{style.kind}/{stem}{suffix}", mask)


def _listed(layout: Listed, style: Style, picture: _Wanted) -> Place:
    if layout.numbered is not None:
        return Place(f"{layout.numbered[2][0]}/{picture.number:03}{style.suffix}", None)
    base, state = f"{picture.class_name}/Data", "Anomaly" if picture.anomalous else "Normal"
    image = f"{base}/Images/{state}/{picture.number:04}{style.suffix}"
    return Place(image, f"{base}/Masks/{state}/{picture.number:04}.png" if picture.anomalous else None)


def _labelled_folders(layout: LabelledFolders, style: Style, picture: _Wanted) -> Place:
    label = next(name for name, label in layout.labels.items() if label == int(picture.anomalous))
    inside = f"{layout.inside[0]}/" if layout.inside[0] else ""
    return Place(f"{inside}{label}/{label}-{picture.number}{style.suffix}", None)


def _images_and_masks(layout: ImagesAndMasks, style: Style, picture: _Wanted) -> Place:
    images, masks = layout.pairs["test"][0]
    stem = f"{picture.number:04}"
    return Place(f"{images}/{stem}{style.suffix}", f"{masks}/{stem}{style.ending}{style.mask_suffix}")


def _label_subfolder(layout: LabelSubfolder, style: Style, picture: _Wanted) -> Place:
    base, stem = f"{picture.class_name}/Test", f"{picture.number + 1:04}"
    mask = f"{base}/{layout.folder}/{stem}_label{style.mask_suffix}" if picture.anomalous else None
    return Place(f"{base}/{stem}{style.suffix}", mask)


def _mask_beside(layout: MaskBeside, style: Style, picture: _Wanted) -> Place:
    stem = f"{layout.prefix}{picture.number // 8 + 1:02}/Part{picture.number % 8}"
    return Place(f"{stem}{style.suffix}", f"{stem}{layout.ending}{style.mask_suffix}")  # black for a normal image


_PLACES: dict[type, Callable[..., Place]] = {
    ClassTree: _class_tree,
    Listed: _listed,
    LabelledFolders: _labelled_folders,
    ImagesAndMasks: _images_and_masks,
    LabelSubfolder: _label_subfolder,
    MaskBeside: _mask_beside,
}


def _write_list(folder: Path, layout: Layout, places: Mapping[_Wanted, Place]) -> None:
    """The CSV of a layout that has one."""
    from anomalyclip.io.atomic import atomic_write

    if not isinstance(layout, Listed):
        return
    if layout.numbered is not None:
        number, label, _ = layout.numbered
        lines = [f"{number}, {label}", *(f"{picture.number},{int(picture.anomalous)}" for picture in places)]
    else:
        lines = ["object,split,label,image,mask", *(_visa_row(picture, place) for picture, place in places.items())]
    path = folder / layout.file
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")


def _visa_row(picture: _Wanted, place: Place) -> str:
    label = "anomaly" if picture.anomalous else "normal"
    return f"{picture.class_name},test,{label},{place.image},{place.mask or ''}"


def chosen_layouts(names: Sequence[str]) -> tuple[str, ...]:
    """Names of data sets as the paper's; "all" is every one. Raises InputError for an unknown one."""
    if [name.casefold() for name in names] == ["all"]:
        return tuple(KNOWN)
    return tuple(dict.fromkeys(find_known(name).name for name in names))
