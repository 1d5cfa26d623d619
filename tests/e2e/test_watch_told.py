"""`anomalyclip watch` tells a real broker and sets a real coil: the command, with servers on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.watching.test_gate import Modbus, free_port
from tests.watching.test_mqtt import Listener, Mosquitto, needs_mosquitto

from anomalyclip.cli import main


@pytest.fixture
def watch(small_model: list[str]) -> Callable[..., None]:
    def call(*args: object) -> None:
        quick = ("--once", "--interval", "0.02", "--settle", "0.05", "--quiet")
        with pytest.raises(SystemExit) as ended:
            main(["watch", *small_model, *quick, *map(str, args)])
        assert not ended.value.code

    return call


@needs_mosquitto
def test_every_anomaly_reaches_a_broker_that_is_given_as_host_and_port(
    watch: Callable[..., None],
    photos: Callable[..., Path],
    tmp_path: Path,
    rows_of: Callable[..., list[dict[str, Any]]],
) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    listener = Listener(broker.port)
    try:
        options = ("--output", tmp_path / "out", "--threshold", "0.3", "--roi", "8,4,40,40")
        watch(photos(tmp_path / "in", 4), *options, "--mqtt", f"127.0.0.1:{broker.port}")
        deadline = time.monotonic() + 60
        while listener.states()[-1:] != ["stopped"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        listener.close()
        broker.stop()
    rows = rows_of(tmp_path / "out")
    anomalous = {row["path"] for row in rows if row["decision"] == "anomalous"}
    assert 0 < len(anomalous) < 4
    told = [payload["row"] for topic, payload, qos, _ in listener.heard if (topic, qos) == ("anomalyclip/anomaly", 1)]
    assert {row["path"] for row in told} == anomalous
    assert all(row in rows for row in told)
    last = [payload for topic, payload, *_ in listener.heard if topic == "anomalyclip/state"][-1]
    assert (last["scored"], last["anomalous"], last["failed"]) == (4, len(anomalous), 0)


def test_a_coil_follows_the_decisions(watch: Callable[..., None], photos: Callable[..., Path], tmp_path: Path) -> None:
    folder, controller = photos(tmp_path / "in", 2), Modbus(free_port())
    try:
        for threshold, rejects in (("0", True), ("1", False)):
            gate = f"modbus://127.0.0.1:{controller.port}/7?unit=1"
            watch(folder, "--output", tmp_path / threshold, "--threshold", threshold, "--gate", gate)
            assert controller.coil(7) is rejects
            assert not controller.coil(6)
    finally:
        controller.stop()
