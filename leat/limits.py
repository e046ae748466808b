"""How much of anything from outside leat takes: every limit on files, answers and formats, in one place.

Each is tested with a hostile input in ``tests/security/test_limits.py``, which ends in an error that says what was too
much, or in the quarantine, with bounded memory. ``docs/security/threat-model.md`` lists them.
"""

from __future__ import annotations

from typing import Final

MIB: Final = 2**20

# HTTP, as a client
HTTP_ANSWER_BYTES: Final = 128 * MIB
"""Of a body, decompressed; a reader of pages sets a lower limit of its own where it can."""
HTTP_HEAD_BYTES: Final = 2**18
"""Of status line and headers, with what the same reads brought of the body."""
HTTP_REDIRECTS: Final = 3

# HTTP, as a server
REQUEST_BODY_BYTES: Final = 1_000_000
REQUEST_BODY_SECONDS: Final = 20.0
CONNECTIONS: Final = 1000

# XML and JSON
XML_DEPTH: Final = 64
FIELD_BYTES: Final = 16 * MIB
"""The largest text or JSON of one field, in bytes of UTF-8."""
JSON_DEPTH: Final = 500
"""How deeply arrays and objects may be nested: Python's parser ends at about 1,000, Postgres' at about 6,000."""
JSON_DIGITS: Final = 1000
"""How many digits a number in JSON may have behind the point; Postgres takes 16,383."""

# YAML and SQL that a project declares
DECLARATION_BYTES: Final = 1_000_000
DECLARATION_DEPTH: Final = 50

# Calendars
ICS_DEPTH: Final = 8
ICS_OCCURRENCES: Final = 20_000
"""How many occurrences of one series, by all of its rules together, are expanded."""
ICS_WORK: Final = 800_000
"""Days, periods and candidates that are looked at for one series; takes about a second."""
ICS_FILE_WORK: Final = 20_000_000
"""The same for all series of a file, where each occurrence counts as a hundred."""
ICS_ZONES: Final = 100
"""Zones that a file may define itself."""
ICS_ZONE_WORK: Final = 4_000_000
"""Days that are looked at for one of them; all of a file may take as much as its series."""
ICS_ZONE_CHANGES: Final = 5_000
ICS_ZONE_PARTS: Final = 100

# Mail
MIME_DEPTH: Final = 50
MIME_CHILDREN: Final = 1_000
"""Parts of one multipart that are read."""
MIME_PARTS: Final = 10_000
"""How many parts of a message are looked at, of all levels together."""
MIME_HEAD_LINES: Final = 20_000

# Logs of other programs, which may be packed by gzip
LOG_LINE_BYTES: Final = 64 * 2**10
LOG_READ_BYTES: Final = 64 * MIB
"""Bytes that one run reads at most, unpacked; the next one goes on from there."""

# git
GIT_REFS: Final = 5_000
"""Refs that a command line holds."""
