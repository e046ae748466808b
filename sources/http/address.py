"""Where a URL leads: its origin as it is sent, how links and paths become URLs, and which addresses are public.

A URL is taken apart by the parser that also sends it (urllib3's): another one may see another host in the same text.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

Origin = tuple[str, str, int]
"""Scheme, host and port: who gets credentials."""

Address = tuple[int, tuple[Any, ...]]
"""An address family and what :meth:`socket.socket.connect` takes of it."""

_PORTS = {"http": 80, "https": 443}
_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//")
_ODD = re.compile(r"[\\\s\x00-\x20\x7f-\x9f\ufeff]")
_PLACEHOLDER = re.compile(r"\{\w+\}")


def origin(url: str) -> Origin:
    """Return scheme, host and port of a URL.

    Raises:
        ValueError: it is no http(s) URL, has credentials in it, or two parsers read it differently.
    """
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        sent, seen = parse_url(url), urlsplit(url)
        scheme, host = (sent.scheme or "").lower(), (sent.host or "").strip("[]")
        port = sent.port or _PORTS.get(scheme)
        other = (seen.scheme.lower(), seen.hostname, seen.port or _PORTS.get(scheme))
    except (LocationParseError, ValueError):
        msg = "it is no URL"
        raise ValueError(msg) from None
    if scheme not in _PORTS or not host or port is None:
        msg = "it is no http(s) URL"
        raise ValueError(msg)
    if sent.auth is not None or "@" in seen.netloc:
        msg = "it has credentials in it"
        raise ValueError(msg)
    if other not in {(scheme, host, port), (scheme, host.encode().decode("idna") if "xn--" in host else host, port)}:
        msg = "its host can be read in two ways"
        raise ValueError(msg)
    return scheme, host, port


def url_problem(url: object) -> str | None:
    """Return what is wrong with the declared URL of an API; None if nothing is, or if it is named elsewhere."""
    if not isinstance(url, str):
        return None
    try:
        origin(url)
    except ValueError as error:
        return f"{error}; write https://host/path, without credentials"
    return None


def shown_path(url: str) -> str:
    """Return the path of a URL, for errors; nothing of one that can't be read."""
    try:
        return urlsplit(url).path
    except ValueError:
        return "a URL that can't be read"


def is_absolute(path: str) -> bool:
    """Return whether a path is a URL of its own, or names a host."""
    return _ABSOLUTE.match(path) is not None


def below(base: str, path: str) -> str:
    """Return the URL of a path: relative to ``base``, or from the root where it begins with a slash.

    A colon in its first segment, as in ``items:search``, is no scheme, and no segment gets lost.
    """
    parts = urlsplit(base)
    if is_absolute(path):
        return f"{parts.scheme}:{path}" if path.startswith("//") else path
    root = f"{parts.scheme}://{parts.netloc}"
    if path.startswith("/"):
        return root + path
    if path.startswith("?") or not path:
        return f"{root}{parts.path or '/'}{path}"
    return f"{root}{parts.path.rpartition('/')[0]}/{path}"


def follow(base: str, link: str) -> str:
    r"""Return the URL of a link that a server gave (RFC 3986, 5.2).

    Raises:
        ValueError: it holds what no URL holds (``\``, blanks, control characters), or credentials.
    """
    if _ODD.search(link):
        msg = "it holds a backslash, a blank or a control character"
        raise ValueError(msg)
    url = urljoin(base, link)
    origin(url)
    return url


def fits(template: str, sent: str) -> bool:
    """Return whether a URL that is sent has the segments of a template, whose ``{names}`` are placeholders.

    No value may be a segment that moves up or vanishes, whatever decodes it on the way.
    """
    wanted, segments = _segments(template), urlsplit(sent).path.split("/")
    if len(wanted) != len(segments):
        return False
    return all(_is_like(part, segment) for part, segment in zip(wanted, segments, strict=True))


def _segments(url: str) -> list[str]:
    """Return the segments of a path without those that are only steps (RFC 3986, 5.2.4)."""
    parts: list[str] = []
    given = urlsplit(url).path.split("/")
    for part in given:
        if part == ".." and len(parts) > 1:
            parts.pop()
        elif part not in (".", ".."):
            parts.append(part)
    return [*parts, ""] if given[-1] in (".", "..") else parts


def _is_like(part: str, segment: str) -> bool:
    if not _PLACEHOLDER.search(part):
        return unquote(part) == unquote(segment)
    pattern = ".+".join(re.escape(unquote(text)) for text in _PLACEHOLDER.split(part))
    return re.fullmatch(pattern, unquote(segment), re.DOTALL) is not None and not moves(segment)


def moves(segment: str) -> bool:
    """Return whether a segment of a path is none, or is a step up or to itself for somebody who decodes it.

    It may be encoded several times, and have parameters behind a semicolon. Slashes in it stay encoded: it is one.
    """
    before, text = "", segment
    while text != before:
        before, text = text, unquote(text)
    return not text or text.partition(";")[0].strip() in (".", "..")


def look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a host.

    Raises:
        OSError: the name has none.
    """
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is empty or too long
        msg = "no host can have this name"
        raise OSError(msg) from None
    return list(dict.fromkeys((int(entry[0]), entry[4]) for entry in answers))


def is_public(address: str) -> bool:
    """Return whether an IP address is a public one, and leads to no other inside of it (RFC 4291, 3056, 6052)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inside or ip
    return ip.is_global and not ip.is_multicast
