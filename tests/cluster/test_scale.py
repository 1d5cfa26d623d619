"""The plan for 10^8 images: formula against simulation, and the manifest against what KubeRay requires."""

from __future__ import annotations

import math
import shlex
import sys
from dataclasses import replace
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from anomalyclip.cluster.pool import IN_HAND

ROOT = Path(__file__).parents[2]
#: Required fields of the ray.io/v1 definitions (ray-operator/config/crd/bases/ray.io_rayjobs.yaml).
REQUIRED = {"headGroupSpec": {"template"}, "workerGroupSpecs": {"groupName", "minReplicas", "maxReplicas", "template"}}


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    spec = util.spec_from_file_location("scale_simulation", ROOT / "benchmarks/scale_simulation.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("bound", ["model", "reading", "object store", "driver", "deaths"])
def test_the_formula_forecasts_the_simulation(scale: ModuleType, bound: str) -> None:
    small = replace(scale.SITUATIONS[bound], block=20 if bound != "driver" else 10)
    if bound == "deaths":
        small = replace(small, lifetime=12.0, restart=6.0)
    row = scale.compare(small, {"driver": 2000, "deaths": 4000}.get(bound, 600))
    assert row["difference"] == pytest.approx(0, abs=0.08)
    assert scale.IN_HAND == IN_HAND


def test_the_bottleneck_is_the_one_in_the_name(scale: ModuleType) -> None:
    for name, expected in {"object store": "object store", "driver": "driver", "model": "workers"}.items():
        rates = scale.throughput(scale.SITUATIONS[name])
        assert min(rates, key=rates.get) == expected


def test_without_deaths_and_overheads_it_is_the_sum_of_the_workers(scale: ModuleType) -> None:
    ideal = scale.Cluster(workers=10, model=0.1, block=10**6, store=0.0, decode=0.0, write=0.0, dispatch=1e-9)
    assert scale.forecast(replace(ideal, readers=1, store=1e-9)) == pytest.approx(100, rel=1e-4)
    rare = replace(ideal, store=1e-9, block=100, lifetime=1e9)
    assert scale.forecast(rare) == pytest.approx(100, rel=0.02)
    assert math.isinf(scale.throughput(rare)["object store"])


def test_the_manifest_has_what_kuberay_requires() -> None:
    job: dict[str, Any] = yaml.safe_load((ROOT / "deploy/kuberay/rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        kind = "workerGroupSpecs" if "groupName" in group else "headGroupSpec"
        assert group.keys() >= REQUIRED[kind]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        assert all({"name", "image"} <= container.keys() for container in group["template"]["spec"]["containers"])
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_the_entrypoint_is_a_call_that_detect_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from anomalyclip.cli import main

    job = yaml.safe_load((ROOT / "deploy/kuberay/rayjob.yaml").read_text())
    program, *call = shlex.split(job["spec"]["entrypoint"])
    assert program == "anomalyclip"
    local = [str(tmp_path) if "s3://" in word else word for word in call]
    with pytest.raises(SystemExit) as ended:
        main(local)
    assert ended.value.code == 2
    assert "There are no pictures to look at" in capsys.readouterr().err  # all options were understood
