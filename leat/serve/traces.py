"""Traces by OpenTelemetry: when a variable of the environment says where they go, and ``leat[otel]`` is installed.

FastAPI makes a span of each request itself. What a query has is taken out, as in the log: a sign-in has secrets there.
See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from leat.serve.front import request_id

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig
    from opentelemetry.sdk.trace import TracerProvider

log = logging.getLogger("leat.serve")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_UNTRACED = ("/livez", "/readyz", "/assets/", "/c/", "/o/", "/unsubscribe/")
"""Probes, and links of mails, whose addresses are secret."""


class Traces:
    """The traces of one process.

    Args:
        process: web or worker.
    """

    def __init__(self, process: str) -> None:
        self._provider = _provider(process) if any(map(os.environ.get, _ENDPOINTS)) else None

    def of_requests(self) -> TelemetryConfig:
        """Return how FastAPI traces requests."""
        if self._provider is None:
            return {"tracing": False, "metrics": False, "logs": False}
        return {"tracer_provider": self._provider, "metrics": False, "logs": False, "operation_spans": False,
                "exclude": _is_untraced}  # fmt: skip

    @contextlib.contextmanager
    def span(self, name: str, **attributes: Any) -> Iterator[None]:
        """Trace what happens in the block: of what it raises the class, since the text may have what is private."""
        if self._provider is None:
            yield
            return
        from opentelemetry.trace import StatusCode

        named = {f"leat.{key}": value for key, value in attributes.items()}
        tracer = self._provider.get_tracer("leat")
        options: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
        with tracer.start_as_current_span(name, attributes=named, **options) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise

    def close(self) -> None:
        """Send what hasn't been sent; it takes some seconds at most if nobody takes it."""
        if self._provider is not None:
            self._provider.shutdown()


def _is_untraced(scope: MutableMapping[str, Any]) -> bool:
    return str(scope["path"]).startswith(_UNTRACED)


def _provider(process: str) -> TracerProvider | None:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("OTEL_* is set, but nothing is traced: leat[otel] isn't installed")
        return None

    class Clean(SpanProcessor):
        """Takes out what a query has, and adds the id by which the log names the request."""

        def on_start(self, span: Span, parent_context: Any = None) -> None:
            if "url.query" in (span.attributes or {}):
                span.set_attribute("url.query", "")
            if request_id.get():
                span.set_attribute("leat.request_id", request_id.get())

    name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "leat"}
    provider = TracerProvider(resource=Resource.create({**name, "leat.process": process}))
    provider.add_span_processor(Clean())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
