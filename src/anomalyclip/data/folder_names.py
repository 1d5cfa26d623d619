"""What the name of a folder says of the pictures in it: good ones, masks, or neither a picture nor its mask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from anomalyclip.data.columns import label_of, plain
from anomalyclip.data.dataset import ANOMALOUS, NORMAL

NORMAL_NAMES = frozenset({"good", "ok", "normal"})
PHASES = frozenset({"train", "test"})


def _longer(*words: str) -> tuple[str, ...]:
    """The words, and with what people add to them: test_set, Testing Data, trainset."""
    added = (f"{word}{between}{what}" for word in words for between in ("_", " ", "-", "") for what in ("data", "set"))
    return (*words, *added)


_VALIDATION = ("val", "valid", "validation")
#: What the folder of a split may be called, ours first; MVTec AD 2 publishes one part of its test pictures with masks.
#: What a set without test pictures keeps for validation is tested on.
PHASE_FOLDERS = {
    "test": ("test", "test_public", *_longer("test", "testing")[1:], *_VALIDATION),
    "train": _longer("train", "training"),
}
#: Where masks lie, by kind or all together.
MASK_FOLDERS = (
    "ground_truth", "masks", "mask", "groundtruth", "ground-truth", "gt", "test_masks", "test_mask", "masks_test",
    "labels", "label", "annotations", "annotation", "segmentation", "mask_images", "mask_image",
    "ground truth",
)  # fmt: skip
#: What a folder beside a kind's adds to the kind's name where it holds its masks: NG/ beside NG_mask/.
_MASK_WORDS = ("mask", "masks", "gt", "groundtruth", "label", "labels", "segmentation", "annotation", "annotations")
# Beside pictures: what a program made of them, and what other sensors saw of the same parts.
_RESULTS = (
    "heatmap heatmaps overlay overlays result results prediction predictions pred preds anomaly_map anomaly_maps map "
    "maps output outputs visualization visualizations visualisation vis thumbnail thumbnails thumbs preview previews "
    "xyz depth pointcloud pointclouds point_cloud pcd ir infrared thermal normals "
    "annotated augmented augmentation augmentations backup backups bak copy copies"
)
_NEITHER = frozenset(map(plain, str.split(_RESULTS)))
# Pictures that nobody has judged yet are no defects.
_WAITING = (
    "unknown unlabeled unlabelled unsorted unclassified unreviewed unchecked undecided unsure todo to_label pending "
    "unbekannt unsortiert ungeprüft unklar inconnu desconocido desconhecido sconosciuto 未知 未标注 未分類 不明 미분류"
)
_UNJUDGED = frozenset(map(plain, str.split(_WAITING)))
_REST = frozenset({"dev"}) | {one for names in PHASE_FOLDERS.values() for one in names}
#: Words that mean good pictures only where the other word of the pair lies beside them.
_PAIRED = {
    plain(good): frozenset(map(plain, bad.split()))
    for good, bad in (
        ("0", "1"), ("no", "yes"), ("n", "y"), ("false", "true"), ("negative", "positive"), ("nein", "ja"),
        ("falsch", "wahr"), ("non", "oui"), ("nee", "ja"), ("none", "defect"), ("neg", "pos"), ("go", "nogo"),
    )
}  # fmt: skip
#: What stands beside a number that is a label; of camera_0/ and camera_1/ the numbers tell none.
_BEFORE_LABELS = frozenset({"class", "cls", "label", "labels", "target"})
_DIGITS = re.compile(r"[\W_]*\d*[\W_]*")
_WORD = re.compile(r"[^\W\d_]+")
_PART = re.compile(r"[^\W_]+")


def good_folders(names: Iterable[str], normal: frozenset[str] = NORMAL_NAMES) -> set[str]:
    """Those of the folders beside each other that hold good pictures.

    normal: names that always do, in lower case; others are the words of any language that lists may use, also numbered.

    >>> sorted(good_folders(["OK", "good_2", "ok_front", "scratch"])), sorted(good_folders(["Negative", "Positive"]))
    (['OK', 'good_2'], ['Negative'])
    >>> good_folders(["negative", "scratch"]), good_folders(["0", "3"]), good_folders(["00", "crack"])
    (set(), set(), set())
    >>> sorted(good_folders(["def_front", "ok_front"])), sorted(good_folders(["abnormal", "normal", "normal_test"]))
    (['ok_front'], ['normal', 'normal_test'])
    >>> good_folders(["yes", "no", "pred"]), good_folders(["Negative", "Positive", "masks"])
    ({'no'}, {'Negative'})
    >>> good_folders(["no_tumor", "glioma_tumor"]), good_folders(["ohne Fehler", "mit Fehler"])
    ({'no_tumor'}, {'ohne Fehler'})
    >>> good_folders(["class_0", "class_1"]), good_folders(["cam_0", "cam_1"]), good_folders(["test_0", "test_1"])
    ({'class_0'}, set(), set())
    >>> sorted(good_folders(["Apple___healthy", "Apple___scab", "Corn_(maize)___healthy", "Orange___greening"]))
    ['Apple___healthy', 'Corn_(maize)___healthy']
    >>> sorted(good_folders(["line1-OK", "line2-NG", "line3-OK"]))
    ['line1-OK', 'line3-OK']
    """
    given = _without_common_part(list(names))
    told = [name for name in given if not (is_neither(name) or is_unjudged(name) or name.casefold() in MASK_FOLDERS)]
    words, whole = {plain(given[name]) for name in told}, set(map(plain, told))
    found = {
        name
        for name, short in given.items()
        if name.casefold() in normal or _means_good(short, words) or _means_good(name, whole)
    }
    return found or _of_parts(told) or _of_endings(told)


def _of_parts(names: Sequence[str]) -> set[str]:
    """Those that end in a word for good, where a fault begins as one of them does: Apple___healthy and Apple___scab."""
    parts = {name: [word.casefold() for word in _PART.findall(name)] for name in names}
    good = {name for name, words in parts.items() if doubtful(name) and label_of(words[-1]) == NORMAL}
    faults = [words for name, words in parts.items() if name not in good]
    return good if any(words[: len(parts[n]) - 1] == parts[n][:-1] for n in good for words in faults) else set()


def _of_endings(names: Sequence[str]) -> set[str]:
    """Those that end in a word for good, where every one ends in a label."""
    labels = {name: label_of_ending(name) for name in names}
    return {name for name, label in labels.items() if label == NORMAL} if None not in labels.values() else set()


def label_of_ending(name: str) -> int | None:
    """The label that a name ends in; None where its last word is none, or the only one.

    >>> label_of_ending("study1_positive"), label_of_ending("a-OK"), label_of_ending("good"), label_of_ending("a_no_ok")
    (1, 0, None, 1)
    """
    words = _PART.findall(name)
    if len(words) < 2 or not words[-1].isalpha():
        return None
    told = label_of("_".join(words[-2:]))
    return label_of(words[-1]) if told is None else told


def _without_common_part(names: list[str]) -> dict[str, str]:
    """Name -> the name without the word that all of them begin or end with, and without that of a split."""
    parts = {name: _PART.findall(name) for name in names}
    several = len(names) > 1 and all(len(words) > 1 for words in parts.values())
    for at, rest in ((-1, slice(None, -1)), (0, slice(1, None))):
        common = {words[at].casefold() for words in parts.values()} if several else set()
        short = {name: "_".join(words[rest]) for name, words in parts.items()}
        if len(common) == 1 and (common <= _BEFORE_LABELS or not any(map(str.isdigit, short.values()))):
            return short
    shorter = {name: [word for word in words if word.casefold() not in _REST] for name, words in parts.items()}
    return {
        name: "_".join(words) if 0 < len(words) < len(parts[name]) and not words[0].isdigit() else name
        for name, words in shorter.items()
    }


def masks_of_kinds(names: Iterable[str]) -> dict[str, str]:
    """Kind -> the folder beside it that is called after it and masks.

    >>> masks_of_kinds(["NG", "NG_mask", "OK", "gt_scratch", "scratch", "face mask"])
    {'NG': 'NG_mask', 'scratch': 'gt_scratch'}
    """
    given = {plain(name): name for name in names}
    found = {}
    for name in given.values():
        words = [word.casefold() for word in _PART.findall(name)]
        for sign, rest in ((words[-1:], words[:-1]), (words[:1], words[1:])):
            kind = given.get(plain("".join(rest))) if rest and sign[0] in _MASK_WORDS else None
            if kind is not None:
                found[kind] = name
    return found


def _means_good(name: str, beside: set[str]) -> bool:
    word = plain(name)
    if word in _PAIRED:
        return bool(_PAIRED[word] & beside) and beside <= {word} | _PAIRED[word]
    stem = _DIGITS.sub("", name)  # a number alone may be anything
    return _WORD.search(stem) is not None and plain(stem) not in _PAIRED and label_of(stem) == NORMAL


def doubtful(name: str) -> bool:
    """Whether a folder that counts as a defect has a word for good in its name, and none for a fault.

    >>> [doubtful(name) for name in ("ok_front", "good and clean", "not_good", "scratch", "no_defect_found")]
    [True, True, False, False, False]
    """
    words = _WORD.findall(name)
    told = [label_of(word) for word in words]
    denied = any(word.casefold() in ("not", "un", "no", "non", "nicht", "pas", "abnormal") for word in words)
    return len(words) > 1 and NORMAL in told and ANOMALOUS not in told and not denied


def is_neither(name: str) -> bool:
    """Whether a folder holds neither pictures nor masks, but what a program or another sensor made of the parts."""
    return plain(name) in _NEITHER


def is_unjudged(name: str) -> bool:
    """Whether a folder says that nobody has told good from bad in it.

    >>> is_unjudged("Unlabelled"), is_unjudged("to label"), is_unjudged("unknown_stain"), is_unjudged("unlabelled_2")
    (True, True, False, True)
    """
    return plain(_DIGITS.sub("", name)) in _UNJUDGED


def of_other_splits(names: Iterable[str], split: str) -> set[str]:
    """Folders of kinds that are named after another split, where any is named after this one.

    >>> of_other_splits(["train_good", "test_good", "test_bad"], "test"), of_other_splits(["train_good", "bad"], "test")
    ({'train_good'}, set())
    """
    words = {name: {word.casefold() for word in _PART.findall(name)} for name in names}
    if not any(split in found for found in words.values()):
        return set()
    return {name for name, found in words.items() if found & _REST and split not in found}


def split_of(name: str) -> str:
    """The split that a folder is called after: "test", "train", "val" or ""; and of no other kind.

    >>> split_of("Testing Data"), split_of("train"), split_of("valid"), split_of("trained")
    ('test', 'train', 'val', '')
    """
    word = name.casefold()
    if word in _VALIDATION:
        return "val"
    return next((split for split, names in PHASE_FOLDERS.items() if word in names), "")


def is_of_a_split(name: str) -> bool:
    """Whether it is the folder of a split, used or not."""
    return name.casefold() in _REST
