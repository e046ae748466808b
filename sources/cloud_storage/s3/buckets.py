"""What a bucket says of itself: versioning, access list, policy, lifecycle rules, uploads in parts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from leat.sources.cloud_storage.grants import acl_grants, policy_grants
from leat.sources.cloud_storage.s3.api import ANSWERED, Bucket, checked
from leat.sources.cloud_storage.s3.xml import number_of, root_of, time_of, tree_of
from leat.sources.errors import UnexpectedShape
from leat.sources.http.client import Client, HttpRequest

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Row = Mapping[str, Any]

_REQUESTS = {
    "versioning": ("s3:GetBucketVersioning", None),
    "acl": ("s3:GetBucketAcl", {"buckets", "permissions", "shares"}),
    "policy": ("s3:GetBucketPolicy", {"buckets", "permissions", "shares"}),
    "lifecycle": ("s3:GetLifecycleConfiguration", {"lifecycle_rules"}),
}
"""What is asked of a bucket: the right that it takes, and the streams that need it (None: all)."""


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """What was read of a bucket.

    Attributes:
        row: of ``buckets``.
        versioned: whether versioning is on, or was.
        rows: of the other streams, by name.
    """

    row: Row
    versioned: bool
    rows: Mapping[str, Sequence[Row]]


def list_buckets(client: Client, path: str) -> list[Row]:
    """Return the buckets of the account, as rows.

    Raises:
        IntegrationError: they can't be listed.
    """
    body: bytes | None = b""
    result: list[Row] = []
    params: dict[str, str] = {}
    seen: set[str] = set()
    while True:
        answer = client.send(HttpRequest(path, params=params, accept=ANSWERED))
        body = checked(client, answer, None, "s3:ListAllMyBuckets")
        root = root_of(client, answer.asked, body or b"", "ListAllMyBucketsResult")
        for element in root.iter("Bucket"):
            if not element.findtext("Name"):
                got = "a bucket without a Name"
                raise UnexpectedShape(client.integration, answer.asked, got, "look at the server's log")
            created = time_of(element.findtext("CreationDate"))
            row = {"bucket": element.findtext("Name"), "created_at": created}
            result.append({**row, "region": element.findtext("BucketRegion"), "owner_id": root.findtext("Owner/ID")})
        token = root.findtext("ContinuationToken")
        if not token:
            return sorted(result, key=lambda row: str(row["bucket"]))
        if token in seen:
            got = "the listing goes round in circles"
            raise UnexpectedShape(client.integration, answer.asked, got, "look at the server's log")
        seen.add(token)
        params = {"continuation-token": token}


def read_bucket(bucket: Bucket, row: Row, streams: frozenset[str]) -> BucketSettings:
    """Return what a bucket says of itself.

    Raises:
        IntegrationError: it refuses, or is gone.
    """
    wanted = [name for name, (_, need) in _REQUESTS.items() if need is None or need & streams]
    answers = bucket.client.each([bucket.ask({name: ""}) for name in wanted])
    settings = {
        name: (answer.asked, checked(bucket.client, answer, bucket.name, _REQUESTS[name][0]))
        for name, answer in zip(wanted, answers, strict=True)
    }
    return _settings(bucket, row, settings, list(_uploads(bucket)) if "multipart_uploads" in streams else [])


def _settings(
    bucket: Bucket, row: Row, settings: Mapping[str, tuple[str, bytes | None]], uploads: list[Row]
) -> BucketSettings:
    def xml(name: str, root: str) -> Element | None:
        asked, body = settings.get(name, ("", None))
        return root_of(bucket.client, asked, body, root) if body else None

    status = xml("versioning", "VersioningConfiguration")
    versioning = ((status.findtext("Status") if status is not None else None) or "off").lower()
    acl, policy = xml("acl", "AccessControlPolicy"), parse_policy(bucket, settings.get("policy"))
    owner = acl.findtext("Owner/ID") if acl is not None else row.get("owner_id")
    grants = [*(acl_grants(bucket.name, acl) if acl is not None else ()), *policy_grants(bucket.name, policy, owner)]
    whole = {
        **row,
        "versioning": versioning,
        "owner_id": owner,
        "owner_name": acl.findtext("Owner/DisplayName") if acl is not None else None,
        "is_public": any(grant.share and grant.share["is_public"] for grant in grants),
        "policy": policy,
    }
    lifecycle = xml("lifecycle", "LifecycleConfiguration")
    rows = {
        "permissions": [grant.permission for grant in grants],
        "shares": [grant.share for grant in grants if grant.share],
        "lifecycle_rules": list(_rules(bucket.name, lifecycle)) if lifecycle is not None else [],
        "multipart_uploads": uploads,
    }
    return BucketSettings(whole, versioning != "off", rows)


def parse_policy(bucket: Bucket, settings: tuple[str, bytes | None] | None) -> Mapping[str, Any] | None:
    """Return a bucket's policy, given what was asked and what came; None when there is none.

    Raises:
        UnexpectedShape: it is no JSON object.
    """
    if settings is None or not settings[1]:
        return None
    try:
        policy = json.loads(settings[1])
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        got = "a bucket policy that is no JSON object"
        raise UnexpectedShape(bucket.client.integration, settings[0], got, "look at the bucket's policy")
    return policy


def _rules(bucket: str, root: Element) -> Iterator[Row]:
    for number, rule in enumerate(root.iter("Rule")):
        prefix = rule.findtext("Filter/Prefix") or rule.findtext("Filter/And/Prefix") or rule.findtext("Prefix")
        yield {
            "bucket": bucket,
            "rule_id": rule.findtext("ID") or str(number),
            "status": rule.findtext("Status"),
            "prefix": prefix or "",
            "expiration_days": number_of(rule.findtext("Expiration/Days")),
            "noncurrent_days": number_of(rule.findtext("NoncurrentVersionExpiration/NoncurrentDays")),
            "abort_multipart_days": number_of(rule.findtext("AbortIncompleteMultipartUpload/DaysAfterInitiation")),
            "rule": tree_of(rule),
        }


def _uploads(bucket: Bucket) -> Iterator[Row]:
    after: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while True:
        answer = bucket.client.send(bucket.ask({"uploads": "", "encoding-type": "url", **after}))
        body = checked(bucket.client, answer, bucket.name, "s3:ListBucketMultipartUploads")
        if body is None:
            return
        root = root_of(bucket.client, answer.asked, body, "ListMultipartUploadsResult")
        encoded = root.findtext("EncodingType") == "url"
        for upload in root.iter("Upload"):
            key = upload.findtext("Key") or ""
            yield {
                "bucket": bucket.name,
                "key": unquote_plus(key) if encoded else key,
                "upload_id": upload.findtext("UploadId"),
                "initiated_at": time_of(upload.findtext("Initiated")),
                "storage_class": upload.findtext("StorageClass"),
                "owner_id": upload.findtext("Owner/ID"),
                "initiator_id": upload.findtext("Initiator/ID"),
            }
        if (root.findtext("IsTruncated") or "").strip().lower() != "true":
            return
        key, upload_id = root.findtext("NextKeyMarker") or "", root.findtext("NextUploadIdMarker") or ""
        if (key, upload_id) in seen:
            got = "the listing goes round in circles"
            raise UnexpectedShape(bucket.client.integration, answer.asked, got, "look at the server's log")
        seen.add((key, upload_id))
        after = {"key-marker": unquote_plus(key) if encoded else key, "upload-id-marker": upload_id}
