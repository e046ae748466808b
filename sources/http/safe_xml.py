"""XML from outside: parsed without document types, thus without entities, and with a limit of depth."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from leat.limits import XML_DEPTH as MAX_DEPTH

PREFIXES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "S": "http://calendarserver.org/ns/",
    "I": "http://apple.com/ns/ical/",
    "O": "http://owncloud.org/ns",
    "R": "http://radicale.org/ns/",
}
XMLNS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())


def clark(name: str) -> str:
    """Return ``{DAV:}href`` for ``D:href``."""
    prefix, _, local = name.partition(":")
    return f"{{{PREFIXES[prefix]}}}{local}"


def parse_xml(body: bytes) -> Any:
    """Return the root element of an XML document without a document type, at most 64 levels deep.

    Raises:
        ValueError: it isn't such a document.
    """
    from xml.etree.ElementTree import TreeBuilder

    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def refuse(*_args: object) -> None:
        msg = "it has a document type"
        raise ValueError(msg)

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            msg = f"more than {MAX_DEPTH} levels deep"
            raise ValueError(msg)
        builder.start(_named(name), attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(name))

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        msg = f"not XML ({error})"
        raise ValueError(msg) from None
    return builder.close()


def _named(name: str) -> str:
    return "{" + name if "}" in name else name
