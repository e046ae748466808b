"""Traces of `leat serve`, sent to a collector that a test runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.kit.command import tally_project, then
from tests.kit.project import row, rows
from tests.kit.serving import served


@dataclass
class Collector:
    """What OpenTelemetry's collector would take: a fake, since that one is a program in Go."""

    url: str
    spans: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                process = {each.key: each.value.string_value for each in of_resource.resource.attributes}
                for scope in of_resource.scope_spans:
                    for span in scope.spans:
                        values = {each.key: each.value.string_value for each in span.attributes}
                        one.spans.append((process["leat.process"], span.name, {**values, "trace": span.trace_id.hex()}))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one = Collector(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_and_runs_are_traced_without_what_is_private(collector: Collector, tmp_path: Path) -> None:
    leat = tally_project(tmp_path)
    then(leat, rows("fed", row(1, "one")))
    token = leat.json("tokens", "create", "x", "--expires", "P1D")["token"]
    trace = "0af7651916cd43dd8448eb211c80319c"
    with served(leat, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as server:
        headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        listed = requests.get(f"{server.url}/v1/runs?limit=7", headers=headers, timeout=30)
        asked = requests.post(f"{server.url}/v1/runs", json={"integrations": ["tally"]}, headers=headers, timeout=30)
        requests.get(f"{server.url}{asked.headers['location']}/events", headers=headers, timeout=60)
        server.get("/livez")
    spans = {name: (process, values) for process, name, values in collector.spans}
    process, values = spans["GET /v1/runs"]
    assert (process, values["trace"], values["url.query"]) == ("web", trace, "")
    assert values["leat.request_id"] == listed.headers["x-request-id"]
    process, values = spans["requested run"]
    assert (process, values["leat.run_id"]) == ("worker", asked.json()["id"])
    assert not any("livez" in name for name in spans)
    assert token not in str(collector.spans)
