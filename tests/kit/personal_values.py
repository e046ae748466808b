"""Personal values of every type, planted in a source, and a search for them in whatever was written."""

from __future__ import annotations

import base64
import contextlib
import gzip
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

PLANTED: Mapping[str, tuple[Any, ...]] = {
    "label": (
        "ana.markovic@planted.example", "Zoë Brännström-Ngô", "DE89370400440532013000", "+49 151 23456789",
        "Weidenallee 17, 20357 Hamburg", "passport C01X00T478", "a'b\"c;--planted", "線路花子プランテッド",
        "4111-1111-1111-1111 planted", "1985-04-12 planted birthday",
    ),
    "weight": (81234.5678125, 90017.8125),
    "seen_at": ("1971-03-04T05:06:07.891011+00:00", "1968-11-12T13:14:15.161718+00:00"),
    "on_day": ("1911-07-19", "1913-08-23"),
    "wall_clock": ("1923-01-02T03:04:05.060708", "1927-09-10T11:12:13.141516"),
    "tags": ("GB33BUKB20201555555555 in tags", "a note that is planted in tags"),
    "revision": (7301948265017, 6902837465019),
    "shelf": ("shelf of planted person", "Regal Nr. 7 von Frau Özdemir"),
}  # fmt: skip
"""By column of the source tally: 26 values."""
EVERY = ", ".join(PLANTED)


def planted_rows(start: int = 0) -> list[dict[str, Any]]:
    """Return rows that hold every value at least once."""
    most = max(map(len, PLANTED.values()))
    return [
        {
            "id": start + number,
            "sound": True,
            **{name: values[number % len(values)] for name, values in PLANTED.items()},
        }
        for number in range(most)
    ]


def needles() -> dict[str, set[bytes]]:
    """Return by value in which forms it may be anywhere: as it is, in URLs, in base64, in blocks of a database."""
    return {str(value): set(_forms(name, value)) for name, values in PLANTED.items() for value in values}


def _forms(name: str, value: Any) -> Iterator[bytes]:
    text = str(value)
    without_zone = text.replace("+00:00", "")
    forms = (text, quote(text, safe=""), quote_plus(text), without_zone, text.replace("T", " "))
    for form in (*forms, without_zone.replace("T", " ")):
        yield form.encode()
        yield from _base64(form.encode())
    if name == "weight":
        yield struct.pack("<d", value)
    if name == "revision":
        yield struct.pack("<q", value)


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield what of a value is the same in base64, wherever in a text it begins."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + raw)
        inner = whole[4 if shift else 0 : -4].strip(b"=")
        if len(inner) >= 8:
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")


def places(written: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return where a planted value is, in clear or in any other form, also inside of what is packed."""
    sought = needles()
    return [
        f"{place}: {value}"
        for place, content in written
        for part in _unpacked(content)
        for value, forms in sought.items()
        if any(form in part for form in forms)
    ]


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    start = content.find(b"\x1f\x8b\x08")
    while start >= 0:
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(wbits=31).decompress(content[start:])
        start = content.find(b"\x1f\x8b\x08", start + 1)


def packed(text: str) -> bytes:
    """Return a text with gzip, to try the search itself."""
    return b"before" + gzip.compress(text.encode()) + b"behind"
