"""A reject gate: one bit of a controller that says whether the last picture is to be rejected.

modbus://HOST[:PORT]/COIL[?unit=N]   a coil, by its number from 0
opc.tcp://HOST[:PORT][/PATH]#NODE    a Boolean variable, by its node id, as ns=2;s=Reject

True for anything that is not "normal": a picture that could not be read is rejected, too.
"""

from __future__ import annotations

import logging
import re
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.watching.addresses import check_host
from anomalyclip.watching.capture import bare_address

if TYPE_CHECKING:
    from anomalyclip.detect.journal import Row

_HIGHEST = 65_535
_NODE = re.compile(r"(ns=\d+;)?[isgb]=.+")


class Controller(Protocol):
    """Something with a bit. Both raise OSError with a reason where that fails."""

    def write(self, value: bool) -> None:
        """Set the bit, connecting first where that is needed."""

    def close(self) -> None:
        """Let go of the connection."""


@dataclass
class ModbusCoil:
    """A coil over Modbus TCP, with function code 5."""

    host: str
    port: int
    coil: int
    unit: int
    timeout: float
    _client: Any = None

    def write(self, value: bool) -> None:
        from pymodbus.client import ModbusTcpClient
        from pymodbus.exceptions import ModbusException

        if self._client is None:
            self._client = ModbusTcpClient(self.host, port=self.port, timeout=self.timeout, retries=1)
        try:
            if not self._client.connected and not self._client.connect():
                raise ConnectionError("cannot be reached")
            answer = self._client.write_coil(self.coil, value, device_id=self.unit)
        except ModbusException as error:
            raise ConnectionError(str(error)) from error
        if answer.isError():
            raise ConnectionError(f"answers {answer}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


@dataclass
class OpcUaVariable:
    """A Boolean variable of an OPC UA server."""

    url: str
    node: str
    timeout: float
    _client: Any = None

    def write(self, value: bool) -> None:
        from asyncua.sync import Client
        from asyncua.ua import Variant, VariantType
        from asyncua.ua.uaerrors import UaError

        try:
            if self._client is None:
                client = Client(self.url, timeout=self.timeout)
                client.connect()
                self._client = client
            self._client.get_node(self.node).write_value(Variant(value, VariantType.Boolean))
        except (UaError, TimeoutError, ValueError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            client.disconnect()


class Gate:
    """Keeps a controller's bit at the last decision, from a thread of its own.

    Only the latest counts: a decision that could not be written is not written later, when another part stands there.

    tell: takes one line for people when it fails and when it works again.
    """

    def __init__(self, controller: Controller, name: str, tell: Callable[[str], None]) -> None:
        self._controller, self._name, self._tell = controller, name, tell
        self._change = threading.Condition()
        self._wanted: bool | None = None
        self._stopping = self._failing = False
        self._thread = threading.Thread(target=self._run, name="anomalyclip-gate", daemon=True)

    def start(self) -> None:
        """Begin; nothing is written before the first decision."""
        self._thread.start()

    def show(self, row: Row) -> None:
        """Have a decision written."""
        with self._change:
            self._wanted = row["decision"] != "normal"
            self._change.notify_all()

    def close(self, grace: float) -> None:
        """Write what waits; the bit stays as it is."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(grace)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._stopping or self._wanted is not None)
                value, self._wanted = self._wanted, None
            if value is None:
                break
            self._write(value)
        self._let_go()

    def _write(self, value: bool) -> None:
        try:
            self._controller.write(value)
        except OSError as error:
            self._let_go()
            if not self._failing:
                self._tell(f"gate: {self._name} {error}; the next decision tries again, scoring goes on")
            self._failing = True
            return
        if self._failing:
            self._tell(f"gate: {self._name} answers again")
        self._failing = False

    def _let_go(self) -> None:
        try:
            self._controller.close()
        except Exception as error:  # libraries raise what they like on a connection that is gone
            logging.getLogger(__name__).debug("closing the gate: %s", error)


def open_gate(address: str, tell: Callable[[str], None], timeout: float = 10.0, link_local: bool = False) -> Gate:
    """A gate of an address as above. Raises ConfigError, and InputError for addresses that are not to be reached."""
    shown = bare_address(address)
    try:
        parts = urllib.parse.urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urllib.parse.urlsplit(""), None, None
    controller = None
    if host and parts.scheme == "modbus":
        controller = _coil(parts, host, port or 502, timeout)
    elif host and parts.scheme == "opc.tcp" and _NODE.fullmatch(parts.fragment):
        _needs("asyncua")
        controller = OpcUaVariable(address.partition("#")[0], parts.fragment, timeout)
    if controller is None:
        raise ConfigError(
            f"--gate {shown!r}: expected a coil, modbus://HOST:502/COIL?unit=1, or a variable, opc.tcp://HOST:4840#ns=2;s=NAME"
        )
    if not link_local:
        try:
            check_host(host or "", port)
        except InputError as error:
            raise InputError(f"--gate {shown!r}: {error}") from error
    return Gate(controller, shown, tell)


def _coil(parts: urllib.parse.SplitResult, host: str, port: int, timeout: float) -> Controller | None:
    asked = urllib.parse.parse_qs(parts.query)
    coil, unit = parts.path.strip("/"), asked.pop("unit", ["1"])[-1]
    if asked or parts.fragment or not (coil.isdecimal() and unit.isdecimal()):
        return None
    if int(coil) > _HIGHEST or int(unit) > 255:
        return None
    _needs("pymodbus")
    return ModbusCoil(host, port, int(coil), int(unit), timeout)


def _needs(library: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise ConfigError(f"--gate needs {library}: pip install 'anomalyclip[gate]'")
    # Its own words about every lost connection would stand beside ours.
    logging.getLogger(library).setLevel(logging.CRITICAL)
