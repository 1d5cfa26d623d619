"""Who is told of a watch's pictures: couriers, whose messages must arrive, and signals, which show the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anomalyclip.cli._watch_lines import trouble

if TYPE_CHECKING:
    import threading

    from anomalyclip.cli._declared import Given
    from anomalyclip.watching.database import Database
    from anomalyclip.watching.deliver import Receiver
    from anomalyclip.watching.notify import Courier, Patience
    from anomalyclip.watching.signals import Signal


@dataclass(frozen=True)
class Told:
    """All of them."""

    couriers: list[Courier]
    signals: list[Signal]

    @classmethod
    def of(cls, given: Given, database: Database) -> Told:
        """As the options say. Raises ConfigError, InputError."""
        from anomalyclip.watching.capture import without_password
        from anomalyclip.watching.deliver import Command, Webhook
        from anomalyclip.watching.notify import COMMAND_PATIENCE, WEBHOOK_PATIENCE, Courier
        from anomalyclip.watching.queue import DeliveryQueue

        wanted: list[tuple[str, Receiver, Patience]] = []
        signals: list[Signal] = []
        if given.webhook is not None:
            webhook = Webhook(given.webhook, given.timeout, given.allow_link_local)
            wanted.append(("webhook", webhook, WEBHOOK_PATIENCE))
        if given.command is not None:
            wanted.append(("command", Command.parse(given.command, given.timeout), COMMAND_PATIENCE))
        if given.mqtt is not None:
            from anomalyclip.watching.mqtt import Broker

            source = without_password(str(given.target))
            broker = Broker(given.mqtt, source, trouble, given.timeout, given.allow_link_local)
            wanted.append(("mqtt", broker, WEBHOOK_PATIENCE))
            signals.append(broker)
        if given.gate is not None:
            from anomalyclip.watching.gate import open_gate

            signals.append(open_gate(given.gate, trouble, given.timeout, given.allow_link_local))
        queue = DeliveryQueue(database)
        couriers = [Courier(queue, channel, receiver, patience, trouble) for channel, receiver, patience in wanted]
        if given.metrics is not None:
            from anomalyclip.integrations.prometheus import Exposition

            source = without_password(str(given.target))
            signals.append(Exposition(given.metrics, source, lambda: {one.channel: one.count()[0] for one in couriers}))
        return cls(couriers, signals)

    def drain(self, stop: threading.Event) -> None:
        """Wait until every message was delivered or failed at least once; not for a receiver that is away."""
        for courier in self.couriers:
            courier.drain(stop)

    def close(self, grace: float) -> None:
        """Couriers first: they may need a signal's connection."""
        for courier in self.couriers:
            courier.close(grace)
        for signal in self.signals:
            signal.close(grace)
