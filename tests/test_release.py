"""What a release says in several places is the same in all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from anomalyclip.version import __version__

ROOT = Path(__file__).parent.parent


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def pyproject() -> str:
    return (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_citation_names_this_version_and_the_paper() -> None:
    citation = _yaml("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["references"][0]["identifiers"] == [{"type": "other", "value": "arXiv:2310.18961"}]


def test_the_workflow_runs_ci_on_every_python_that_is_promised(pyproject: str) -> None:
    jobs = _yaml(".github/workflows/ci.yml")["jobs"]
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject)
    assert jobs["all"]["strategy"]["matrix"]["python"] == promised
    assert f'requires-python = ">={promised[0]}"' in pyproject
    assert any(step.get("run") == "bash .ci/run" for step in jobs["all"]["steps"])
    [checked] = [step for step in jobs["wheel"]["steps"] if "make wheel-check" in step.get("run", "")]
    assert checked["env"] == {"ANOMALYCLIP_KERNELS": "1"}  # distributions with kernels, or none


def test_the_workflow_takes_no_rights_and_names_versions() -> None:
    workflow = _yaml(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    used = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)  # a tag can be moved


def test_nothing_that_is_published_is_made_with_a_cache() -> None:
    steps = _yaml(".github/workflows/ci.yml")["jobs"]["wheel"]["steps"]
    assert all("cache" not in step.get("with", {}) for step in steps)


@pytest.mark.parametrize("name", ["bug.yml", "idea.yml"])
def test_issue_forms_have_what_github_asks_for(name: str) -> None:
    form = _yaml(f".github/ISSUE_TEMPLATE/{name}")
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    assert all(field["attributes"]["label"] for field in form["body"])
    assert {field["type"] for field in form["body"]} <= {"textarea", "input", "dropdown", "checkboxes"}


def test_every_dependency_and_everything_carried_is_on_the_page_of_licences(pyproject: str) -> None:
    page = (ROOT / "docs" / "licences.md").read_text("utf-8")
    direct = re.search(r"\ndependencies = \[(.*?)\n\]", pyproject, re.DOTALL)
    assert direct is not None
    for line in re.findall(r'"(.+?)"', direct[1]):
        assert f"| {canonicalize_name(Requirement(line).name)} |" in page
    carried = [line for line in (ROOT / "NOTICE.md").read_text("utf-8").splitlines() if "src/anomalyclip" in line]
    assert carried
    for line in carried:
        assert line.split("|")[1].strip() in page
    assert "| unknown |" not in page
