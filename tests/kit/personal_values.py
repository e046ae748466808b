"""Personal values of every type, planted in a source, and a search for them in whatever was written."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

import numpy as np

_PEOPLE = (
    "Søren Ærøskøbing-Krogh", "Łukasz Wójcik-Żółć", "Nguyễn Thị Ánh Tuyết", "Þórdís Ólafsdóttir",
    "Çağla Şimşek-Öztürk", "Małgorzata Śliwińska", "Ó Súilleabháin, Seán", "João da Conceição Araújo",
    "Ελένη Παπαδοπούλου", "Екатерина Щербакова", "محمد عبد الرحمن", "山田 太郎左衛門", "김철수 테스트씨",
    "D'Angelo-O'Brien, Mary-Kate", "van der Meulen, Joris", "Ngozi Okonjo-Adeyemi",
)  # fmt: skip
_STREETS = (
    "Rue de l'Église", "Österreichische Allee", "Calle Nuñez de Balboa", "Via Sant'Ambrogio", "Kärntner Straße",
    "Žižkova třída", "Avenida São João", "Nybrogatan åäö",
)  # fmt: skip
_CLOCK = "T12:%02d:%02d.%06d"

PLANTED: Mapping[str, tuple[Any, ...]] = {
    "label": (
        "ana.markovic@planted.example", "Zoë Brännström-Ngô", "DE89370400440532013000", "+49 151 23456789",
        "Weidenallee 17, 20357 Hamburg", "passport C01X00T478", "a'b\"c;--planted", "線路花子プランテッド",
        "4111-1111-1111-1111 planted", "1985-04-12 planted birthday",
        *_PEOPLE,
        *(f"{street} {17 + 3 * i}, {71000 + 97 * i}" for i, street in enumerate(_STREETS)),
        *(f"given{i}.family{i * 7}+tag@mail{i}.planted.example" for i in range(8)),
        *(f"FR14 2004 1010 05{i:02d} 0001 3M02 606" for i in range(8)),
        *(f"+3{i} 6{i} 55 5{i} {i}7 {i}1 12" for i in range(10)),
    ),
    "weight": tuple(81234.5678125 + 1017.0625 * i for i in range(15)),
    "seen_at": tuple(f"{1950 + 2 * i}-03-{i + 4:02d}{_CLOCK % (i + 6, 9, 891011 + 12 * i)}+00:00" for i in range(15)),
    "on_day": tuple(f"{1911 + i}-{i % 12 + 1:02d}-{i + 11:02d}" for i in range(15)),
    "wall_clock": tuple(f"{1923 + i}-01-{i + 2:02d}{_CLOCK % (7, i + 20, 60707 + 2 * i)}" for i in range(15)),
    "tags": (
        "GB33BUKB20201555555555 in tags", "a note that is planted in tags",
        *({"phone": f"(0{30 + i}) 55 01 {i}{i}", "notes": [f"met {name} about the “loan” №{7300 + i}"]}
          for i, name in enumerate(_PEOPLE)),
        *({"card": f"5500 0000 {4000 + 13 * i} 0004", "born": f"born on {i + 1}. June 19{50 + i} in Čáslav"}
          for i in range(8)),
    ),
    "revision": tuple(7301948265017 + 6902837 * i for i in range(15)),
    "shelf": (
        "shelf of planted person", "Regal Nr. 7 von Frau Özdemir",
        *(f"account of {name.split()[0]}, number {88000 + 7 * i}" for i, name in enumerate(_PEOPLE)),
        *(f"login-{i:02d}.u{1000 + 37 * i}\\CORP" for i in range(8)),
    ),
}  # fmt: skip
"""By column of the source tally; those of JSON have further texts inside."""
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


@cache
def needles() -> Mapping[str, frozenset[bytes]]:
    """Return by value in which forms it may be anywhere: as it is, in URLs, in base64, in blocks of a database."""
    return {
        str(text): frozenset(_forms(name, text))
        for name, values in PLANTED.items()
        for value in values
        for text in _texts(value)
    }


def _texts(value: Any) -> Iterator[Any]:
    """Yield the texts in a value of JSON, or the value itself."""
    if isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
    else:
        yield value


def _forms(name: str, value: Any) -> Iterator[bytes]:
    text = str(value)
    without_zone = text.replace("+00:00", "")
    forms = (text, quote(text, safe=""), quote_plus(text), without_zone, text.replace("T", " "), json.dumps(text)[1:-1])
    for form in (*forms, without_zone.replace("T", " ")):
        yield form.encode()
        yield from _base64(form.encode())
    if name == "weight":
        yield struct.pack("<d", value)
    if name == "revision":
        yield struct.pack("<q", value)
    if name in ("seen_at", "wall_clock"):
        since = datetime.fromisoformat(without_zone).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        yield struct.pack("<q", (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds)


def _base64(raw: bytes) -> Iterator[bytes]:
    """Yield what of a value is the same in base64, wherever in a text it begins."""
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + raw)
        inner = whole[4 if shift else 0 : -4].strip(b"=")
        if len(inner) >= _HEAD:
            yield inner
            yield inner.replace(b"+", b"-").replace(b"/", b"_")


def places(written: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return where a planted value is, in clear or in any other form, also inside of what is packed."""
    return [
        f"{place}: {value}"
        for place, content in written
        for part in _unpacked(content)
        for value in sorted(_values_in(part))
    ]


_HEAD, _BITS = 8, 20
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@cache
def _heads() -> tuple[Any, Mapping[bytes, list[tuple[bytes, str]]]]:
    """Return which hashes the first eight bytes of forms have, and the forms by these bytes."""
    forms: defaultdict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
    for value, each in needles().items():
        for form in each:
            forms[form[:_HEAD]].append((form, value))
    marked = np.zeros(1 << _BITS, dtype=bool)
    marked[_hashed(np.frombuffer(b"".join(forms), "<u8"))] = True
    return marked, forms


def _hashed(heads: Any) -> Any:
    return (heads * _SPREAD) >> np.uint64(64 - _BITS)


def _values_in(content: bytes) -> set[str]:
    """Return the values that have a form in the content; all are looked for in one pass."""
    marked, forms = _heads()
    seen = set()
    for shift in range(min(_HEAD, len(content) - _HEAD + 1)):
        heads = np.frombuffer(content, "<u8", (len(content) - shift) // _HEAD, shift)
        for number in np.flatnonzero(marked[_hashed(heads)]):
            at = shift + int(number) * _HEAD
            for form, value in forms.get(content[at : at + _HEAD], ()):
                if content.startswith(form, at):
                    seen.add(value)
    return seen


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
