"""Whole runs on stand-ins with the small CLIP: means, resuming, kill -9, bad data, baselines, the command."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from anomalyclip.cli.reproduce import app
from anomalyclip.data import make_standin
from anomalyclip.errors import ConfigError
from anomalyclip.prompts import load_prompts
from anomalyclip.reproduction import ReproduceConfig, Watcher, reproduce

Call = Callable[..., ReproduceConfig]


class Heard(Watcher):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.images = self.total = self.cells = 0
        self.finished: list[str] = []
        self.notes: list[str] = []

    def begin(self, images: int, cells: int) -> None:
        self.total, self.cells = images, cells

    def advance(self, images: int = 1) -> None:
        self.images += images

    def cell(self, words: str) -> None:
        self.finished.append(words)

    def note(self, line: str) -> None:
        self.notes.append(line)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BTAD with 3 classes, MPDD with 2, MVTec AD and VisA with 1."""
    root = tmp_path_factory.mktemp("rendered")
    for name, classes in (("btad", 3), ("mpdd", 2), ("mvtec", 1), ("visa", 1)):
        make_standin(root, name, 4, classes=classes, size=32)
    return root


@pytest.fixture
def two_classes(rendered: Path, tmp_path: Path) -> Path:
    """A copy of them, to be spoilt at will."""
    return Path(shutil.copytree(rendered, tmp_path / "data"))


@pytest.fixture(scope="module")
def unharmed(rendered: Path, golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Table 1 of BTAD after four epochs that nobody killed."""
    folder = tmp_path_factory.mktemp("unharmed")
    clip = str(golden_folder / "clip_small_openai.safetensors")
    kept = {"output": folder / "out", "cache_dir": str(folder / "features")}
    how = {"tables": ("1",), "datasets": ("btad",), "train": True, "epochs": 4, "device": "cpu"}
    reproduce(ReproduceConfig(root=rendered, model=clip, **kept, **how))  # type: ignore[arg-type]
    return dict(json.loads((folder / "out" / "table_1.json").read_text()))


def test_means_are_over_classes(call: Call, two_classes: Path) -> None:
    """Recomputed from the page's own JSON and from the cell's."""
    heard = Heard()
    config = call(root=two_classes, tables=("1",), methods=("anomalyclip", "clip"), datasets=("btad", "mpdd"))
    reproduce(config, heard)
    page = json.loads((config.output / "table_1.json").read_text())
    assert [len(cell["classes"]) for cell in page["cells"]] == [3, 3, 2, 2]
    for cell in page["cells"]:
        kept = json.loads((config.output / cell["folder"] / "metrics.json").read_text())
        shown = [row for row in page["rows"] if (row["dataset"], row["variant"]) == (cell["dataset"], cell["variant"])]
        assert len(shown) == 4
        for row in shown:
            values = [one[row["metric"]] for one in cell["classes"].values()]
            assert values == [one[row["metric"]] for one in kept["classes"].values()]
            assert row["ours"] == pytest.approx(100 * sum(values) / len(values), abs=1e-9)
    assert page["missing"] == []
    assert heard.cells == len(heard.finished) == 4
    assert heard.images == heard.total == 2 * (12 + 8) + 4  # two methods, and one epoch on MVTec AD


def test_a_rerun_does_nothing_and_a_wider_one_the_rest(call: Call, two_classes: Path) -> None:
    first = call(root=two_classes, tables=("1",), datasets=("btad",))
    reproduce(first, Heard())
    page = (first.output / "table_1.json").read_bytes()
    again = Heard()
    reproduce(first, again)
    assert (again.total, again.cells, again.finished) == (0, 0, [])
    assert (first.output / "table_1.json").read_bytes() == page
    wider, heard = call(root=two_classes, tables=("1", "5"), datasets=("btad",)), Heard()
    reproduce(wider, heard)
    assert len(heard.finished) == 3  # "global and local loss" is Table 1's cell
    assert len(list((first.output / "training").iterdir())) == 4
    assert len(list((first.output / "cells").iterdir())) == 4


_CHILD = """
import os, pickle, signal, sys
from pathlib import Path
from anomalyclip.evaluation.folder import EvaluationFolder
from anomalyclip.training.module import PromptTraining
from anomalyclip.reproduction import reproduce

def die_at(owner, name, count):
    calls, original = [], getattr(owner, name)
    def counted(self, *arguments, **options):
        calls.append(1)
        return original(self, *arguments, **options) if len(calls) < count else os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, counted)

