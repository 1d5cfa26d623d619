"""What is logged, against MLflow's own client where it is installed, and without it by what is handed over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anomalyclip.cli import main
from anomalyclip.errors import ConfigError
from anomalyclip.evaluation.result import METRICS, ClassResult, Counts, Evaluation
from anomalyclip.integrations.mlflow import log_evaluation, metrics, parameters, tags


def evaluated() -> Evaluation:
    counts = Counts(4, 2, 2, 4, 0, 0)
    classes = []
    for name, auroc in (("bottle", 0.75), ("metal nut; 2", 0.25)):
        values = dict.fromkeys(METRICS) | {"image_auroc": auroc, "image_ap": 0.5}
        classes.append(
            ClassResult(name, values, {}, {}, counts, (), decisions={"recall_at_fpr": auroc, "false_alarm_rate": None})
        )
    model = {"model": "small", "method": "anomalyclip", "prompts": "epoch_1.pth", "weights_sha256": "abc"}
    model["settings"] = {"image_size": 70, "layers": [6], "nested": {"a": None, "b": 2}}
    data = {"name": "tiny", "root": "/secret/place", "split": "test", "images": 8}
    return Evaluation(data, tuple(classes), model, {"resolution": "model"}, {"anomalyclip": "1.0"})


def test_numbers_are_means_and_classes() -> None:
    found = dict(metrics(evaluated()))
    assert found["image_auroc"] == found["recall_at_fpr"] == 0.5
    assert (found["bottle/image_auroc"], found["metal nut_ 2/image_auroc"]) == (0.75, 0.25)
    assert not any("pixel" in name for name in found), "what is undefined is not logged as a number"


def test_settings_are_flat_and_tell_no_place() -> None:
    found = dict(parameters(evaluated()))
    assert found["image_size"] == "70"
    assert found["nested.b"] == "2"
    assert found["evaluation.resolution"] == "model"
    assert "nested.a" not in found
    assert tags(evaluated())["weights_sha256"] == "abc"
    assert "/secret/place" not in str(found) + str(tags(evaluated()))


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_store_of_mlflow_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed: pip install 'anomalyclip[mlflow]'")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "store").as_uri()
    run = MlflowClient(tracking_uri=uri).get_run(log_evaluation(evaluated(), uri))
    assert run.info.status == "FINISHED"
    assert run.data.metrics == dict(metrics(evaluated()))
    assert run.data.params == dict(parameters(evaluated()))
    assert run.data.tags.items() >= tags(evaluated()).items()
    files = {one.path for one in MlflowClient(tracking_uri=uri).list_artifacts(run.info.run_id)}
    assert files == {"metrics.json", "per_image.csv", "metrics.md", "metrics.tex"}
    assert log_evaluation(evaluated(), uri) != run.info.run_id, "the experiment is found again"


def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"pip install 'anomalyclip\[mlflow\]'"):
        log_evaluation(evaluated(), "runs")


def test_a_database_without_its_packages_is_refused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomalyclip.extras.present", lambda package: True)
    monkeypatch.setattr("anomalyclip.integrations.mlflow.present", lambda package: False)
    with pytest.raises(ConfigError, match="postgresql://host/runs: a database needs all of MLflow"):
        log_evaluation(evaluated(), "postgresql://me:secret@host/runs")


def test_evaluate_asks_for_it_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(tmp_path), "--mlflow", "runs", "--model", "no-such-model"])
    assert ended.value.code == 2
    assert "--mlflow needs the package mlflow" in " ".join(capsys.readouterr().err.split())
