"""From folders to tables."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from scipy.stats import bootstrap
from sklearn.metrics import f1_score, roc_auc_score

from anomalyclip.cli import main
from anomalyclip.comparison import compare, read_methods
from anomalyclip.comparison.tables import as_latex, as_markdown
from anomalyclip.data import open_dataset
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.evaluation.result import PIXEL_METRICS
from anomalyclip.io import write_map
from anomalyclip.metrics import auroc, bootstrap_interval

CLASSES = {"bolt": (20, 10), "nut": (15, 15)}


def command(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, words)])
    return int(ended.value.code or 0)


def test_two_runs(evaluated):
    runs = [evaluated("weak", CLASSES, shift=0.5), evaluated("strong", CLASSES, shift=2.5, seed=1)]
    found = compare(read_methods(runs))
    table = found.tables["image_auroc"]
    assert [one.name for one in found.methods] == ["weak", "strong"]
    for number, run in enumerate(runs):
        told = json.loads((run / "metrics.json").read_text())
        assert table.values[:, number].tolist() == [told["classes"][name]["image_auroc"] for name in CLASSES]
        assert table.means[number].value == pytest.approx(told["mean"]["image_auroc"])
        assert table.means[number].low < table.means[number].value < table.means[number].high
    difference = table.differences[1]
    assert difference is not None
    assert difference.value == pytest.approx(table.means[1].value - table.means[0].value)
    assert difference.low > 0
    assert difference.p == pytest.approx(0.001)
    assert table.wins == (0, 2)
    assert table.ranks == (2, 1)
    assert "aupro" not in found.tables, "no run has pixels"
    assert found.images[0].difference == max(one.difference for one in found.images)


def test_an_image_differs_by_its_share_right(evaluated):
    runs = [evaluated("a", CLASSES, shift=0.5), evaluated("b", CLASSES, shift=0.5, seed=1)]
    found = compare(read_methods(runs), images=10_000)
    first, second = (read_methods(runs)[i].sets["parts", "bolt"] for i in (0, 1))
    both = [roc_auc_score(one.scores.labels, one.scores.scores) for one in (first, second)]
    bolts = [one for one in found.images if one.class_name == "bolt" and one.label == 1]
    assert sum(one.difference for one in bolts) / 10 == pytest.approx(both[1] - both[0])


def test_only_common_images_are_paired(evaluated):
    a, b = evaluated("a", {"bolt": (20, 10)}, shift=1), evaluated("b", {"bolt": (12, 8)}, shift=1)
    found = compare(read_methods([a, b]), images=10_000)
    assert {int(re.findall(r"(\d+).png", one.image)[0]) for one in found.images if one.label} <= set(range(8))


def test_runs_of_one_model_on_other_data_are_one_method(evaluated):
    """Five sets of three methods: enough for Friedman."""
    paths = []
    for name, shift in (("x", 0.2), ("y", 1.0), ("z", 3.0)):
        for number in range(5):
            made = evaluated(f"{name}{number}", {"bolt": (20, 20)}, shift=shift, seed=number, data=f"set-{number}",
                             prompts=name, prompts_sha256=name)  # fmt: skip
            paths.append(made)
    found = compare(read_methods(paths), resamples=50)
    assert [len(one.runs) for one in found.methods] == [5, 5, 5]
    assert found.methods[1].told.endswith("; with y1, y2, y3, y4")
    test = found.tables["image_auroc"].test
    assert test is not None
    assert test.p < 0.05
    assert "Nemenyi" in as_markdown(found)


@pytest.mark.parametrize(
    ("option", "value", "left_out"),
    [
        ("resolution", "native", {"pixel_auroc", "pixel_ap", "pixel_f1_max", "aupro", "mean_pixel_auroc"}),
        ("fpr_limit", 0.05, {"aupro"}),
    ],
)
def test_what_was_measured_otherwise_is_not_compared(evaluated, option, value, left_out):
    """The same maps give another AUPRO up to 0.05 than up to 0.3: that is no difference of methods."""
    asked = {"resolution": "model", "fpr_limit": 0.3}

    def measured(name, **other):
        return with_pixels(evaluated(name, CLASSES, shift=1.0, maps=True, asked=asked | other))

    runs = [measured("a"), measured("b", **{option: value})]
    found, alike = compare(read_methods(runs)), compare(read_methods([runs[0], measured("c")]))
    assert set(alike.tables) - set(found.tables) == left_out
    said = f"({option.replace('_', ' ')} {asked[option]} in a, {value} in b): evaluate again with one --"
    assert [said in note for note in found.notes].count(True) == 1
    assert not [note for note in alike.notes if "measured otherwise" in note]


def test_tiles_and_regions_set_methods_apart(evaluated):
    """`evaluate` records them beside the model's settings, not among them."""
    runs = [evaluated("whole", CLASSES, shift=1.0), evaluated("tiled", CLASSES, shift=1.0, asked={"tile": 24})]
    assert [one.told.split("; ")[1:] for one in read_methods(runs)] == [["no tile"], ["tile 24"]]
    elsewhere = evaluated("tiled2", CLASSES, shift=1.0, data="other", prompts="whole", prompts_sha256="whole")
    other = evaluated(
        "tiled3", CLASSES, shift=1.0, data="third", prompts="whole", prompts_sha256="whole", asked={"tile": 24}
    )
    joined = read_methods([runs[0], elsewhere, other])
    assert [len(one.runs) for one in joined] == [2, 1]


