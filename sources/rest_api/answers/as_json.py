"""Answers that are no JSON, as JSON: CSV (RFC 4180), NDJSON, XML; then they are cut and paged like any other.

Every value of CSV and XML is text, so that columns of other types read it as with ``convert``. An empty cell is null.
In XML an attribute ``id`` is ``@id``, the text of an element that also has attributes or children is ``#text``, an
element that is there several times is a list; namespaces are left out.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from leat.limits import FIELD_BYTES as MAX_FIELD_BYTES
from leat.sources import json_raw as raw
from leat.sources.rest_api.declaration.formats import Csv, Json, NdJson, Xml

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


def as_json(declared: Json | NdJson | Csv | Xml, body: bytes, media_type: str = "") -> bytes:
    """Return an answer as JSON in UTF-8.

    Raises:
        ValueError: it isn't of the format.
    """
    if isinstance(declared, NdJson):
        return b"[%s]" % b",".join(_lines(_utf8(body, media_type)))
    if isinstance(declared, Csv):
        return b"[%s]" % b",".join(_rows(declared, body))
    if isinstance(declared, Xml):
        from leat.sources.http.safe_xml import parse_xml

        root = parse_xml(body)
        return json.dumps({_local(root.tag): _element(root)}, ensure_ascii=False).encode()
    return _utf8(body, media_type)


def _utf8(body: bytes, media_type: str) -> bytes:
    """Return JSON in UTF-8: what isn't, is in the encoding that its first bytes show, or that the media type names."""
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        return body.decode(encoding).encode()
    named = _CHARSET.search(media_type)
    if named is not None and not _is_utf8(body):
        with contextlib.suppress(LookupError):
            return body.decode(named[1]).encode()
    return body


def _is_utf8(body: bytes) -> bool:
    try:
        return body.isascii() or body.decode() is not None
    except UnicodeDecodeError:
        return False


def _lines(body: bytes) -> Iterator[bytes]:
    """Yield the lines that say something; one that would upset its neighbours becomes text, which is no record."""
    for line in body.removeprefix(b"\xef\xbb\xbf").replace(b"\x1e", b"").split(b"\n"):
        text = line.strip()
        if text:
            try:
                yield text if raw.items(b"[%s]" % text) == [text] else _as_text(text)
            except ValueError:
                yield _as_text(text)


def _as_text(line: bytes) -> bytes:
    return json.dumps(line.decode("utf-8", "backslashreplace")).encode()


def _rows(declared: Csv, body: bytes) -> Iterator[bytes]:
    """Yield the lines as objects; one of another length or encoding as a list, which is no record."""
    encoding = "utf-8-sig" if declared.encoding.lower() in ("utf-8", "utf8") else declared.encoding
    csv.field_size_limit(MAX_FIELD_BYTES * 2)  # a larger one is no CSV
    text = io.StringIO(body.decode(encoding, "surrogateescape"), newline="")
    try:
        lines = csv.reader(text, delimiter=declared.delimiter, strict=True)
        names = list(declared.header) or [name.strip() for name in next(lines, [])]
        if not names or len(set(names)) != len(names):
            msg = "the first line has to be the names, each once"
            raise ValueError(msg)
        for cells in filter(None, lines):
            fits = len(cells) == len(names) and _encodes(cells)
            yield json.dumps(
                dict(zip(names, (cell or None for cell in cells), strict=True)) if fits else cells
            ).encode()
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _encodes(cells: list[str]) -> bool:
    """Return whether all bytes were text in the declared encoding."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _element(element: Any) -> Any:
    result: dict[str, Any] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    texts = [element.text, *(child.tail for child in element)]
    for child in element:
        name, value = _local(child.tag), _element(child)
        if name not in result:
            result[name] = value
        elif isinstance(result[name], _Several):
            result[name].append(value)
        else:
            result[name] = _Several([result[name], value])
    text = "".join(piece for piece in texts if piece and piece.strip())
    if not result:
        return text or None
    return {**result, "#text": text} if text else result


class _Several(list[Any]):
    """Elements of one name: a list, which no element itself is."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]
