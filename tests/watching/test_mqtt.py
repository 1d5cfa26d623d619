"""MQTT with a real mosquitto: QoS 1 messages, the retained state, the last will, a broker that is away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from anomalyclip.errors import ConfigError
from anomalyclip.watching.database import Database
from anomalyclip.watching.deliver import DeliveryError
from anomalyclip.watching.mqtt import Broker, Place
from anomalyclip.watching.notify import Courier, Patience
from anomalyclip.watching.queue import DeliveryQueue, Message

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: `make test` installs it")
Until = Callable[[Callable[[], object]], None]
DIES = """
import os, sys, time
from anomalyclip.watching.mqtt import Broker
broker = Broker(sys.argv[1], "photos", print)
broker.start()
assert broker._ready.wait(30)
broker.show({"path": "a.png", "score": 0.9, "decision": "anomalous", "error": None})
time.sleep(0.2)
os._exit(9)
"""


class Mosquitto:
    """A broker on a free port, which can be stopped and started again."""

    def __init__(self, folder: Path, password: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "persistence false"]
        if password is None:
            lines.append("allow_anonymous true")
        else:
            makes = ["mosquitto_passwd", "-c", "-b", str(folder / "users"), "line", password]
            subprocess.run(makes, check=True, capture_output=True)
            lines += ["allow_anonymous false", f"password_file {folder / 'users'}"]
        if os.name == "posix" and os.getuid() == 0:
            lines.append("user root")
        self._file = folder / "mosquitto.conf"
        self._file.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        with socket.socket() as one:
            while one.connect_ex(("127.0.0.1", self.port)):
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.stop()


class Listener:
    """Another client, subscribed to everything: (topic, payload, qos, retained) in order."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, dict[str, Any], int, bool]] = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _, __, message: self.heard.append(
            (message.topic, json.loads(message.payload), message.qos, message.retain)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def states(self) -> list[str]:
        return [payload["state"] for topic, payload, *_ in self.heard if topic.endswith("/state")]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listen() -> Iterator[Callable[[int], Listener]]:
    made: list[Listener] = []

    def start(port: int) -> Listener:
        made.append(Listener(port))
        return made[-1]

    yield start
    for one in made:
        one.close()


@needs_mosquitto
def test_anomalies_arrive_and_the_state_stays_behind(
    mosquitto: Mosquitto, listen: Callable[[int], Listener], until: Until
) -> None:
    early, told = listen(mosquitto.port), list[str]()
    broker = Broker(f"mqtt://127.0.0.1:{mosquitto.port}/factory/line%203", "photos", told.append)
    broker.start()
    broker(Message("mqtt", "e1", b'{"event": "anomaly", "id": "e1"}'))
    broker.show({"path": "a.png", "score": 0.9, "decision": "anomalous", "error": None})
    broker.show({"path": "b.png", "score": None, "decision": None, "error": "cannot be read"})
    broker.close(30)
    until(lambda: "stopped" in early.states())
    assert ("factory/line 3/anomaly", {"event": "anomaly", "id": "e1"}, 1, False) in early.heard
    late = listen(mosquitto.port)
    until(lambda: late.heard)
    ((topic, state, qos, retained),) = late.heard
    assert (topic, qos, retained) == ("factory/line 3/state", 1, True)
    assert {key: state[key] for key in ("state", "source", "scored", "anomalous", "failed")} == {
        "state": "stopped", "source": "photos", "scored": 1, "anomalous": 1, "failed": 1,
    }  # fmt: skip
    assert state["last"]["path"] == "b.png"
    assert told == []


@needs_mosquitto
def test_a_watcher_that_dies_leaves_its_last_will(
    mosquitto: Mosquitto, listen: Callable[[int], Listener], until: Until
) -> None:
    listener = listen(mosquitto.port)
    address = f"mqtt://127.0.0.1:{mosquitto.port}/line"
    assert subprocess.run([sys.executable, "-c", DIES, address], check=False, timeout=120).returncode == 9
    until(lambda: "lost" in listener.states())
    assert listener.states()[0] == "watching"


