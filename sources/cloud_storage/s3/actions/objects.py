"""Single objects of a bucket: look at one, write one, copy one, delete one, each with one request and its condition.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, and API_PutObject, API_CopyObject and
API_DeleteObject there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from leat.sources.cloud_storage.s3.api import Bucket, checked, fetcher
from leat.sources.cloud_storage.s3.pages import LATEST, MARKER, OLD_MARKER, OLDER, encode_key
from leat.sources.cloud_storage.s3.xml import root_of
from leat.sources.errors import Outdated, Unavailable, UnexpectedShape
from leat.sources.http.client import Answer

MARK = "leat-action"
"""The metadata in which an object has the id of the action that wrote it."""

_META = "x-amz-meta-"
_COPIED = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")
_PLAIN = {"Accept-Encoding": "identity"}
"""A server that compresses an answer says another length."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object as a server describes it.

    Attributes:
        etag: tag of its content, without quotes.
        size: bytes.
        version_id: its version; None where there is none that can be restored.
        headers: media type and metadata, as a request that writes them has them.
    """

    etag: str
    size: int
    version_id: str | None
    headers: Mapping[str, str]

    def made_by(self) -> str | None:
        """Return the id of the action that wrote it, if one did."""
        return self.headers.get(_META + MARK)

    def as_json(self) -> dict[str, Any]:
        """Return what a person compares."""
        return {"size": self.size, "etag": self.etag}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object, or its deletion."""

    version_id: str
    etag: str
    size: int
    is_marker: bool
    is_latest: bool
    modified: str


def look_at(bucket: Bucket, key: str, version_id: str | None = None) -> Object | None:
    """Return an object; None when there is none.

    Raises:
        IntegrationError: the server refuses.
    """
    ask = bucket.ask({"versionId": version_id} if version_id else {}, key)
    answer = bucket.client.send(replace(ask, method="HEAD", headers=_PLAIN))
    if answer.status == 404 or (answer.status == 405 and "x-amz-delete-marker" in answer.headers):
        return None
    if answer.status >= 400:  # why, only the body of another answer says
        why = bucket.client.send(replace(ask, headers={**_PLAIN, "Range": "bytes=0-0"}))
        checked(bucket.client, why, bucket.name, "s3:GetObject")
    checked(bucket.client, answer, bucket.name, "s3:GetObject")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    carried = {name: value for name, value in headers.items() if name in _COPIED or name.startswith(_META)}
    version = headers.get("x-amz-version-id")
    size = headers.get("content-length", "")
    if "etag" not in headers or not size.isdigit():
        got = "an object without ETag or Content-Length"
        raise UnexpectedShape(bucket.client.integration, answer.asked, got, "look at what is between here and it")
    return Object(headers["etag"].strip('"'), int(size), None if version == "null" else version, carried)


def read(bucket: Bucket, key: str, version_id: str | None = None) -> bytes:
    """Return the content of an object.

    Raises:
        NotFound: there is none.
        IntegrationError: the server refuses.
    """
    ask = bucket.ask({"versionId": version_id} if version_id else {}, key)
    answer = bucket.client.send(replace(ask, headers=_PLAIN))
    return checked(bucket.client, answer, bucket.name, "s3:GetObject") or b""


def versions(bucket: Bucket, key: str) -> list[Version]:
    """Return the versions and deletions of an object, the latest first; none where there is no versioning.

    Raises:
        IntegrationError: the server refuses.
    """
    fetch, encoded = fetcher(bucket, versions=True), encode_key(key.encode())
    after: dict[str, str] = {}
    listed: list[Version] = []
    while True:
        page = fetch({"prefix": key, **after})
        for line in page.lines:
            name, version, kind, etag, size, modified, *_ = line.split(b"\t")
            if name == encoded and kind in (LATEST, OLDER, MARKER, OLD_MARKER):
                is_marker, is_latest = kind in (MARKER, OLD_MARKER), kind in (LATEST, MARKER)
                parts = version.decode(), etag.decode(), int(size or 0)
                listed.append(Version(*parts, is_marker, is_latest, modified.decode()))
        if page.after is None or (listed and page.lines and page.lines[-1].partition(b"\t")[0] != encoded):
            return sorted(listed, key=lambda each: not each.is_latest)
        after = page.after


def is_versioned(bucket: Bucket) -> bool:
    """Return whether a bucket stores the versions of what is written and deleted.

    Raises:
        IntegrationError: the server refuses.
    """
    answer = bucket.client.send(bucket.ask({"versioning": ""}))
    body = checked(bucket.client, answer, bucket.name, "s3:GetBucketVersioning")
    if body is None:
        return False
    root = root_of(bucket.client, answer.asked, body, "VersioningConfiguration")
    return (root.findtext("Status") or "").lower() == "enabled"


def condition_of(there: Object | None) -> dict[str, Any]:
    """Return as JSON what has to be true of an object when it is changed: as it is now."""
    return {"etag": None if there is None else there.etag}


