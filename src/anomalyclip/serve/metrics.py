"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All series of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Counter(
            "anomalyclip_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "anomalyclip_request_seconds", "From a request's headers to the end of its answer.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "anomalyclip_refused", "Requests not carried out, by the kind of their answer.", ["kind"], registry=registry
        )
        self.images = Counter(
            "anomalyclip_images", "Images answered: scored or failed.", ["outcome"], registry=registry
        )
        self.decisions = Counter("anomalyclip_decisions", "Decisions made.", ["decision"], registry=registry)
        self.batch_images = Histogram(
            "anomalyclip_batch_images", "Images in a forward pass.", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self.batch_seconds = Histogram(
            "anomalyclip_batch_seconds", "Time of a forward pass.", buckets=_SECONDS, registry=registry
        )
        self.model = Info("anomalyclip_model", "What is served.", registry=registry)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read when Prometheus asks."""
        Gauge(f"anomalyclip_{name}", what, registry=self.registry).set_function(value)

    def on_batch(self, size: int, seconds: float) -> None:
        """See `Batcher`."""
        self.batch_images.observe(size)
        self.batch_seconds.observe(seconds)
