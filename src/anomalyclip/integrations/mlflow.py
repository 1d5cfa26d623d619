"""MLflow: an evaluation as a run of its tracking: settings as parameters, metrics, and the files of `evaluate`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.extras import present, require
from anomalyclip.io.scratch import scratch
from anomalyclip.watching.capture import bare_address

if TYPE_CHECKING:
    from anomalyclip.evaluation import Evaluation

EXPERIMENT = "anomalyclip"
_LONGEST = 500  # characters of a parameter that every store takes
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_PER_CALL = 100  # parameters; metrics: 1000
_NAMED = str.maketrans(dict.fromkeys("'\"#%&*+,;<=>?@[]^`{|}~!$()\\", "_"))


def check_mlflow(uri: str) -> None:
    """Raises ConfigError where MLflow, or its part for databases, is missing: before anything is computed."""
    require("mlflow", what="--mlflow")
    if uri.partition(":")[0].partition("+")[0] in _DATABASES and not present("sqlalchemy"):
        raise ConfigError(f"--mlflow {bare(uri)}: a database needs all of MLflow: pip install mlflow")


def log_evaluation(
    result: Evaluation, uri: str, *, folder: Path | None = None, experiment: str | None = None, name: str | None = None
) -> str:
    """Record an evaluation as a finished MLflow run; gives the run's id.

    Metrics: `image_auroc` and the others over classes, and `CLASS/image_auroc` of each, in [0, 1]; a threshold's
    decisions likewise. Parameters: the settings of model and evaluation. Tags: hashes of weights and prompts, data set,
    versions. Artefacts: what `evaluate --output` writes, plots included where `folder` holds them.

    Args:
        result: of :func:`anomalyclip.evaluation.evaluate`.
        uri: of the tracking server or store: http://host:5000, sqlite:///runs.db, or a folder.
        folder: the evaluation's output folder; None writes the tables aside.
        experiment: None is MLFLOW_EXPERIMENT_NAME, else "anomalyclip". name: of the run; None is the data set's.

    Raises:
        ConfigError: the package is missing. OutputError: the store or server does not take it.
    """
    check_mlflow(uri)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri)
        run = client.create_run(
            _experiment(client, experiment), run_name=name or str(result.dataset["name"]), tags=tags(result)
        )
        status = "FAILED"
        try:
            _log(client, run.info.run_id, result)
            _artefacts(client, run.info.run_id, result, folder)
            status = "FINISHED"
        finally:
            client.set_terminated(run.info.run_id, status)
    except (MlflowException, OSError) as error:
        raise OutputError(f"--mlflow {bare(uri)}: {' '.join(str(error).split())}") from error
    return str(run.info.run_id)


def bare(uri: str) -> str:
    """The address without a password, as it may be shown.

    >>> bare("https://me:secret@host/mlflow"), bare("sqlite:///runs.db")
    ('https://host/mlflow', 'sqlite:///runs.db')
    """
    return bare_address(uri) if "@" in uri else uri


def _experiment(client: Any, given: str | None) -> str:
    import os

    name = given or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage == "deleted":
        raise ConfigError(f"the MLflow experiment {name!r} is deleted: restore it, or set MLFLOW_EXPERIMENT_NAME")
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _log(client: Any, run: str, result: Evaluation) -> None:
    import time

    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    measured = [Metric(key, value, now, 0) for key, value in metrics(result)]
    given = [Param(key, value) for key, value in parameters(result)]
    for start in range(0, max(len(measured), len(given)), _PER_CALL):
        part = slice(start, start + _PER_CALL)
        client.log_batch(run, metrics=measured[part], params=given[part])


def metrics(result: Evaluation) -> Iterator[tuple[str, float]]:
    """(name, value): means over classes, then those of each class, what is undefined left out."""
    for name, value in {**result.mean, **result.mean_decisions}.items():
        if value is not None:
            yield name, float(value)
    for one in result.classes:
        for name, value in {**one.values, **one.decisions}.items():
            if value is not None:
                yield f"{one.name.translate(_NAMED)}/{name}", float(value)


def parameters(result: Evaluation) -> Iterator[tuple[str, str]]:
    """(name, value) of what decided the numbers, nested names joined by dots."""
    told = {
        "model": result.model.get("model"),
        "method": result.model.get("method"),
        "prompts": result.model.get("prompts"),
    }
    yield from _flat({**told, **result.model.get("settings", {}), "evaluation": dict(result.settings)})


def tags(result: Evaluation) -> dict[str, str]:
    """What is no setting and no number: hashes, the data, versions."""
    hashes = {key: str(value) for key, value in result.model.items() if key.endswith("sha256") and value}
    data = {f"data.{key}": str(result.dataset[key]) for key in ("name", "split") if result.dataset.get(key)}
    versions = {f"version.{key}": str(value) for key, value in result.versions.items()}
    return {**hashes, **data, **versions, "source": "anomalyclip evaluate"}


def _flat(tree: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        elif value is not None and value != "":
            yield f"{before}{key}".translate(_NAMED), str(value)[:_LONGEST]


def _artefacts(client: Any, run: str, result: Evaluation, folder: Path | None) -> None:
    from anomalyclip.evaluation import save

    if folder is not None:
        client.log_artifacts(run, str(folder))
        return
    with scratch("mlflow") as aside:
        save(result, aside)
        client.log_artifacts(run, str(aside))
