"""The reject gate on real servers of Modbus and OPC UA on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from asyncua import ua
from asyncua.sync import Server
from pymodbus.client import ModbusTcpClient
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.watching.gate import Gate, open_gate

Until = Callable[[Callable[[], object]], None]
FAULTY, GOOD = ({"decision": decision} for decision in ("anomalous", "normal"))
UNREAD = {"decision": None}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Modbus:
    """A server in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    async def _start(self) -> None:
        device = ModbusDeviceContext(co=ModbusSequentialDataBlock(1, [False] * 16))
        self._server = ModbusTcpServer(ModbusServerContext(devices=device), address=("127.0.0.1", self.port))
        await self._server.listen()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def coil(self, number: int) -> bool:
        """As another client reads it."""
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return bool(client.read_coils(number, count=1, device_id=1).bits[0])


@pytest.fixture
def modbus() -> Iterator[Modbus]:
    server = Modbus(free_port())
    yield server
    server.stop()


def test_a_coil_follows_the_last_decision(modbus: Modbus, until: Until) -> None:
    told: list[str] = []
    gate = open_gate(f"modbus://127.0.0.1:{modbus.port}/7?unit=1", told.append)
    gate.start()
    for row, expected in ((FAULTY, True), (GOOD, False), (UNREAD, True)):
        gate.show(row)
        until(lambda: modbus.coil(7) == expected)  # noqa: B023
    assert not any(modbus.coil(number) for number in (0, 6, 8))
    gate.show(GOOD)
    gate.close(30)
    assert not modbus.coil(7), "what waited was written"
    assert told == []


def test_what_could_not_be_written_is_not_written_late(until: Until) -> None:
    port, told = free_port(), list[str]()
    gate = open_gate(f"modbus://127.0.0.1:{port}/3", told.append, timeout=1)
    gate.start()
    gate.show(FAULTY)
    until(lambda: told)
    assert "cannot be reached" in told[0]
    server = Modbus(port)
    try:
        time.sleep(0.1)
        assert not server.coil(3)
        gate.show(FAULTY)
        until(lambda: server.coil(3))
        until(lambda: len(told) == 2)
        assert told[1].endswith("answers again")
    finally:
        gate.close(30)
        server.stop()


def test_a_coil_that_there_is_not_is_told(modbus: Modbus, until: Until) -> None:
    told: list[str] = []
    gate = open_gate(f"modbus://127.0.0.1:{modbus.port}/999", told.append)
    gate.start()
    gate.show(FAULTY)
    until(lambda: told)
    gate.close(30)
    assert "answers" in told[0]


def test_a_variable_follows_the_last_decision(until: Until) -> None:
    server, told = Server(), list[str]()
    address = f"opc.tcp://127.0.0.1:{free_port()}/plc"
    server.set_endpoint(address)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = server.register_namespace("factory")
    reject = server.nodes.objects.add_variable(f"ns={space};s=Reject", "Reject", False)
    reject.set_writable()
    server.nodes.objects.add_variable(f"ns={space};s=Fixed", "Fixed", False)
    with server:
        gate = open_gate(f"{address}#ns={space};s=Reject", told.append)
        gate.start()
        for row, expected in ((FAULTY, True), (GOOD, False), (UNREAD, True)):
            gate.show(row)
            until(lambda: reject.read_value() is expected)  # noqa: B023
        gate.close(30)
        other = open_gate(f"{address}#ns={space};s=Fixed", told.append)
        other.start()
        other.show(FAULTY)
        until(lambda: told)
        other.close(30)
    assert "permission" in told[0], "a variable that may not be written"


class Slow:
    """A controller that takes its time."""

    def __init__(self) -> None:
        self.going, self.written = threading.Event(), list[bool]()

    def write(self, value: bool) -> None:
        self.going.wait(30)
        self.written.append(value)

    def close(self) -> None:
        """Nothing to let go of."""


def test_only_the_latest_decision_counts(until: Until) -> None:
    slow = Slow()
    gate = Gate(slow, "slow", [].append)
    gate.start()
    gate.show(FAULTY)
    until(lambda: gate._wanted is None)
    for _ in range(5):
        gate.show(FAULTY)
        gate.show(GOOD)
    slow.going.set()
    gate.close(30)
    assert slow.written == [True, False]


@pytest.mark.parametrize(
    "address",
    ["plc:502/1", "modbus://plc", "modbus://plc/x", "modbus://plc/70000", "modbus://plc/1?unit=300", "modbus://plc/1?a=2",
     "opc.tcp://plc:4840", "opc.tcp://plc#Reject", "http://plc/1", "modbus://plc:x/1", "modbus:///1"],
)  # fmt: skip
def test_addresses_that_cannot_be_used(address: str) -> None:
    with pytest.raises(ConfigError, match="expected a coil"):
        open_gate(address, [].append)


def test_link_local_addresses_are_not_reached() -> None:
    with pytest.raises(InputError, match="link-local"):
        open_gate("modbus://169.254.1.1/1", [].append)
    assert open_gate("modbus://169.254.1.1/1", [].append, link_local=True) is not None
