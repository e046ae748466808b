"""Broken bytes in an answer of any format: an error that says so, or records that are each a row or refused."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leat.sources.events import Quarantined
from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.answers.as_json import as_json
from leat.sources.rest_api.answers.envelope import open_envelope
from leat.sources.rest_api.declaration.endpoint import Endpoint
from leat.sources.rest_api.reading.convert import Converter
from leat.sources.rest_api.reading.spool import Spooled
from tests.kit.examples import examples

RECORDS: list[dict[str, Any]] = [
    {"id": 1, "s": 'é"\\', "f": 1.5, "t": "2026-01-01T00:00:00Z", "j": {"a": [2.50]}, "m": "1.20", "b": True,
     "c": {"n": "x", "z": 1}, "k": [{"x": "1"}, {"x": "2"}]},
    {"id": 2, "k": {"x": "q"}, "zz": None},
]  # fmt: skip
COLUMNS = {
    "id": "integer", "s": "string", "f": "float", "t": "timestamp", "j": "json", "m": "decimal(10,2)", "b": "boolean",
    "n": {"type": "string", "field": "c.n"}, "l": {"type": "string", "field": "k[0].x"},
}  # fmt: skip
XML = "<data><item a='1'><id>1</id><s>x</s><c><n>q</n></c><k><x>1</x></k></item><item><id>2</id></item></data>"
ANSWERS: dict[str, tuple[dict[str, Any], bytes]] = {
    "list": ({"records": "data"}, json.dumps({"data": RECORDS, "next": None}).encode()),
    "each": ({"records": "data[*].k"}, json.dumps({"data": RECORDS}, ensure_ascii=False).encode()),
    "single": ({"single": True}, json.dumps(RECORDS[0]).encode()),
    "keyed": ({"keyed_by": "s"}, json.dumps({"a": RECORDS[0], "b": RECORDS[1]}).encode()),
    "csv": ({"format": "csv"}, b'id,s,f,t\n1,a,1.5,2026-01-01T00:00:00Z\n2,"b""c",,\n'),
    "ndjson": ({"format": "ndjson"}, b"\n".join(json.dumps(each).encode() for each in RECORDS)),
    "xml": ({"format": "xml", "records": "data.item"}, XML.encode()),
}
NESTED = Endpoint.model_validate(
    {
        "path": "p", "nested_in": "o", "records": "k", "key": ["o", "x"],
        "columns": {"o": {"type": "integer", "parent": "id"}, "x": "string"},
    }
)  # fmt: skip
ODD = [
    b'"', b"[", b"]", b"{", b"}", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\xff", b"NaN", b"1e999", b"null", b"\0",
    b"9" * 400, b"\n", b'"id":7,', b"<", b">", b"&", b'""', b"\xef\xbb\xbf", b"",
]  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(ODD), st.integers(0, 4)), min_size=1, max_size=4)


@examples(2)
@given(st.sampled_from(sorted(ANSWERS)), EDITS)
def test_broken_bytes_are_reported(name: str, edits: list[tuple[float, bytes, int]]) -> None:
    more, body = ANSWERS[name]
    for place, odd, lost in edits:
        at = int(place * len(body))
        body = body[:at] + odd + body[at + lost :]
    declared = Endpoint.model_validate({"path": "p", "key": "id", "columns": COLUMNS, **more})
    try:
        cut = open_envelope(as_json(declared.format, body), declared)
    except (ValueError, RecursionError):  # the page is reported as no answer of its format
        return
    converter = Converter("o", declared, {"n": NESTED}, True, ())
    events = list(converter.events([Spooled(HttpRequest("p"), len(cut.records), {}, cut.records)]))
    refused = [event for event in events if isinstance(event, Quarantined)]
    assert converter.rows + converter.bad == len(cut.items)
    assert [event.reason for event in refused if "can't become a row" in event.reason] == []
