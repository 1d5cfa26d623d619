"""The files to deploy with: linted, and their command lines are ones that `serve` takes."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def known_options() -> set[str]:
    from anomalyclip.cli.serve import app

    return {option for parameter in app.params for option in parameter.opts}


def _options(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def test_the_dockerfile_is_sound(known_options: set[str]) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    text = (ROOT / "Dockerfile").read_text()
    entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.M).group(1))
    assert entry[:2] == ["anomalyclip", "serve"]
    assert _options(entry) <= known_options
    assert re.search(r"^USER 10001$", text, re.M)
    assert "HEALTHCHECK" in text
    for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M):
        assert all((ROOT / name).exists() for name in source.split())


def test_what_the_image_needs_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.M)
    assert {name for source in copied for name in source.split()} == kept


def test_the_image_compiles_its_own_kernels() -> None:
    build, _, final = (ROOT / "Dockerfile").read_text().partition("AS build")[2].partition("\nFROM ")
    assert re.search(r"apt-get install .*\bgcc libc6-dev\b", build)
    assert "apt-get" not in final
    assert "**/_kernels.*" in (ROOT / ".dockerignore").read_text().splitlines()


def test_compose_gives_the_server_time_to_finish(known_options: set[str]) -> None:
    service = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]["anomalyclip"]
    assert _options(service["command"]) <= known_options
    minutes, seconds = map(float, re.fullmatch(r"(\d+)m(\d+)s", service["stop_grace_period"]).groups())
    assert 60 * minutes + seconds >= _longest_stop()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_the_unit_gives_the_server_time_to_finish(known_options: set[str]) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(ROOT / "deploy/anomalyclip.service")
    words = shlex.split(unit["Service"]["ExecStart"])
    assert Path(words[0]).name == "anomalyclip"
    assert words[1] == "serve"
    assert _options(words) <= known_options
    assert float(unit["Service"]["TimeoutStopSec"]) >= _longest_stop()


def _longest_stop() -> float:
    from anomalyclip.serve import Limits, ServeConfig

    limits = Limits()
    return ServeConfig().drain_seconds + limits.body_seconds + limits.work_seconds + limits.write_seconds
