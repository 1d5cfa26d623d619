"""Records of runs that somebody edited: every figure that cannot be is refused, and the file and field are named."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from anomalyclip.cli import main
from anomalyclip.comparison import read_methods
from anomalyclip.comparison.figures import _FewValues, _Values
from anomalyclip.data import open_dataset
from anomalyclip.errors import InputError
from anomalyclip.evaluation.few_shot import result as few_shot
from anomalyclip.evaluation.result import DECISIONS, METRICS


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Folders of real runs over one class, and another of each verb to compare with."""
    root = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    for part, kind, count in (("train", "good", 3), ("test", "good", 4), ("test", "scratch", 3)):
        (root / "set" / "bolt" / part / kind).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(90, 140, (48, 48, 3), dtype=np.uint8)
            marked = np.zeros((48, 48), np.uint8)
            if kind == "scratch":
                marked[10:20, 8 : 20 + number] = 255
                pixels[marked > 0] = (255, 0, 0)
                (root / "set" / "bolt" / "ground_truth" / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(marked).save(root / "set/bolt/ground_truth" / kind / f"{number}_mask.png")
            Image.fromarray(pixels).save(root / "set" / "bolt" / part / kind / f"{number}.png")
    runs = {
        "evaluate": ["evaluate", root / "set", "--no-plots"],
        "few": ["evaluate", root / "set", "--no-plots", "--shots", 1, "--draws", 2],
        "other": ["evaluate", root / "set", "--no-plots", "--sigma", 2],
        "detect": ["detect", root / "set" / "bolt" / "test", "--recursive", "--maps", "none"],
        "later": ["detect", root / "set" / "bolt" / "test", "--recursive", "--maps", "none", "--sigma", 2],
    }
    for name, words in runs.items():
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words), "--output", str(root / name), "--quiet"])
        assert ended.value.code == 0
    return {name: root / name for name in (*runs, "set")}


BESIDE = {"evaluate": "other", "few": "other", "detect": "later"}
FILES = {
    ("evaluate", "metrics.json"): 100,
    ("evaluate", "run.json"): 25,
    ("evaluate", "pixel_resamples.json"): 3,
    ("few", "metrics.json"): 150,
    ("detect", "run.json"): 15,
}


