from __future__ import annotations

import os

import pytest

from anomalyclip.cli import command
from anomalyclip.cli._diagnosis import _environment
from anomalyclip.cli._waiting import wait_briefly


def test_the_command_sets_it_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr("anomalyclip.cli.main", lambda: None)
    command()
    assert os.environ == {"GOMP_SPINCOUNT": "20000", "KMP_BLOCKTIME": "1"}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_a_choice_of_the_users_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "environ", {name: "x"})
    wait_briefly()
    assert os.environ == {name: "x"}


@pytest.mark.parametrize(
    ("chosen", "told"),
    [({}, {}), ({"KMP_BLOCKTIME": "5"}, {"KMP_BLOCKTIME": "5"}), ({"KMP_BLOCKTIME": "1"}, {"KMP_BLOCKTIME": "1"})],
)
def test_doctor_tells_a_choice_of_the_users_alone(
    monkeypatch: pytest.MonkeyPatch, chosen: dict[str, str], told: dict[str, str]
) -> None:
    monkeypatch.setattr(os, "environ", dict(chosen))
    wait_briefly()
    assert _environment() == told
