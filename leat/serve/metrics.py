"""What the web process counts, in the text format of Prometheus, on a port of its own.

It has a port of its own, on loopback, so that it can't be reached through the reverse proxy and needs no token.
See https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
Gauges = Callable[[], Mapping[str, "Gauge"]]
"""Returns what is measured when somebody asks, by name."""
Gauge = tuple[str, float] | tuple[str, str, Mapping[str, float]]
"""A meaning and a value; or a meaning, the name of a label, and a value for each of its values."""


class Metrics:
    """The counters of one process.

    Args:
        gauges: what is measured when it is asked for.
    """

    def __init__(self, gauges: Gauges = dict) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._gauges = gauges
        self._children: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._answers = Counter("leat_requests", "Answered requests.", ("kind", "status"), registry=self.registry)
        self._seconds = Histogram(
            "leat_request_seconds", "Time to answer.", ("kind",), buckets=_BUCKETS, registry=self.registry
        )
        self._appended = Counter("leat_hooks_appended", "Webhooks on disk.", ("endpoint",), registry=self.registry)
        self._refused = Counter(
            "leat_hooks_refused", "Webhooks with a wrong signature.", ("endpoint",), registry=self.registry
        )
        self.registry.register(self)

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count an answered request; ``kind`` is app or hook."""
        children = self._children.get((kind, status // 100))
        if children is None:  # looking a child up takes longer than counting
            children = self._answers.labels(kind, f"{status // 100}xx"), self._seconds.labels(kind)
            self._children[kind, status // 100] = children
        children[0].inc()
        children[1].observe(seconds)

    def appended(self, endpoint: str) -> None:
        """Count a webhook that is on disk."""
        self._appended.labels(endpoint).inc()

    def refused(self, endpoint: str) -> None:
        """Count a webhook whose signature is wrong."""
        self._refused.labels(endpoint).inc()

    def collect(self) -> Iterable[Metric]:
        """Yield what is measured now; called by the registry."""
        for name, gauge in self._gauges().items():
            if len(gauge) == 2:
                family = GaugeMetricFamily(name, gauge[0])
                family.add_metric((), gauge[1])
            else:
                family = GaugeMetricFamily(name, gauge[0], labels=(gauge[1],))
                for label, value in gauge[2].items():
                    family.add_metric((label,), value)
            yield family

    async def app(self, scope: MutableMapping[str, Any], _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        """Answer GET /metrics."""
        if scope["type"] != "http":
            return
        right = scope["path"] == "/metrics" and scope["method"] == "GET"
        # what is measured now may wait for the control store
        body = await asyncio.to_thread(generate_latest, self.registry) if right else b""
        headers = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200 if right else 404, "headers": headers})
        await send({"type": "http.response.body", "body": body})
