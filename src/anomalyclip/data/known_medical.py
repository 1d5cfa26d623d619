"""The paper's ten medical data sets (METHOD section 8)."""

from __future__ import annotations

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.known_set import IMAGE, PIXEL, UNSTATED, Known
from anomalyclip.data.layouts import ClassTree, ImagesAndMasks, LabelledFolders
from anomalyclip.data.listed import Listed

_FIGSHARE = "https://figshare.com/articles/figure/Polyp_DataSet_zip/21221579"
_POLYPS = ImagesAndMasks(
    "colon",
    {"test": (("images", "masks"), ("Original", "Ground Truth"), ("PNG/Original", "PNG/Ground Truth"))},
    "images/ and masks/ with the same names",
)
_YES_NO = "yes/ and no/"


def _brain_folders(words: str, *inside: str) -> LabelledFolders:
    return LabelledFolders("brain", {"no": NORMAL, "yes": ANOMALOUS}, words, inside)


MEDICAL = (
    Known(
        "HeadCT",
        "medical",
        ("brain",),
        IMAGE,
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
        UNSTATED,
        "https://www.kaggle.com/datasets/felipekitamura/head-ct-hemorrhage",
        ("headct", "HeadCT_anomaly_detection", "head-ct-hemorrhage"),
        (100, 100),
    ),
    Known(
        "BrainMRI",
        "medical",
        ("brain",),
        IMAGE,
        # The Kaggle archive holds the images twice: at the top and in brain_tumor_dataset/.
        (_brain_folders(f"brain_tumor_dataset/ with {_YES_NO}", "brain_tumor_dataset", ""),),
        UNSTATED,
        "https://www.kaggle.com/datasets/navoneel/brain-mri-images-for-brain-tumor-detection",
        ("brainmri", "brain_mri", "brain-mri-images-for-brain-tumor-detection", "brain_tumor_dataset"),
        (98, 155),
    ),
    Known(
        "Br35H",
        "medical",
        ("brain",),
        IMAGE,
        (_brain_folders(f"{_YES_NO}; pred/ and Br35H-Mask-RCNN/ are not used", ""),),
        UNSTATED,
        "https://www.kaggle.com/datasets/ahmedhamada0/brain-tumor-detection",
        ("br35h", "br35", "brain-tumor-detection"),
        (1500, 1500),
    ),
    Known(
        "COVID-19",
        "medical",
        ("chest",),
        IMAGE,
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
        UNSTATED,
        "https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
        ("covid", "covid19", "COVID-19_Radiography_Dataset", "COVID-19 Radiography Database"),
        (1341, 219),
    ),
    Known(
        "ISIC",
        "medical",
        ("skin",),
        PIXEL,
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
        PIXEL,
        (_POLYPS,),
        UNSTATED,
        _FIGSHARE,
        ("cvc_colondb", "colondb"),
        (0, 380),
    ),
    Known(
        "CVC-ClinicDB",
        "medical",
        ("colon",),
        PIXEL,
        (_POLYPS,),
        UNSTATED,
        _FIGSHARE,
        ("cvc_clinicdb", "clinicdb"),
        (0, 612),
    ),
    Known(
        "Kvasir",
        "medical",
        ("colon",),
        PIXEL,
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
        PIXEL,
        (_POLYPS,),
        UNSTATED,
        "https://drive.google.com/file/d/1LNpLkv5ZlEUzr_RPN5rdOHaqk0SkZa3m/view",
        ("endo", "endotect", "EndoTect_2020_Segmentation_Test_Dataset"),
        (0, 200),
    ),
    Known(
        "TN3K",
        "medical",
        ("thyroid",),
        PIXEL,
        (
            ImagesAndMasks(
                "thyroid",
                {"test": (("test-image", "test-mask"),), "train": (("trainval-image", "trainval-mask"),)},
                "test-image/ and test-mask/ with the same names; trainval-image/, trainval-mask/",
            ),
        ),
        UNSTATED,
        "https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation",
        ("tn3k",),
        (0, 614),
    ),
)
