"""The 17 data sets of the paper (METHOD section 8) as one table. None is downloaded: their owners' terms apply."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.layouts import (
    ClassTree,
    ImagesAndMasks,
    LabelledFolders,
    LabelSubfolder,
    Layout,
    MaskBeside,
)
from anomalyclip.data.listed import Listed
from anomalyclip.errors import InputError


@dataclass(frozen=True)
class Known:
    """One published data set.

    Attributes:
        name: as in the paper's tables.
        folders: names under which its folder is usually found, letter case and -_ aside.
        classes: in the paper's order.
        levels: what the paper measures on it.
        layouts: as published, then as the authors' scripts expect it.
        licence, source: the owners' terms in short, and where a user gets it.
        images: (normal, anomalous) of the paper's test split, None where a split is not published.
    """

    name: str
    domain: Literal["industrial", "medical"]
    classes: tuple[str, ...]
    levels: frozenset[str]
    layouts: tuple[Layout, ...]
    licence: str
    source: str
    folders: tuple[str, ...]
    images: tuple[int, int] | None = None
    inside: tuple[str, ...] = field(default=("",))

    def answers_to(self, name: str) -> bool:
        """Whether `name` (of a user or of a folder) means this data set."""
        return _plain(name) in {_plain(option) for option in (self.name, *self.folders)}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_BOTH, _IMAGE, _PIXEL = frozenset({"image", "pixel"}), frozenset({"image"}), frozenset({"pixel"})
_NC = "CC BY-NC-SA 4.0"
_UNSTATED = "see the source's terms"
_FIGSHARE = "https://figshare.com/articles/figure/Polyp_DataSet_zip/21221579"
_TREE = ClassTree()
_POLYPS = ImagesAndMasks(
    "colon",
    {"test": (("images", "masks"), ("Original", "Ground Truth"), ("PNG/Original", "PNG/Ground Truth"))},
    "images/ and masks/ with the same names",
)
_YES_NO = "yes/ and no/"


def _brain_folders(words: str, *inside: str) -> LabelledFolders:
    return LabelledFolders("brain", {"no": NORMAL, "yes": ANOMALOUS}, words, inside)


_TABLE = (
    Known(
        "MVTec AD",
        "industrial",
        (
            "bottle",
            "cable",
            "capsule",
            "carpet",
            "grid",
            "hazelnut",
            "leather",
            "metal_nut",
            "pill",
            "screw",
            "tile",
            "toothbrush",
            "transistor",
            "wood",
            "zipper",
        ),
        _BOTH,
        (_TREE,),
        _NC,
        "https://www.mvtec.com/company/research/datasets/mvtec-ad",
        ("mvtec", "mvtec_anomaly_detection", "MVTecAD"),
        (467, 1258),
    ),
    Known(
        "VisA",
        "industrial",
        (
            "candle",
            "capsules",
            "cashew",
            "chewinggum",
            "fryum",
            "macaroni1",
            "macaroni2",
            "pcb1",
            "pcb2",
            "pcb3",
            "pcb4",
            "pipe_fryum",
        ),
        _BOTH,
        (
            Listed("split_csv/1cls.csv", "<class>/Data/{Images,Masks}/... listed by split_csv/1cls.csv"),
            ClassTree("1cls/<class>/{train,test,ground_truth}/ as rearranged by the owners' script"),
        ),
        "CC BY 4.0",
        "https://github.com/amazon-science/spot-diff",
        ("visa", "VisA_20220922", "visa_pytorch", "1cls"),
        (962, 1200),
        ("", "1cls", "visa_pytorch/1cls"),
    ),
    Known(
        "MPDD",
        "industrial",
        ("bracket_black", "bracket_brown", "bracket_white", "connector", "metal_plate", "tubes"),
        _BOTH,
        (_TREE,),
        _UNSTATED,
        "https://github.com/stepanje/MPDD",
        ("mpdd", "anomaly_dataset"),
        (176, 282),
        ("", "MPDD"),
    ),
    Known(
        "BTAD",
        "industrial",
        ("01", "02", "03"),
        _BOTH,
        (ClassTree("<class>/test/{ok,ko}/, <class>/ground_truth/ko/; 01 and 03 hold .bmp images"),),
        _NC,
        "http://avires.dimi.uniud.it/papers/btad/btad.zip",
        ("btad", "btech", "BTech_Dataset_transformed"),
        (451, 290),
        ("", "BTech_Dataset_transformed"),
    ),
    Known(
        "SDD",
        "industrial",
        ("electrical commutators",),
        _BOTH,
        (MaskBeside("electrical commutators"), _TREE),
        _NC,
        "https://www.vicos.si/resources/kolektorsdd/",
        ("sdd", "KolektorSDD", "ksdd"),
        None,
        ("", "KolektorSDD"),
    ),
    Known(
        "DAGM",
        "industrial",
        tuple(f"Class{number}" for number in range(1, 11)),
        _BOTH,
        (LabelSubfolder(),),
        _UNSTATED,
        "https://www.kaggle.com/datasets/mhskjelvareid/dagm-2007-competition-dataset-optical-inspection",
        ("dagm", "DAGM_KaggleUpload", "DAGM2007"),
        (6996, 1054),
        ("", "DAGM_KaggleUpload"),
    ),
    Known(
        "DTD-Synthetic",
        "industrial",
        (
            "Woven_001",
            "Woven_127",
            "Woven_104",
            "Stratified_154",
            "Blotchy_099",
            "Woven_068",
            "Woven_125",
            "Marbled_078",
            "Perforated_037",
            "Mesh_114",
            "Fibrous_183",
            "Matted_069",
        ),
        _BOTH,
        (_TREE,),
        _UNSTATED,
        "https://drive.google.com/drive/folders/10OyPzvI3H6llCZBxKxFlKWt1Pw1tkMK1",
        ("dtd", "dtd_synthetic"),
        (357, 947),
        ("", "DTD-Synthetic"),
    ),
    Known(
        "HeadCT",
        "medical",
        ("brain",),
        _IMAGE,
        (
            Listed(
                "labels.csv",
                "labels.csv (id, hemorrhage) and head_ct/NNN.png",
                "brain",
                ("id", "hemorrhage", ("head_ct/head_ct", "head_ct")),
                frozenset({"test"}),
            ),
            ClassTree("brain/test/{good,<finding>}/", class_name="brain"),
        ),
        _UNSTATED,
        "https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
        ("headct", "HeadCT_anomaly_detection", "head-ct-hemorrhage"),
        (100, 100),
    ),
    Known(
        "BrainMRI",
        "medical",
        ("brain",),
        _IMAGE,
        # The Kaggle archive holds the images twice: at the top and in brain_tumor_dataset/.
        (_brain_folders(f"brain_tumor_dataset/ with {_YES_NO}", "brain_tumor_dataset", ""),),
        _UNSTATED,
        "https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
        ("brainmri", "brain_mri", "brain-mri-images-for-brain-tumor-detection", "brain_tumor_dataset"),
        (98, 155),
    ),
    Known(
        "Br35H",
        "medical",
        ("brain",),
        _IMAGE,
        (_brain_folders(f"{_YES_NO}; pred/ and Br35H-Mask-RCNN/ are not used", ""),),
        _UNSTATED,
        "https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
        ("br35h", "br35", "brain-tumor-detection"),
        (1500, 1500),
    ),
    Known(
        "COVID-19",
        "medical",
        ("chest",),
        _IMAGE,
        (
            LabelledFolders(
                "chest",
                {"NORMAL": NORMAL, "COVID": ANOMALOUS},
                "NORMAL/ and COVID/, images directly or in images/; lung masks and other illnesses are not used",
                ("", "COVID-19_Radiography_Dataset", "COVID-19 Radiography Database"),
            ),
            LabelledFolders(
                "chest",
                {"NORMAL": NORMAL, "COVID-19": ANOMALOUS},
                "NORMAL/ and COVID-19/, the archive's first release",
                ("", "COVID-19 Radiography Database"),
            ),
        ),
        _UNSTATED,
        "https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        ("covid", "covid19", "COVID-19_Radiography_Dataset", "COVID-19 Radiography Database"),
        (1341, 219),
    ),
    Known(
        "ISIC",
        "medical",
        ("skin",),
        _PIXEL,
        (
            ImagesAndMasks(
                "skin",
                {
                    "test": (("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),),
                    "train": (("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),),
                },
                "ISBI2016_ISIC_Part1_Test_Data/NAME.jpg, ISBI2016_ISIC_Part1_Test_GroundTruth/NAME_Segmentation.png",
            ),
            ClassTree(
                "skin/test/<kind>/ and skin/ISBI2016_ISIC_Part1_Test_GroundTruth/",
                mask_folders=("ISBI2016_ISIC_Part1_Test_GroundTruth",),
                class_name="skin",
            ),
        ),
        "CC0 1.0",
        "https://challenge.isic-archive.com/data/#2016",
        ("isic", "isbi", "isic2016"),
        (0, 379),
    ),
    Known(
        "CVC-ColonDB",
        "medical",
        ("colon",),
        _PIXEL,
        (_POLYPS,),
        _UNSTATED,
        _FIGSHARE,
        ("cvc_colondb", "colondb"),
        (0, 380),
    ),
    Known(
        "CVC-ClinicDB",
        "medical",
        ("colon",),
        _PIXEL,
        (_POLYPS,),
        _UNSTATED,
        _FIGSHARE,
        ("cvc_clinicdb", "clinicdb"),
        (0, 612),
    ),
    Known(
        "Kvasir",
        "medical",
        ("colon",),
        _PIXEL,
        (_POLYPS,),
        "research and education only",
        _FIGSHARE,
        ("kvasir", "kvasir-seg"),
        (0, 1000),
    ),
    Known(
        "Endo",
        "medical",
        ("colon",),
        _PIXEL,
        (_POLYPS,),
        _UNSTATED,
        "https://drive.google.com/file/d/1LNpLkv5ZlEUzr_RPN5rdOHaqk0SkZa3m/view",
        ("endo", "endotect", "EndoTect_2020_Segmentation_Test_Dataset"),
        (0, 200),
    ),
    Known(
        "TN3K",
        "medical",
        ("thyroid",),
        _PIXEL,
        (
            ImagesAndMasks(
                "thyroid",
                {"test": (("test-image", "test-mask"),), "train": (("trainval-image", "trainval-mask"),)},
                "test-image/ and test-mask/ with the same names; trainval-image/, trainval-mask/",
            ),
        ),
        _UNSTATED,
        "https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        ("tn3k",),
        (0, 614),
    ),
)

KNOWN: dict[str, Known] = {known.name: known for known in _TABLE}


def find_known(name: str) -> Known:
    """A data set by any of its names. Raises InputError that lists them all.

    >>> find_known("mvtec_anomaly_detection").name
    'MVTec AD'
    """
    for known in KNOWN.values():
        if known.answers_to(name):
            return known
    raise InputError(f"unknown data set {name!r}; expected one of {', '.join(KNOWN)}")


def recognise(root: Path) -> Known | None:
    """Which known data set lies in a folder: by its name, or because it holds exactly the set's several classes.

    One class name proves nothing (many sets have a "wood" or a "brain"), so sets of one class go by the folder's name,
    unless the layout is theirs alone.
    """
    for known in KNOWN.values():
        fitting = place(known, root)
        if fitting is None:
            continue
        by_name = any(known.answers_to(name) for name in (root.name, root.resolve().name))
        if by_name or (len(known.classes) > 1 and set(fitting[0].classes(fitting[1])) == set(known.classes)):
            return known
        if isinstance(fitting[0], MaskBeside) or (isinstance(fitting[0], Listed) and known.name in ("VisA", "HeadCT")):
            return known
    return None


def place(known: Known, root: Path) -> tuple[Layout, Path] | None:
    """The layout in which a data set lies under a folder, and the subfolder where it starts; None if in none."""
    from anomalyclip.data.pairing import child

    for inner in known.inside:
        base = child(root, *inner.split("/")) if inner else root
        for layout in known.layouts:
            if base.is_dir() and layout.fits(base):
                return layout, base
    return None
