"""What Prometheus reads at /metrics."""

from collections.abc import Callable
from typing import Any

from viceversa.extras import need

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server; not in the process's common registry, so that several servers do not meet."""

    def __init__(self) -> None:
        client: Any = need("prometheus_client", "serve")
        self._client = client
        self.registry = client.CollectorRegistry()
        common = {"registry": self.registry}
        self.requests = client.Counter("viceversa_requests", "Answers.", ["route", "status"], **common)
        self.seconds = client.Histogram(
            "viceversa_request_seconds",
            "From the first byte to the whole answer.",
            ["route"],
            buckets=_SECONDS,
            **common,
        )
        self.batches = client.Histogram(
            "viceversa_batch_pictures", "Images computed together.", ["model", "to"], buckets=_SIZES, **common
        )
        self.model_seconds = client.Counter("viceversa_model_seconds", "Time computed.", ["model", "to"], **common)
        self._gauges = {
            name: client.Gauge(f"viceversa_{name}", text, **common)
            for name, text in {
                "accepted": "Requests accepted and not answered yet.",
                "queue_depth": "Images that wait to be computed.",
            }.items()
        }
        client.ProcessCollector(registry=self.registry)

    def watch(self, name: str, value: Callable[[], float]) -> None:
        """Reads the gauge ``name`` from ``value`` whenever it is asked for."""
        self._gauges[name].set_function(value)

    @property
    def content_type(self) -> str:
        """The media type of `text`."""
        return self._client.CONTENT_TYPE_LATEST

    def text(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return self._client.generate_latest(self.registry)
