"""Parameters of Content-Type and Content-Disposition (RFC 2045, RFC 2231), and the file names that they give.

Of several names the richer one counts: ``filename*`` before ``filename`` (RFC 6266, section 4.3), Content-Disposition
before Content-Type, unless the first can't be read or is the other one with its letters blotted out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from leat.sources.email.mime.charsets import codec_of, decode_loosely, decode_strictly
from leat.sources.email.mime.text import header_text
from leat.sources.email.mime.words import WORD

_PARAMETER = re.compile(r'\s*([^\s=;"()<>,]+)\s*=\s*("(?:[^"\\]|\\.)*+"|"?)', re.DOTALL)
_NUMBERED = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")
_ESCAPED = re.compile(r'\\(["\\])')
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BLANKS = re.compile(r"[\t\r\n ]+")
_FOLDERS = re.compile(r"[/\\]")
_LONGEST = 255


def parameters_of(value: str) -> list[tuple[str, str]]:
    """Return names, lower case, and values of a header's parameters, in order; what isn't one is left out."""
    result: list[tuple[str, str]] = []
    at = value.find(";") + 1
    while 0 < at < len(value):
        match = _PARAMETER.match(value, at)
        if match is None:
            at = value.find(";", at) + 1
            continue
        name, quoted = match[1].lower(), match[2]
        if len(quoted) > 1:
            result.append((name, _ESCAPED.sub(r"\1", quoted[1:-1])))
            end = match.end()
        else:
            end = _end_of_bare(value, match.end())
            result.append((name, value[match.end() : end].strip()))
        at = value.find(";", end) + 1
    return result


def _end_of_bare(value: str, at: int) -> int:
    """Return where a value without quotes ends: at the next semicolon that isn't in an encoded word."""
    while at < len(value) and value[at] != ";":
        word = WORD.match(value, at) if value.startswith("=?", at) else None
        at = word.end() if word else at + 1
    return at


def file_name(disposition: str | None, content_type: str | None) -> str | None:
    """Return the file name, without folders and control characters; None when there is none."""
    names = [
        name
        for value, parameter in ((disposition, "filename"), (content_type, "name"))
        for written in _names(parameters_of(value or ""), parameter)
        if (name := _cleaned(written))
    ]
    if not names:
        return None
    best = next((name for name in names if "\ufffd" not in name), names[0])
    return next((name for name in names if _is_blotted(best, name)), best)


def parameter_of(value: str | None, name: str) -> str | None:
    """Return a parameter's value, whichever way it is written; None when it isn't there or is empty."""
    return next((one for one in _names(parameters_of(value or ""), name) if one), None)


def _names(parameters: list[tuple[str, str]], wanted: str) -> Iterator[str]:
    """Yield a parameter's value: of its extended form, of its pieces, of its plain form; last what was damaged."""
    pieces: dict[int, tuple[str, bool]] = {}
    extended: list[str] = []
    plain: list[str] = []
    for name, value in parameters:
        match = _NUMBERED.fullmatch(name)
        if match is None or match[1] != wanted:
            continue
        if match[2] is not None:
            pieces.setdefault(int(match[2]), (value, bool(match[3])))
        else:
            (extended if match[3] else plain).append(value)
    joined = [_joined([(value, True)]) for value in extended]
    joined += [_joined([pieces[number] for number in sorted(pieces)])] if pieces else []
    yield from (text for text, whole in joined if whole)
    yield from map(header_text, plain)
    yield from (text for text, whole in joined if not whole)


def _joined(pieces: list[tuple[str, bool]]) -> tuple[str, bool]:
    """Return the text of pieces (RFC 2231, sections 3 and 4), and whether it is of the charset that the first names."""
    if not any(encoded for _, encoded in pieces):
        return header_text("".join(value for value, _ in pieces)), True
    first, encoded = pieces[0]
    charset, mark, rest = first.partition("'")
    if encoded and mark and "'" in rest:
        pieces = [(rest.partition("'")[2], True), *pieces[1:]]
    else:
        charset = "utf-8"
    raw = b"".join(_bytes_of(value, is_encoded) for value, is_encoded in pieces)
    codec = codec_of(charset or "utf-8")
    text = decode_strictly(raw, codec or "utf-8")
    return header_text(decode_loosely(raw, codec) if text is None else text), text is not None


def _bytes_of(value: str, is_encoded: bool) -> bytes:
    raw = value.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw) if is_encoded else raw


def _cleaned(written: str) -> str | None:
    """Return a name without folders and without what can't be seen."""
    text = _CONTROLS.sub("", _BLANKS.sub(" ", written))
    parts = [part.strip() for part in _FOLDERS.split(text)]
    return next((part[:_LONGEST] for part in reversed(parts) if part and part not in (".", "..")), None)


def _is_blotted(poor: str, rich: str) -> bool:
    """Return whether a name is another one in which letters are replaced, as for readers that know ASCII only."""
    if len(poor) != len(rich) or not poor.isascii() or rich.isascii():
        return False
    return all(one == other or one in "_?-" for one, other in zip(poor, rich, strict=True))
