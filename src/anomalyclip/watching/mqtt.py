"""MQTT: anomalies as messages of QoS 1, and a retained state with a last will.

TOPIC/anomaly  the JSON that webhooks get, at least once each
TOPIC/state    retained: {"state": "watching" | "stopped" | "lost", ...}; "lost" is the last will, which the broker
               publishes when the connection breaks
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.watching.addresses import check_address
from anomalyclip.watching.capture import bare_address
from anomalyclip.watching.deliver import DeliveryError
from anomalyclip.watching.queue import Message

if TYPE_CHECKING:
    from anomalyclip.detect.journal import Row

PASSWORD_VARIABLE = "ANOMALYCLIP_MQTT_PASSWORD"
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_USUAL_TOPIC = "anomalyclip"
_TOPIC = re.compile(r"[^#+\0]{1,200}")
_KEEPALIVE = 30  # seconds, after which a broker notices a watcher that is gone
_LONGEST_WAIT = 60  # seconds between two attempts to connect
_EVERY = 0.5  # seconds between two states: a fast line must not flood a broker


@dataclass(frozen=True)
class Place:
    """[mqtt://][USER[:PASSWORD]@]HOST[:PORT][/TOPIC], or mqtts: with TLS and the system's certificates."""

    host: str
    port: int
    topic: str
    tls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Place:
        """Raises ConfigError. Without a password in the address, ANOMALYCLIP_MQTT_PASSWORD is used."""
        url = url if "://" in url else f"mqtt://{url}"
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urllib.parse.urlsplit(""), None, None
        topic = urllib.parse.unquote(parts.path.strip("/")) or _USUAL_TOPIC
        odd = parts.netloc.endswith(":") or re.search(r"\s", parts.netloc) or parts.scheme not in _PORTS
        if not host or odd or parts.query or "#" in url or not _TOPIC.fullmatch(topic):
            raise ConfigError(
                f"--mqtt {bare_address(url)!r}: expected a broker as HOST, HOST:PORT, or in full with a topic, such as "
                "mqtt://broker:1883/factory/line3"
            )
        user = None if parts.username is None else urllib.parse.unquote(parts.username)
        password = os.environ.get(PASSWORD_VARIABLE) if parts.password is None else urllib.parse.unquote(parts.password)
        return cls(host, port or _PORTS[parts.scheme], topic, parts.scheme == "mqtts", user, password)


class Broker:
    """A receiver of a courier's messages, and a signal that keeps the retained state.

    Args:
        url: see `Place`. source: what is watched. tell: takes a line for people.
        timeout: seconds until a message counts as not taken. link_local: whether such addresses may be reached.

    Raises ConfigError for an address that cannot be used, or without paho-mqtt.
    """

    def __init__(
        self, url: str, source: str, tell: Callable[[str], None], timeout: float = 10.0, link_local: bool = False
    ) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise ConfigError("--mqtt needs paho-mqtt: pip install 'anomalyclip[mqtt]'") from error
        self.place = Place.parse(url)
        self._tell, self._timeout, self._link_local = tell, timeout, link_local
        self._away, self._guard, self._shown = False, threading.Lock(), 0.0
        self._ready = threading.Event()
        self._state: dict[str, Any] = {"state": "watching", "source": source, "scored": 0, "anomalous": 0, "failed": 0}
        self._client = client = Client(CallbackAPIVersion.VERSION2)
        if self.place.user is not None:
            client.username_pw_set(self.place.user, self.place.password)
        if self.place.tls:
            client.tls_set()
        client.will_set(self._topic("state"), json.dumps({"state": "lost", "source": source}), qos=1, retain=True)
        client.reconnect_delay_set(1, _LONGEST_WAIT)
        client.on_connect, client.on_connect_fail = self._connected, lambda *_: self._lost("cannot be reached")
        client.on_disconnect, client.on_socket_open = self._disconnected, self._opened

    def __call__(self, message: Message) -> None:
        """Publish an anomaly; returns when the broker has acknowledged it. Raises DeliveryError."""
        if not self._ready.wait(self._timeout):
            raise DeliveryError(f"{self._name} is not connected", away=True)
        sent = self._client.publish(self._topic("anomaly"), message.payload, qos=1)
        try:
            sent.wait_for_publish(self._timeout)
        except (RuntimeError, ValueError) as error:
            raise DeliveryError(str(error), away=True) from error
        if not sent.is_published():
            raise DeliveryError(f"{self._name} does not acknowledge", away=True)

    def start(self) -> None:
        """Connect, now or whenever the broker can be reached."""
        self._client.connect_async(self.place.host, self.place.port, keepalive=_KEEPALIVE)
        self._client.loop_start()

    def show(self, row: Row) -> None:
        """Count a row, and publish the state unless that was done a moment ago."""
        counted = "failed" if row["score"] is None else row["decision"]
        with self._guard:
            self._state["scored"] += row["score"] is not None
            if counted in ("failed", "anomalous"):
                self._state[counted] += 1
            self._state["last"] = {key: row[key] for key in ("path", "score", "decision", "error")}
        if time.monotonic() - self._shown >= _EVERY:
            self._publish()

    def close(self, grace: float) -> None:
        """Say that the watch has stopped, and part in peace: the last will is not published."""
        self._state["state"] = "stopped"
        if (sent := self._publish()) is not None:
            with suppress(RuntimeError, ValueError):  # the connection broke: the last will says so
                sent.wait_for_publish(grace)
        self._client.on_disconnect = None
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def _name(self) -> str:
        return f"{self.place.host}:{self.place.port}"

    def _topic(self, last: str) -> str:
        return f"{self.place.topic}/{last}"

    def _publish(self) -> Any:
        """Nothing where nobody is connected: the state is published anew on connecting."""
        if not self._client.is_connected():
            return None
        self._shown = time.monotonic()
        with self._guard:
            said = {**self._state, "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds")}
        return self._client.publish(self._topic("state"), json.dumps(said), qos=1, retain=True)

    def _opened(self, client: Any, userdata: Any, opened: Any) -> None:
        """Before anything is said: whom did we reach? An OSError makes the client try again later."""
        if self._link_local:
            return
        try:
            check_address(str(opened.getpeername()[0]))
        except InputError as error:
            self._lost(str(error))
            raise ConnectionRefusedError(str(error)) from error

    def _connected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._lost(f"refuses: {code}")
            return
        if self._away:
            self._away = False
            self._tell(f"mqtt: {self._name} answers again")
        self._ready.set()
        self._publish()

    def _disconnected(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        self._ready.clear()
        self._lost("is gone")

    def _lost(self, why: str) -> None:
        if not self._away:  # once, not at every attempt of a long night
            self._away = True
            self._tell(f"mqtt: {self._name} {why}; it will be tried again, scoring goes on")
