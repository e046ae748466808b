"""Odd values that systems really send: by type, as text, and as JSON documents. Each has a name for a test's id.

Whatever is done with one of them, the records next to it are loaded, and no reason, log or message holds the value. A
value of :data:`REFUSED` can't be in a column of its type; one of :data:`TAKEN` can, and is what is next to it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

MARK = "s3cret-of-the-record"
"""Part of an odd text, to look for where no value may be."""

REFUSED: dict[str, dict[str, bytes]] = {
    "integer": {
        "5000 digits": b"9" * 5000,
        "more than 64 bits": b"9223372036854775808",
        "a fraction": b"5.5",
        "a huge exponent": b"1e400",
        "an exponent of 30 digits": b"1e" + b"9" * 30,
        "text": b'"%s"' % MARK.encode(),
        "digits as text": b'"5"',
        "true": b"true",
        "an object": b'{"%s": 1}' % MARK.encode(),
        "NaN": b"NaN",
        "a leading zero": b"007",
    },
    "float": {
        "beyond a double": b"1e400",
        "400 digits": b"1" + b"0" * 400,
        "NaN": b"NaN",
        "an infinity": b"-Infinity",
        "text": b'"1.5"',
        "a list": b"[1.5]",
    },
    "boolean": {"a number": b"1", "text": b'"true"', "a list": b"[true]"},
    "string": {
        "a number": b"5",
        "an object": b'{"a":"%s"}' % MARK.encode(),
        "17 MB": b'"%s"' % (MARK.encode() * 900_000),
        "no UTF-8": b'"%s\xff\xfe"' % MARK.encode(),
        "no end of an escape": b'"\\u00"',
    },
    "timestamp": {
        "year 1 in a zone": b'"0001-01-01T00:00:00+01:00"',
        "year 9999 in a zone": b'"9999-12-31T23:59:59-10:00"',
        "year 0": b'"0000-01-01T00:00:00Z"',
        "year 10000": b'"10000-01-01T00:00:00Z"',
        "no zone": b'"2026-03-01T10:00:00"',
        "the 30th of February": b'"2026-02-30T10:00:00Z"',
        "words": b'"%s"' % MARK.encode(),
        "a number": b"1772000000",
        "empty": b'""',
    },
    "datetime": {"a zone": b'"2026-03-01T10:00:00Z"', "year 0": b'"0000-01-01T00:00:00"', "a number": b"20260301"},
    "date": {"year 0": b'"0000-01-01"', "the 30th of February": b'"2026-02-30"', "a year alone": b'"2026"'},
    "decimal(10,2)": {
        "a third decimal": b"0.125",
        "too many digits": b"123456789.00",
        "5000 digits": b"9" * 5000,
        "an exponent of 30 digits": b"1e" + b"9" * 30,
        "words": b'"%s"' % MARK.encode(),
        "true": b"true",
        "NaN as text": b'"NaN"',
    },
    "json": {
        "20,000 levels": b"[" * 20_000 + b"]" * 20_000,
        "600 levels": b"[" * 600 + b"]" * 600,
        "beyond every number": b'{"a":1e200000}',
        "NaN inside": b'{"%s":NaN}' % MARK.encode(),
        "17 MB": b'["%s"]' % (MARK.encode() * 900_000),
        "no UTF-8": b'["\xff"]',
    },
}
"""By type, JSON that no column of it holds."""

TAKEN: dict[str, dict[str, tuple[bytes, Any]]] = {
    "integer": {
        "a whole number with a point": (b"5.0", 5),
        "a whole number with an exponent": (b"12e2", 1200),
        "the least": (b"-9223372036854775808", -(2**63)),
        "minus zero": (b"-0", 0),
    },
    "float": {"a tiny one": (b"1e-400", 0.0), "an integer": (b"7", 7.0), "many digits": (b"0.1" + b"0" * 400, 0.1)},
    "string": {
        "NUL": (b'"a\\u0000b"', "a\ufffdb"),
        "half of a surrogate pair": (b'"\\ud800!"', "\ufffd!"),
        "the other half": (b'"\\udc00"', "\ufffd"),
        "a pair": (b'"\\ud83d\\ude00"', "\U0001f600"),
        "an escaped backslash before": (b'"\\\\u0000"', "\\u0000"),
        "a line break": (b'"a\nb"', "a\nb"),
        "quotes and brackets": (b'"\\"]},{["', '"]},{['),
        "empty": (b'""', ""),
    },
    "timestamp": {
        "nanoseconds": (b'"2026-03-01T10:00:00.123456789Z"', datetime(2026, 3, 1, 10, 0, 0, 123456, UTC)),
        "a zone of seconds": (b'"1900-01-01T00:00:00+00:19:32"', datetime(1899, 12, 31, 23, 40, 28, tzinfo=UTC)),
        "the last": (b'"9999-12-31T23:59:59.999999Z"', datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
    },
    "date": {"the first": (b'"0001-01-01"', date(1, 1, 1))},
    "json": {
        "many digits": (
            b"[0.12345678901234567890, 1234567890123456.780]",
            "[0.12345678901234567890,1234567890123456.780]",
        ),
        "NUL in a name": (b'{"a\\u0000": 1}', '{"a\\ufffd":1}'),
        "100 levels": (b"[" * 100 + b"]" * 100, "[" * 100 + "]" * 100),
    },
}
"""By type, JSON that a column of it holds, and what it holds then."""

RECORDS: dict[str, bytes] = {
    "a number": b"5",
    "text": b'"%s"' % MARK.encode(),
    "null": b"null",
    "a list": b"[1, 2]",
    "NaN": b"NaN",
    "two fields of one name": b'{"id": 1, "id": 2}',
    "no key": b'{"note": "%s"}' % MARK.encode(),
    "no key either": b'{"note": 2}',
    "no UTF-8": b'{"id": 8, "note": "\xff"}',
    "a name that is no UTF-8": b'{"id": 9, "\xff": 1}',
    "20,000 levels": b'{"id": 10, "note": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "NaN in a field": b'{"id": 11, "note": NaN}',
    "17 MB": b'{"id": 12, "note": "%s"}' % (MARK.encode() * 900_000),
}
"""JSON of records that can't become a row, or that are none."""

TEXTS: dict[str, str] = {
    "NUL": "a\x00b",
    "half of a surrogate pair": "\ud800",
    "no character": "\ufffe",
    "emoji": "\U0001f600",
    "from right to left": "\u202eabc",
    "control characters": "\x01\x1b[31m\x7f",
    "markup": "[/red][bold]",
    "formula": "=1+1",
    "quotes": "'\"`; --",
    "blanks": " \t\r\n\u00a0\u2028",
    "empty": "",
}
"""Odd texts for a field of text."""