def leaves(value, at=()):
    """Paths of all plain values and lists of a JSON document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*at, key))
    else:
        yield at, value


def edited(content, at, value):
    """A copy with another value in one place."""
    copy = json.loads(json.dumps(content))
    place = copy
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return copy


def refusal(ran, run, name, text):
    """What comparing says of a run whose file holds this text; None where it takes it."""
    file = ran[run] / name
    before = file.read_bytes()
    file.write_text(text)
    try:
        read_methods([ran[run], ran[BESIDE[run]]], open_dataset(ran["set"]))
    except InputError as error:
        return str(error)
    finally:
        file.write_bytes(before)
    return None


#: Left alone by `compare`: what no figure and no method depends on, in the types that they have.
FREE = re.compile(
    r"files\.|passed_over|(settings\.)?few_shot\.(references_from|draws|fpr|seed|memory|aligned|augment|method)|settings.few_shot|data\."
)


@pytest.mark.parametrize(("run", "name"), FILES)
def test_a_value_of_another_kind_is_refused_by_name(ran, run, name):
    content = json.loads((ran[run] / name).read_bytes())
    tried, taken = 0, []
    for at, value in leaves(content):
        if FREE.match(".".join(at)):
            continue
        kinds = ["high" if isinstance(value, int | float) and not isinstance(value, bool) else -3, [value], {"a": 1}]
        kinds += [-3, True] if isinstance(value, int | float) and not isinstance(value, bool) else []
        for wrong in kinds:
            tried += 1
            said = refusal(ran, run, name, json.dumps(edited(content, at, wrong)))
            if said is None or name not in said:
                taken.append((at, wrong, said))
    assert taken == []
    assert tried >= FILES[run, name]


def test_all_metrics_are_checked():
    assert set(_Values.model_fields) == {*METRICS, *DECISIONS}
    assert set(_FewValues.model_fields) == set(few_shot.METRICS)


@pytest.mark.parametrize(
    ("run", "name", "old", "new", "said"),
    [
        ("evaluate", "metrics.json", '"format": 1', '"format": 2', "format: it is 2, this program reads 1"),
        ("evaluate", "metrics.json", '"format": 1', '"format": true', "format"),
        ("evaluate", "metrics.json", '"pixel_ap": 0', '"pixel_ap": 1', "pixel_ap"),
        ("evaluate", "metrics.json", '"normal": 4', '"normal": 5', "7 images, but 5 normal and 3 anomalous ones"),
        ("evaluate", "metrics.json", '"scored": 7', '"scored": 6', "of bolt, per_image.csv has 7 images with a score"),
        ("evaluate", "metrics.json", '"scored": 7', '"scored": 8', "counts more images of a kind than it has, 7"),
        ("evaluate", "metrics.json", '"sigma": 4.0', '"sigma": -4.0', "sigma -4 is out of range"),
        ("evaluate", "metrics.json", '"sigma": 4.0', '"sigma": 3.0', "metrics.json and run.json tell different models"),
        ("evaluate", "metrics.json", '"with_pixels": 7', '"with_pixels": 0', "and counts no image with pixels"),
        ("evaluate", "metrics.json", '"images": 7', '"images": 8', "it has 8 images, its classes count 7"),
        ("evaluate", "metrics.json", '"problems": 0', '"problems": 1', "it has 0 problems, its classes count 1"),
        ("evaluate", "metrics.json", '"fpr_limit": 0.3', '"fpr_limit": 0.05', "tell different fpr_limit (settings)"),
        ("evaluate", "run.json", '"resolution": "model"', '"resolution": "native"', "different resolution (settings)"),
        ("evaluate", "pixel_resamples.json", '"seed": 0', '"seed": 1', "draws of seed 1, metrics.json 400 of seed 0"),
        ("evaluate", "pixel_resamples.json", '{"bolt"', '{"nut"', "has nut, metrics.json not"),
        ("evaluate", "metrics.json", '"seed": 0', '"seed": 0, "seed": 0', "'seed' is there twice"),
        ("evaluate", "metrics.json", '"seed": 0', '"seed": 0, "\\u0073eed": 0', "'seed' is there twice"),
        ("evaluate", "metrics.json", '"seed": 0', '"seed": NaN', "NaN is no number of JSON"),
        ("evaluate", "run.json", '"verb": "evaluate"', '"verb": "detect"', "verb"),
        ("detect", "run.json", '"sigma": 4.0', '"sigma": 3.0', "tell different sigma"),
        ("detect", "run.json", '"model": "pocket"', '"model": "vit-l-14-336"', "tell different model"),
        ("detect", "run.json", '"sigma": 4.0', '"sigma": 4.0, "sigma": 4.0', "'sigma' is there twice"),
        ("detect", "run.json", '"image_size": 320', '"image_size": null', "image_size is null"),
    ],
)  # fmt: skip
def test_edits_are_told_by_name(ran, run, name, old, new, said):
    text = (ran[run] / name).read_text()
    assert old in text
    refused = refusal(ran, run, name, text.replace(old, new, 1))
    assert refused is not None
    assert said in refused
    assert refusal(ran, run, name, text) is None


def test_a_mean_that_is_not_its_classes(ran):
    content = json.loads((ran["evaluate"] / "metrics.json").read_bytes())
    said = refusal(ran, "evaluate", "metrics.json", json.dumps(edited(content, ("mean", "aupro"), 0.125)))
    assert said is not None
    assert "the mean aupro is 0.125, that of its classes " in said


def test_an_image_metric_that_is_not_its_scores(ran):
    """Edited in the class and in the mean alike."""
    content = json.loads((ran["evaluate"] / "metrics.json").read_bytes())
    found = content["mean"]["image_auroc"]
    for at in (("mean", "image_auroc"), ("classes", "bolt", "image_auroc")):
        content = edited(content, at, 0.125)
    said = refusal(ran, "evaluate", "metrics.json", json.dumps(content))
    assert said is not None
    assert f"per_image.csv has scores of image_auroc {found}, metrics.json 0.125" in said
