"""Few-shot evaluation as typed: refusals, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.evaluation.few_shots import striped_set

from anomalyclip.cli import app
from anomalyclip.errors import ConfigError

RUN = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return striped_set(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture(scope="module")
def small(small_files: dict[str, Path]) -> list[str]:
    """Options that choose the small CLIP."""
    chosen = ["--model", str(small_files["clip"]), "--prompts", str(small_files["prompts"]), "--image-size", "70"]
    return [*chosen, "--layers", "2,4,6", "--device", "cpu", "--offline"]


def test_options_that_contradict_each_other_are_refused(data: Path, tmp_path: Path) -> None:
    def refused(*options: str) -> str:
        result = RUN.invoke(app, ["evaluate", str(data), *options])
        assert isinstance(result.exception, ConfigError), result.output
        return str(result.exception)

    assert "--shots" in refused("--draws", "3")
    assert "--shots" in refused("--fpr", "0.1")
    assert "--shots" in refused("--memory", "patchcore")
    assert "give only one" in refused("--shots", "5", "--aligned", "1", "--augment")
    assert "leave tiles" in refused("--shots", "5", "--aligned", "1", "--tile", "64")
    assert "1 to 100" in refused("--shots", "0,5")
    assert "1 to 100" in refused("--shots", "five")
    assert "only one" in refused("--shots", "5", "--profile", str(tmp_path / "line.json"))
    assert "between 0 and 1" in refused("--shots", "5", "--fpr", "1.5")


def test_command_end_to_end_and_resumed(data: Path, small: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    call = [
        "evaluate",
        str(data),
        *small,
        "--shots",
        "1,4",
        "--draws",
        "1",
        "--fpr",
        "0.2",
        "-o",
        str(out),
        "--no-plots",
    ]
    result = RUN.invoke(app, [*call, "--resamples", "0"])
    assert result.exit_code == 0, result.output
    told = json.loads((out / "metrics.json").read_text())
    assert set(told["few_shot"]["shots"]) == {"1", "4"}
    assert told["settings"]["few_shot"]["fpr"] == 0.2
    assert "recall" in result.output
    assert {path.name for path in out.iterdir()} == {
        "metrics.json", "per_image.csv", "metrics.md", "metrics.tex", "run.json", "classes.jsonl", "few_shot.jsonl"
    }  # fmt: skip
    rows = (out / "few_shot.jsonl").read_text().splitlines()
    assert len(rows) == 4
    (out / "metrics.json").unlink()
    (out / "few_shot.jsonl").write_text("\n".join(rows[:3]) + "\n" + rows[3][:20])
    again = RUN.invoke(app, [*call, "--resamples", "0", "--resume"])
    assert again.exit_code == 0, again.output
    assert json.loads((out / "metrics.json").read_text())["few_shot"] == told["few_shot"]