config = pickle.loads(Path(sys.argv[2]).read_bytes())  # our own test's file
{"training": lambda: die_at(PromptTraining, "training_step", 3), "cell": lambda: die_at(EvaluationFolder, "append", 2)}[
    sys.argv[1]
]()
reproduce(config)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("where", ["training", "cell"])
def test_killed_and_run_again(
    call: Call, two_classes: Path, tmp_path: Path, where: str, unharmed: dict[str, Any]
) -> None:
    """kill -9 in the third training step, or after one of BTAD's three classes: the rerun ends like a run unharmed."""
    config = call(root=two_classes, tables=("1",), datasets=("btad",), epochs=4)
    (tmp_path / "job").write_bytes(pickle.dumps(config))
    killed = subprocess.run(
        [sys.executable, "-c", _CHILD, where, str(tmp_path / "job")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not list(config.output.glob("table_*"))
    assert bool(list(config.output.glob("training/*/prompts.safetensors"))) == (where == "cell")
    heard = Heard()
    reproduce(config, heard)
    assert heard.images == heard.total == 12 + 4 * 4 * (where == "training")
    page = json.loads((config.output / "table_1.json").read_text())
    assert page["rows"] == unharmed["rows"]
    assert page["cells"][0]["model"]["prompts_sha256"] == unharmed["cells"][0]["model"]["prompts_sha256"]


def test_features_are_shared_between_cells(call: Call, two_classes: Path, tmp_path: Path) -> None:
    """BTAD's 12 images: 12 records of plain CLIP for `clip` and `clip-ac`, 12 of the two-path tower for AnomalyCLIP."""
    options = {"root": two_classes, "tables": ("1",), "datasets": ("btad",), "methods": ("anomalyclip", "clip")}
    features = tmp_path / "features"
    (plain,) = reproduce(call(**options, output=tmp_path / "plain"))
    before = set(features.rglob("*"))
    (cached,) = reproduce(call(**options, cache=True))
    added = [path for path in set(features.rglob("*")) - before if len(path.name) == 64]
    assert len(added) == 24
    assert [row.ours for row in cached.rows] == pytest.approx([row.ours for row in plain.rows], abs=1.0)
    heard = Heard()
    reproduce(call(**options | {"methods": ("anomalyclip", "clip", "clip-ac")}, cache=True), heard)
    assert len(heard.finished) == 1
    assert len([p for p in set(features.rglob("*")) - before if len(p.name) == 64]) == 24


def test_a_damaged_cell_is_done_again(call: Call, two_classes: Path) -> None:
    config = call(root=two_classes, tables=("1",), datasets=("btad",))
    reproduce(config)
    page = json.loads((config.output / "table_1.json").read_text())
    metrics = config.output / page["cells"][0]["folder"] / "metrics.json"
    metrics.write_bytes(metrics.read_bytes()[:100])
    heard = Heard()
    reproduce(config, heard)
    assert len(heard.finished) == 1
    assert json.loads((config.output / "table_1.json").read_text())["rows"] == page["rows"]


def test_changed_data_is_measured_again(call: Call, two_classes: Path) -> None:
    config = call(root=two_classes, tables=("1",), datasets=("btad",), train=False, prompts="clip")
    reproduce(config)
    (two_classes / "BTech_Dataset_transformed/01/test/ko/000.bmp").unlink()
    (two_classes / "BTech_Dataset_transformed/01/ground_truth/ko/000.png").unlink()
    heard = Heard()
    reproduce(config, heard)
    assert heard.total == 11


def test_auxiliary_files_that_cannot_be_read(call: Call, two_classes: Path) -> None:
    """Prompts learned on less than the whole set are not the paper's."""
    (two_classes / "mvtec_anomaly_detection/bottle/test/good/001.png").write_bytes(b"no picture")
    heard = Heard()
    (report,) = reproduce(call(root=two_classes, tables=("1",), datasets=("btad",)), heard)
    assert any("good/001.png" in line for line in heard.notes)
    assert "files of the auxiliary data were left out" in report.reasons


def test_no_loss_is_where_training_starts(call: Call, two_classes: Path) -> None:
    """One batch, one step: Adam moves every learned number by the learning rate, 1e-3, from its initial value."""
    config = call(root=two_classes, tables=("5",), datasets=("btad",))
    (report,) = reproduce(config)
    by_label = {entry.cell.variant.label: entry.judge.training for entry in report.entries}
    folders = {label: config.output / "training" / training.folder for label, training in by_label.items() if training}
    initial, trained = (
        load_prompts(folders[label] / "prompts.safetensors").tensors
        for label in ("no loss (prompts as initialised)", "global and local loss")
    )
    assert initial.keys() == trained.keys()
    for name, before in initial.items():
        moved = (trained[name] - before).abs()
        assert moved.max().item() == pytest.approx(1e-3, rel=1e-2), name
        assert moved.median().item() == pytest.approx(1e-3, rel=2e-2), name


def test_one_run_at_a_time(call: Call, two_classes: Path) -> None:
    config = call(root=two_classes, tables=("1",), datasets=("btad",), train=False, prompts="clip")

    class Second(Watcher):
        def cell(self, words: str) -> None:
            with pytest.raises(ConfigError, match="another process reproduces into"):
                reproduce(config)

    reproduce(config, Second())
    reproduce(config)  # the folder is free again


def test_bad_data_is_told_and_the_rest_goes_on(call: Call, two_classes: Path) -> None:
    """A set whose masks are gone is not run, an image that cannot be read is left out; both are on the page."""
    (two_classes / "MPDD/bracket_black/ground_truth/defect/000_mask.png").unlink()
    (two_classes / "BTech_Dataset_transformed/02/test/ok/001.png").write_bytes(b"no picture")
    config = call(root=two_classes, tables=("1",), datasets=("mpdd", "btad"), train=False, prompts="clip")
    (report,) = reproduce(config)
    assert {row.dataset for row in report.rows} == {"BTAD"}
    assert [(one.target, "no mask" in one.reason) for one in report.skipped] == [("MPDD", True)]
    assert dict(report.left_out) == {"BTAD": 1}
    assert "1 image of BTAD left out" in (config.output / "table_1.md").read_text()
    shutil.rmtree(config.output)
    config.output.mkdir()
    (config.output / "holiday.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        reproduce(config)


def test_the_command(call: Call, two_classes: Path, tmp_path: Path) -> None:
    config = call()
    options = ["--model", config.model, "--prompts", "clip", "--datasets", "btad,tn3k", "--device", "cpu", "--quiet"]
    run = CliRunner().invoke(app, [str(two_classes), "-o", str(tmp_path / "out"), *options, "--format", "markdown"])
    assert run.exit_code == 0, run.output
    pages = [(tmp_path / "out" / f"table_{name}.md").read_text() for name in ("1", "2")]
    assert run.stdout == "".join(pages)
    assert "ours: clip_small_openai.safetensors" in pages[0]
    assert "Not found: TN3K" in pages[0]
    table = CliRunner().invoke(app, [str(two_classes), "-o", str(tmp_path / "out"), *options, "--table", "1"])
    assert table.exit_code == 0
    assert "BTAD (rendered)" in table.stdout
    assert (tmp_path / "out/table_1.tex").is_file()
    told = CliRunner().invoke(app, [str(two_classes), "-o", str(tmp_path / "told"), *options[:-1], "--table", "1"])
    assert "[1 of 1, none left] table 1, BTAD, AnomalyCLIP: image AUROC" in told.stderr
    assert f"Results: {tmp_path / 'told'}" in told.stderr
    wrong = CliRunner().invoke(app, [str(two_classes), "-o", str(tmp_path / "out"), "--table", "7"])
    assert isinstance(wrong.exception, ConfigError)
