"""A complete listing of a WebDAV server, folder by folder with requests in flight, as lines like those of S3.

``Depth: infinity`` is what many servers refuse (RFC 4918, 9.1), so each folder is asked for its members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from leat.sources.cloud_storage.s3.pages import OBJECT, encode_key
from leat.sources.cloud_storage.sorted_lines import Listing, Pieces, merge_pieces
from leat.sources.cloud_storage.tables import REFUSED
from leat.sources.errors import UnexpectedShape
from leat.sources.http.address import moves
from leat.sources.http.client import Client, HttpRequest
from leat.sources.http.multistatus import Multistatus, Resource, parse_multistatus, propfind_body
from leat.sources.http.safe_xml import clark

PROPERTIES = ("D:resourcetype", "D:getetag", "D:getcontentlength", "D:getlastmodified", "D:owner")
_AT_A_TIME = 1_000
_STEP = b"a part of the folder's name is a step, so that no address leads to it"


def ask(path: str, names: tuple[str, ...], depth: str) -> HttpRequest:
    """Return a request for properties."""
    headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
    return HttpRequest(path, method="PROPFIND", headers=headers, body=propfind_body(names), template="/{folder}/")


def propfind(client: Client, path: str, names: tuple[str, ...], depth: str) -> Multistatus:
    """Ask for properties of a resource, and with depth ``1`` of its members.

    Raises:
        IntegrationError: the server refuses, or its answer isn't one of WebDAV.
    """
    answer = client.send(ask(path, names, depth))
    return parsed(client, path, answer.status, answer.body)


def parsed(client: Client, path: str, status: int, body: bytes) -> Multistatus:
    """Return what an answer holds.

    Raises:
        UnexpectedShape: it isn't one of WebDAV.
    """
    try:
        return parse_multistatus(client.url, status, body)
    except ValueError as error:
        got, advice = f"no answer of WebDAV: {error}", "check that connection.url is a WebDAV address"
        raise UnexpectedShape(client.integration, f"PROPFIND {path}", got, advice) from None


def list_folder(client: Client, root: str, folder: Path, target: Path, progress: Callable[[int], None]) -> Listing:
    """List every file beneath a path into one sorted file; folders are held in memory, files are not.

    Raises:
        IntegrationError: a folder can't be listed.
    """
    pieces = Pieces(folder, "piece-0")
    level, seen = [root], {_name(root)}
    while level:
        following: list[str] = []
        for start in range(0, len(level), _AT_A_TIME):
            part = level[start : start + _AT_A_TIME]
            answers = client.each(ask(path, PROPERTIES, "1") for path in part)
            for path, answer in zip(part, answers, strict=True):
                members = parsed(client, path, answer.status, answer.body).resources
                if not members:
                    got = "an answer about nothing, not even the folder"
                    raise UnexpectedShape(client.integration, f"PROPFIND {path}", got, "look at the server's log")
                lines = [line for member in members if (line := _line(client, root, path, member))]
                pieces.add(lines)
                progress(len(lines))
                for inner in _folders(path, members):
                    if _name(inner) not in seen:  # a server may list a folder as a member of itself
                        seen.add(_name(inner))
                        following.append(inner)
        level = following
    pieces.flush()
    return replace(merge_pieces(pieces.done, target), because=f"an answer for each of {len(seen)} folders")


def _folders(path: str, members: tuple[Resource, ...]) -> Iterator[str]:
    for member in members:
        if is_folder(member) and _name(member.path).startswith(_name(path)) and not _is_odd(path, member):
            yield member.path if member.path.endswith("/") else member.path + "/"


def _is_odd(path: str, member: Resource) -> bool:
    """Return whether a folder can't be asked for: a part of its name beneath another is a step, or nothing."""
    return any(moves(part) for part in member.path.rstrip("/").split("/")[path.rstrip("/").count("/") + 1 :])


def is_folder(resource: Resource) -> bool:
    """Return whether a resource is a collection."""
    kinds = resource.properties.get(clark("D:resourcetype"))
    return kinds is not None and kinds.find(clark("D:collection")) is not None


def _line(client: Client, root: str, path: str, member: Resource) -> bytes | None:
    """Return the line of a file, or of a folder that can't be asked for, which is to be quarantined; None for others.

    Raises:
        UnexpectedShape: a member can't be read, or isn't beneath the folder: it may be a folder, with files in it.
    """
    if is_folder(member) and not _is_odd(path, member):
        return None
    key, above = _name(member.path), _name(root)
    if member.status != 200 or not key.startswith(above):
        got = f"status {member.status} for {urlsplit(member.path).path!r}"
        raise UnexpectedShape(client.integration, f"PROPFIND {path}", got, "look at the server's log")
    if is_folder(member):
        return b"\t".join((encode_key(key[len(above) :]), b"", OBJECT, b"", REFUSED + _STEP, b"", b"", b"", b""))
    etag = (member.text("D:getetag") or "").removeprefix("W/").strip('"')
    owner = member.properties.get(clark("D:owner"))
    who = " ".join("".join(owner.itertext()).split()) if owner is not None else ""
    values = (etag, member.text("D:getcontentlength") or "", _time(member.text("D:getlastmodified")), "", who, "")
    rest = (" ".join(value.split()).encode() for value in values)
    return b"\t".join((encode_key(key[len(above) :]), b"", OBJECT, *rest))


def _name(path: str) -> bytes:
    """Return a path without percent-encoding: servers differ in what they encode."""
    return unquote_to_bytes(path)


def _time(text: str | None) -> str:
    """Return an HTTP date (RFC 9110, 5.6.7) as ISO 8601; what isn't one, as it is, to be quarantined."""
    try:
        time = parsedate_to_datetime(text or "")
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except Exception:  # the parser has raised nearly anything in its time
        return text or ""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
