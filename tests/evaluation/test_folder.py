"""The output folder: what a killed run leaves is continued or replaced, never mixed up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.data.dataset import Dataset
from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.evaluation import Evaluation, EvaluationSettings, evaluate, save
from anomalyclip.evaluation.folder import EvaluationFolder, fingerprint

RUN = {"model": {"model": "small"}, "settings": {"seed": 0}}


@pytest.fixture(scope="module")
def data(
    tree: Callable[..., Path], dataset_of: Callable[[Path], Dataset], tmp_path_factory: pytest.TempPathFactory
) -> Dataset:
    return dataset_of(tree(tmp_path_factory.mktemp("data"), {"a": (2, 2), "b": (2, 1), "c": (0, 2)}))


@pytest.fixture(scope="module")
def result(model: Detector, data: Dataset) -> Evaluation:
    return evaluate(model, data, settings=EvaluationSettings(resamples=20))


def _begin(path: Path, mode: Any = "new", run: dict[str, Any] = RUN) -> tuple[EvaluationFolder, dict[str, Any]]:
    folder = EvaluationFolder(path, mode)
    return folder, folder.begin(run)


def _stopped(path: Path, result: Evaluation, count: int) -> None:
    """As after kill -9 when `count` classes were done."""
    folder, _ = _begin(path)
    for one in result.classes[:count]:
        folder.append(one)
    folder.close()


def test_resume_gives_back_finished_classes_exactly(result: Evaluation, tmp_path: Path) -> None:
    _stopped(tmp_path, result, 2)
    folder, done = _begin(tmp_path, "resume")
    folder.close()
    assert done == {"a": result.classes[0], "b": result.classes[1]}


def test_a_cut_line_and_a_damaged_one_are_done_again(result: Evaluation, tmp_path: Path) -> None:
    _stopped(tmp_path, result, 3)
    journal = tmp_path / "classes.jsonl"
    first, second, third = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + second.replace(b'"rows"', b'"rosw"') + third[: len(third) // 2])
    folder, done = _begin(tmp_path, "resume")
    assert list(done) == ["a"]
    folder.append(result.classes[1])
    folder.close()
    folder, done = _begin(tmp_path, "resume")
    folder.close()
    assert list(done) == ["a", "b"]


def test_classes_with_problems_are_tried_again(result: Evaluation, tmp_path: Path) -> None:
    counts = replace(result.classes[0].counts, problems=1)
    _stopped(tmp_path, replace(result, classes=(replace(result.classes[0], counts=counts), result.classes[1])), 2)
    folder, done = _begin(tmp_path, "resume")
    folder.close()
    assert list(done) == ["b"]


def test_resume_refuses_a_run_made_differently(result: Evaluation, tmp_path: Path) -> None:
    _stopped(tmp_path, result, 1)
    with pytest.raises(ConfigError, match="seed 0 then, 7 now"):
        _begin(tmp_path, "resume", {**RUN, "settings": {"seed": 7}})
    assert (tmp_path / "classes.jsonl").read_bytes().count(b"\n") == 1


def test_the_same_command_starts_afresh_after_a_kill(result: Evaluation, tmp_path: Path) -> None:
    _stopped(tmp_path, result, 2)
    folder, done = _begin(tmp_path)
    folder.close()
    assert done == {}
    assert (tmp_path / "classes.jsonl").read_bytes() == b""


def test_a_finished_run_is_never_replaced_unasked(result: Evaluation, tmp_path: Path) -> None:
    _stopped(tmp_path, result, 3)
    save(result, tmp_path)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/roc.png").write_bytes(b"")
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ConfigError, match="earlier run"):
        EvaluationFolder(tmp_path)
    folder, done = _begin(tmp_path, "overwrite")
    folder.close()
    assert done == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.jsonl", "mine.txt", "plots", "run.json"]
    assert not list((tmp_path / "plots").iterdir())


@pytest.mark.parametrize("content", ['{"model": "pocket"}', "torn", "[]"])
def test_a_folder_that_is_not_ours_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(content)
    (tmp_path / "results.csv").write_text("of detect")
    with pytest.raises(ConfigError):
        EvaluationFolder(tmp_path)
    assert (tmp_path / "results.csv").read_text() == "of detect"


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    folder, _ = _begin(tmp_path)
    for mode in ("new", "resume", "overwrite"):
        with pytest.raises(OutputError, match="another run"):
            _begin(tmp_path, mode)
    folder.close()


def test_the_fingerprint_follows_files_labels_and_masks(data: Dataset) -> None:
    before = fingerprint(data)
    assert fingerprint(data) == before
    item = data.items[0]
    assert fingerprint(replace(data, items=(replace(item, label=1), *data.items[1:]))) != before
    assert fingerprint(replace(data, items=data.items[1:])) != before
    status = item.image.stat()
    os.utime(item.image, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert fingerprint(data) != before
    gone = replace(data, items=(replace(item, image=item.image.with_name("gone.png")), *data.items[1:]))
    assert len(fingerprint(gone)) == 64


def test_run_json_says_what_was_run(tmp_path: Path) -> None:
    folder, _ = _begin(tmp_path)
    folder.close()
    assert json.loads((tmp_path / "run.json").read_bytes()) == {"verb": "evaluate", **RUN}