@needs_mosquitto
def test_a_broker_that_was_away_gets_everything_once_it_is_back(
    mosquitto: Mosquitto, database: Database, listen: Callable[[int], Listener], until: Until
) -> None:
    mosquitto.stop()
    told: list[str] = []
    broker = Broker(f"mqtt://127.0.0.1:{mosquitto.port}/line", "photos", told.append, timeout=0.2)
    queue = DeliveryQueue(database)
    courier = Courier(queue, "mqtt", broker, Patience(first=0.01, longest=0.05), told.append)
    broker.start()
    courier.start()
    queue.put([Message("mqtt", event, json.dumps({"id": event}).encode()) for event in ("e1", "e2")], time.time())
    courier.wake()
    until(lambda: any("not connected" in line for line in told))
    mosquitto.start()
    listener = listen(mosquitto.port)
    until(lambda: courier.count() == (0, 0))
    until(lambda: {payload["id"] for topic, payload, *_ in listener.heard if topic == "line/anomaly"} == {"e1", "e2"})
    courier.close(30)
    broker.close(30)
    assert any("cannot be reached" in line for line in told)
    assert any("answers again" in line for line in told)


@needs_mosquitto
def test_a_wrong_password_is_told_and_the_right_one_may_come_from_the_environment(
    tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Mosquitto(tmp_path, password="right")
    server.start()
    try:
        told: list[str] = []
        monkeypatch.setenv("ANOMALYCLIP_MQTT_PASSWORD", "wrong")
        broker = Broker(f"mqtt://line@127.0.0.1:{server.port}/line", "photos", told.append, timeout=0.1)
        broker.start()
        until(lambda: told)
        with pytest.raises(DeliveryError, match="not connected"):
            broker(Message("mqtt", "e1", b"{}"))
        broker.close(0)
        assert "refuses: Not authorized" in told[0]
        assert "wrong" not in told[0]
        monkeypatch.setenv("ANOMALYCLIP_MQTT_PASSWORD", "right")
        broker = Broker(f"mqtt://line@127.0.0.1:{server.port}/line", "photos", told.append)
        broker.start()
        broker(Message("mqtt", "e1", b"{}"))
        broker.close(30)
    finally:
        server.stop()


@pytest.mark.parametrize(
    "url",
    ["http://broker/line", "http:/broker", "mqtt:///line", "mqtt://", "", "my broker", "mqtt://broker/a/#", "mqtt://b/+",
     "mqtt://b:0x/line", "mqtt://broker/line?x=1", "mqtt://[::1/line", "line:secret@broker:none"],
)  # fmt: skip
def test_addresses_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a broker as HOST, HOST:PORT") as raised:
        Place.parse(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("broker", "mqtt://broker:1883/anomalyclip"),
        ("10.0.0.5:99", "mqtt://10.0.0.5:99/anomalyclip"),
        ("[::1]:99", "mqtt://[::1]:99/anomalyclip"),
        ("line@broker", "mqtt://line@broker:1883/anomalyclip"),
        ("broker/line 3", "mqtt://broker:1883/line%203"),
        ("mqtt://broker", "mqtt://broker:1883/anomalyclip"),
        ("mqtts://broker/", "mqtts://broker:8883/anomalyclip"),
    ],
)
def test_a_host_is_enough(short: str, full: str) -> None:
    assert Place.parse(short) == Place.parse(full)
    place = Place.parse(short)
    assert f":{place.port}/{place.topic.replace(' ', '%20')}" in full


def test_an_address_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANOMALYCLIP_MQTT_PASSWORD", raising=False)
    place = Place.parse("mqtts://line:p%40ss@broker.example/factory/line3/")
    assert place == Place("broker.example", 8883, "factory/line3", True, "line", "p@ss")
    assert "p@ss" not in repr(place)
    assert Place.parse("mqtt://b:99/x") == Place("b", 99, "x", False)


def test_link_local_addresses_are_not_reached(until: Until) -> None:
    told: list[str] = []
    broker = Broker("mqtt://127.0.0.1:1/line", "photos", told.append)

    class Reached:
        def getpeername(self) -> tuple[str, int]:
            return "169.254.169.254", 1883

    with pytest.raises(ConnectionRefusedError, match="link-local"):
        broker._opened(None, None, Reached())
    assert "link-local" in told[0]