def check_condition(bucket: Bucket, key: str, precondition: Mapping[str, Any]) -> None:
    """Look whether an object still is as it was planned on.

    Raises:
        Outdated: it isn't.
    """
    there = look_at(bucket, key)
    if condition_of(there) != {"etag": precondition["etag"]}:
        got = "there is no object any more" if there is None else "somebody has changed or created the object"
        raise outdated(bucket, key, got)


def outdated(bucket: Bucket, key: str, got: str) -> Outdated:
    """Return the error for an object that isn't as planned."""
    asked = f"looking at {key} (bucket {bucket.name})"
    return Outdated(bucket.client.integration, asked, got, "plan it again")


def write(bucket: Bucket, key: str, content: bytes, headers: Mapping[str, str], etag: str | None) -> Answer:
    """Write an object where there is none, or only one with this ETag.

    Raises:
        Outdated: the condition doesn't hold.
        IntegrationError: the server refuses.
    """
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    sent = {**headers, **_condition(etag), "x-amz-checksum-sha256": checksum}
    ask = replace(bucket.ask({}, key), method="PUT", body=content, headers=sent, repeatable=False)
    answer = bucket.client.send(ask)
    _check_is_there(bucket, key, answer)
    checked(bucket.client, answer, bucket.name, "s3:PutObject")
    return answer


def copy(source: Bucket, key: str, what: Object, to: Bucket, to_key: str, mark: str, etag: str | None) -> Answer:
    """Copy an object, as it was seen, to where there is none, or only one with this ETag.

    Args:
        source: bucket of the object.
        key: its key.
        what: the object; its version is copied where it has one.
        to: bucket of the copy.
        to_key: key of the copy.
        mark: id of the action, which the copy gets as metadata.
        etag: ETag of what may be replaced; None for nothing.

    Raises:
        Outdated: the object or what is at the new place isn't as it was seen.
        IntegrationError: the server refuses.
    """
    path = quote(f"/{source.name}/{key}", safe="/-_.~") + (f"?versionId={what.version_id}" if what.version_id else "")
    headers = {
        **what.headers,
        **_condition(etag),
        _META + MARK: mark,
        "x-amz-copy-source": path,
        "x-amz-copy-source-if-match": f'"{what.etag}"',
        "x-amz-metadata-directive": "REPLACE",
    }
    answer = to.client.send(replace(to.ask({}, to_key), method="PUT", headers=headers, repeatable=False))
    _check_is_there(to, to_key, answer)
    body = checked(to.client, answer, to.name, "s3:PutObject, and s3:GetObject on what is copied,")
    if b"<Error>" in (body or b""):  # the copy failed after the status had been sent
        step = "try again later; if it stays, look at the server's log"
        raise Unavailable(to.client.integration, answer.asked, "the copy began and failed", step)
    return answer


def remove(bucket: Bucket, key: str, etag: str | None, version_id: str | None = None) -> Answer:
    """Delete an object that has this ETag, or a version for good.

    Raises:
        Outdated: it has another one, or is gone.
        IntegrationError: the server refuses.
    """
    headers = {"If-Match": f'"{etag}"'} if etag else {}
    ask = bucket.ask({"versionId": version_id} if version_id else {}, key)
    answer = bucket.client.send(replace(ask, method="DELETE", headers=headers, repeatable=False))
    _check_is_there(bucket, key, answer)
    checked(bucket.client, answer, bucket.name, "s3:DeleteObjectVersion" if version_id else "s3:DeleteObject")
    return answer


def marked(headers: Mapping[str, str], mark: str) -> dict[str, str]:
    """Return headers with the id of an action."""
    return {**headers, _META + MARK: mark}


def written(answer: Answer) -> dict[str, str | None]:
    """Return what a server says of an object that it has written: ETag and version."""
    etag = answer.headers.get("ETag") or ""
    if not etag and b"<ETag>" in answer.body:
        etag = answer.body.partition(b"<ETag>")[2].partition(b"</ETag>")[0].decode().replace("&#34;", '"')
        etag = etag.replace("&quot;", '"')
    return {"etag": etag.strip('"'), "version_id": answer.headers.get("x-amz-version-id")}


def _condition(etag: str | None) -> dict[str, str]:
    return {"If-None-Match": "*"} if etag is None else {"If-Match": f'"{etag}"'}


def _check_is_there(bucket: Bucket, key: str, answer: Answer) -> None:
    """Raise Outdated for an object that isn't there any more; some servers answer 404 instead of 412."""
    if answer.status == 404 and b"<Code>NoSuchKey</Code>" in answer.body:
        raise outdated(bucket, key, "there is no object any more")


def same_content(one: str, other: str) -> bool:
    """Return whether two ETags are those of one content; of an upload in parts, an ETag says nothing about it."""
    return one == other and "-" not in one