def test_markdown_and_latex_have_the_best_in_bold(evaluated):
    runs = [evaluated("weak_1", CLASSES, shift=0.2), evaluated("strong|2", CLASSES, shift=3, seed=1)]
    found = compare(read_methods(runs), resamples=0)
    strong = f"{100 * found.tables['image_auroc'].means[1].value:.1f}"
    assert f"**{strong}** |" in as_markdown(found)
    assert "strong\\|2" in as_markdown(found)
    latex = as_latex(found)
    assert f"\\textbf{{{strong}}}" in latex
    assert "weak\\_1" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 4


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX here (Debian: texlive-latex-recommended)")
def test_latex_compiles_whatever_sets_and_methods_are_called(evaluated, tmp_path):
    classes = {"50% & #1 {x}~^\\y $": (20, 10), "größe → ±2": (20, 10), "plain": (9, 9), "a_b": (9, 9), "<|>": (9, 9)}
    runs = [evaluated(name, classes, shift=i, seed=i) for i, name in enumerate(["weak_1", "mid & 100%", "<a|b> é"])]
    found = compare(read_methods(runs), resamples=20)
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "all.tex").write_text(head + as_latex(found) + "\\end{document}\n", "utf-8")
    tex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(tex, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
    log = (tmp_path / "all.log").read_text("latin-1")
    assert "Missing character" not in log
    assert (tmp_path / "all.pdf").read_bytes().startswith(b"%PDF")


def test_a_mean_has_the_interval_of_bootstrap_interval(evaluated):
    one = {"bolt": (20, 10)}
    found = compare(read_methods([evaluated("a", one, shift=1), evaluated("b", one, shift=1)]), resamples=2000)
    scores = read_methods([evaluated("a", one, shift=1), evaluated("b", one, shift=1)])[0].sets["parts", "bolt"].scores
    expected = bootstrap_interval(auroc, scores.scores, scores.labels, 2000)
    mean = found.tables["image_auroc"].means[0]
    assert (mean.value, mean.low, mean.high) == pytest.approx(tuple(expected), abs=0.01), "other draws, same spread"


def test_means_of_single_maps_have_intervals_and_paired_differences(evaluated):
    """By SciPy's bootstrap of the same values; the first anomalous image of a class has no map."""
    runs = [evaluated(name, CLASSES, shift=shift, maps=True) for name, shift in (("a", 0.5), ("b", 1.5))]
    methods = read_methods(runs)
    table = compare(methods, resamples=4000).tables["mean_pixel_auroc"]
    values = [
        [np.array(list(one.sets["parts", name].own("pixel_auroc").values())) for name in CLASSES] for one in methods
    ]
    assert [part.size for part in values[0]] == [9, 14]
    for number, own in enumerate(values):
        assert table.means[number].value == pytest.approx(np.mean([part.mean() for part in own]))

    def mean(*parts, axis):
        return sum(part.mean(axis=axis) for part in parts) / len(parts)

    expected = bootstrap(values[1], mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    assert (table.means[1].low, table.means[1].high) == pytest.approx((expected.low, expected.high), abs=0.01)
    gaps = [b - a for a, b in zip(*values, strict=True)]
    expected = bootstrap(gaps, mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    difference = table.differences[1]
    assert difference.value == pytest.approx(np.mean([gap.mean() for gap in gaps]))
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    assert "| pixel AUROC per image |" in as_markdown(compare(methods, resamples=10))
    assert "mean_aupro" not in compare(methods, resamples=0).tables


@pytest.mark.parametrize("count", [1, 2])
def test_refusals(evaluated, tmp_path, capsys, count):
    run = evaluated("a", CLASSES, shift=1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.json").write_text("{}")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "metrics.json").write_text('{"dataset": 3}')
    for words, said in (
        ([run], "takes two methods or more"),
        ([run, run], "given twice"),
        ([run, tmp_path / "empty"], "holds no run"),
        ([run, tmp_path / "nowhere"], "holds no run"),
        ([run, tmp_path / "begun"], "unfinished"),
        ([run, tmp_path / "bad"], "does not fit what evaluate writes (format: Field required; dataset: "),
        ([run, evaluated("b", {"other": (5, 5)}, shift=1)], "no data set and class in common"),
        ([run, evaluated("c", CLASSES, shift=1, seed=2), "--output", run / "metrics.json"], "a file of that name"),
    ):
        assert command(*words) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


def detected(root, data, name, shift):
    """A folder of `detect` over all pictures of a data set, with maps."""
    run = root / name
    (run / "maps").mkdir(parents=True)
    rows, cards = [], []
    from anomalyclip.detect.names import path_key

    for number, item in enumerate(data.items):
        score = 1 / (1 + np.exp(-(item.label * shift + np.sin(number * 12.9) + 0.1 * shift)))
        rows.append({"path": str(item.image), "score": float(score), "frame": None, "error": None})
        cards.append({"key": path_key(str(item.image)).hex(), "name": f"p{number}"})
        write_map(run / "maps" / f"p{number}.tiff", np.full((48, 64), shift / 4, np.float32))
    told = {"model": "m", "prompts": name, "settings": {"sigma": shift}, "cwd": None}
    (run / "run.json").write_text(json.dumps(told))
    (run / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "cards.jsonl").write_text("".join(json.dumps(card) + "\n" for card in cards))
    return run


def test_runs_of_detect_with_labels(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for kind, count in (("good", 8), ("scratch", 6)):
        (tmp_path / "parts" / kind).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "parts" / kind / f"{i}.png")
    data = open_dataset(tmp_path / "parts")
    a, b = detected(tmp_path, data, "a", 0.5), detected(tmp_path, data, "b", 2.0)
    with pytest.raises(InputError, match="add --data DIR"):
        read_methods([a, b])
    out = tmp_path / "out"
    assert command(a, b, "--data", tmp_path / "parts", "--output", out, "--images", 3, "--quiet") == 0
    told = json.loads((out / "comparison.json").read_text())
    rows = [json.loads(line) for line in (b / "results.jsonl").read_text().splitlines()]
    labels = ["scratch" in row["path"] for row in rows]
    scores = np.array([row["score"] for row in rows])
    assert told["metrics"]["image_auroc"]["means"][1]["value"] == pytest.approx(roc_auc_score(labels, scores))
    best = max(f1_score(labels, scores >= at) for at in scores)
    assert told["metrics"]["image_f1_max"]["means"][1]["value"] == pytest.approx(best)
    pictures = sorted((out / "images").iterdir())
    assert len(pictures) == 3
    picture = np.asarray(Image.open(pictures[0]).convert("RGB"), int)
    assert picture.shape[1] == 3 * 64 + 2 * 8, "the picture and both maps"
    weak, strong = picture[:48, 72:136], picture[:48, 144:208]
    assert np.abs(weak - picture[:48, :64]).mean() < np.abs(strong - picture[:48, :64]).mean()
    assert f"images/{pictures[0].name}" in (out / "comparison.md").read_text()


def test_what_one_verb_alone_writes_down_tells_no_methods_apart(tmp_path, evaluated):
    """Hashes and versions stand in each row of detect and once in a run of evaluate; sigma in both."""
    (tmp_path / "parts" / "good").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(tmp_path / "parts" / "good" / "0.png")
    one = evaluated("a", {"parts": (4, 4)}, shift=1.0, settings={"image_size": 64, "sigma": 4.0})
    other = detected(tmp_path, open_dataset(tmp_path / "parts"), "b", 2.0)
    told = json.loads((other / "run.json").read_text())
    told["settings"] |= {"weights_sha256": "0" * 64, "version": "9"}
    (other / "run.json").write_text(json.dumps(told))
    methods = read_methods([one, other], open_dataset(tmp_path / "parts"))
    assert [method.told for method in methods] == ["m, prompts a, 64 px; sigma 4.0", "m, prompts b; sigma 2.0"]


def test_maps_of_evaluate_are_made_again_by_the_recorded_model(tmp_path, evaluated):
    import anomalyclip
    from anomalyclip.comparison.pictures import write_pictures

    told = {key: value for key, value in anomalyclip.load("pocket").provenance().items() if key != "runtime"}
    for kind in ("good", "bad"):
        (tmp_path / "bolt" / kind).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (64, 48), (90, 20 * i, 60)).save(tmp_path / "bolt" / kind / f"{i}.png")
    one = {"bolt": (4, 4)}
    gone = {**told, "prompts_sha256": "0" * 64}
    runs = [evaluated("a", one, shift=0.1, **told), evaluated("b", one, shift=2, seed=1, **(told | {"version": "x"}))]
    found = compare(read_methods(runs), resamples=0)
    written, problems = write_pictures(tmp_path / "out", found, 1)
    assert (len(written), problems) == (1, [])
    third = evaluated("c", one, shift=2, seed=1, **gone)
    written, problems = write_pictures(tmp_path / "out2", compare(read_methods([runs[0], third]), resamples=0), 1)
    assert written == []
    assert "are not those of the record" in problems[0]


def test_the_terminal_shows_all(evaluated, capsys):
    runs = [evaluated("weak", CLASSES, shift=0.5), evaluated("strong", CLASSES, shift=2.5, seed=1)]
    assert command(*runs, "--resamples", 100) == 0
    out = capsys.readouterr()
    assert re.search(r"image AUROC\s+\d+\.\d \[\d+\.\d, \d+\.\d\]\s+\d+\.\d \[", out.out)
    assert re.search(r"strong\s+image AUROC\s+\+\d", out.out)
    assert all(len(line) <= 80 for line in out.out.splitlines())
    with pytest.raises(ConfigError):
        read_methods([runs[0]])


def with_pixels(path):
    """A run with metrics of all images' pixels."""
    metrics = json.loads((path / "metrics.json").read_text())
    for one in metrics["classes"].values():
        one["counts"]["with_pixels"] = 1
    for part in (metrics["mean"], *metrics["classes"].values()):
        part |= dict.fromkeys(PIXEL_METRICS, 0.5)
    metrics["mean"]["classes_counted"] |= dict.fromkeys(PIXEL_METRICS, len(CLASSES))
    (path / "metrics.json").write_text(json.dumps(metrics))
    return path


def with_draws(path, drawn, images="the same"):
    """A run that kept resamples of its pixels, of one class."""
    metrics = json.loads((path / "metrics.json").read_text())
    for name, values in drawn.items():
        metrics["classes"][name]["aupro"] = float(np.mean(values))
    metrics["mean"]["aupro"] = float(np.mean([metrics["classes"][name]["aupro"] for name in drawn]))
    metrics["mean"]["classes_counted"]["aupro"] = len(drawn)
    (path / "metrics.json").write_text(json.dumps(metrics))
    told = {name: {"images": images, "seed": 0, "values": {"aupro": list(values)}} for name, values in drawn.items()}
    (path / "pixel_resamples.json").write_text(json.dumps({"format": 1, "classes": told}))
    return path


def test_metrics_of_all_pixels_have_the_intervals_that_runs_kept_and_paired_differences(evaluated):
    rng = np.random.default_rng(3)
    hard = {name: rng.normal(0.6, 0.05, 200) for name in CLASSES}  # what makes a draw hard makes it so for both
    better = {name: values + 0.02 + rng.normal(0, 0.001, 200) for name, values in hard.items()}
    paths = [with_draws(evaluated(name, CLASSES, shift=1.0), drawn) for name, drawn in (("a", hard), ("b", better))]
    table = compare(read_methods(paths)).tables["aupro"]
    for one, drawn in zip(table.means, (hard, better), strict=True):
        assert (one.low, one.high) == pytest.approx(np.percentile(np.mean(list(drawn.values()), axis=0), [2.5, 97.5]))
    step = np.mean([better[name] - hard[name] for name in CLASSES], axis=0)
    found = table.differences[1]
    assert (found.low, found.high) == pytest.approx(np.percentile(step, [2.5, 97.5]))
    assert found.p == 1 / 200, "as little as 200 draws can say"
    assert table.means[0].high > table.means[1].low, "the means alone would not tell them apart"
    assert "AUPRO" in as_markdown(compare(read_methods(paths))).partition("## Differences")[2]
    bare = compare(read_methods(paths), resamples=0).tables["aupro"].means[0]
    assert bare.low == bare.high == bare.value
    with_draws(paths[1], better, "others")
    assert compare(read_methods(paths)).tables["aupro"].differences[1] is None, "other images do not pair"
    (paths[1] / "pixel_resamples.json").unlink()
    old = compare(read_methods(paths)).tables["aupro"].means[1]
    assert old.low == old.high == old.value
