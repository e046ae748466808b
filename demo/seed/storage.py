"""The demo company's storage: its files and their versions, who may read them, backups and a report of their test.

The bucket ``company`` is versioned, ``archive`` isn't. A server sets the times of objects itself: all are as old as
the seeding. The last object that is written marks the seeding as complete.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from leat.demo.story import File, Story
from leat.demo.story.files import ARCHIVE, BUCKET, PUBLIC, RESTORE_TESTS, STRANGER
from leat.sources.http.sigv4 import Keys, SigV4

if TYPE_CHECKING:
    import requests

REPORTS = "restore-tests/"
_TIMEOUT = 30
_XMLNS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def seed_storage(url: str, access_key: str, secret_key: str, story: Story) -> bool:
    """Write the files of the story to an S3 server; returns whether there was anything to do.

    Args:
        url: address of the server.
        access_key: of an account that may do everything.
        secret_key: its secret.
        story: the files, quotas and backups.

    Raises:
        RuntimeError: the server refused something.
    """
    import requests

    with requests.Session() as session:
        session.auth = SigV4(Keys(access_key, secret_key), "us-east-1")
        base = url.rstrip("/")
        reports = dict(_reports(story))
        last = f"{base}/{BUCKET}/{list(reports)[-1]}"
        if session.head(last, timeout=_TIMEOUT).ok:
            return False
        for bucket in (BUCKET, ARCHIVE):
            _must(session.put(f"{base}/{bucket}", timeout=_TIMEOUT), 409)
        versioning = f"<VersioningConfiguration {_XMLNS}><Status>Enabled</Status></VersioningConfiguration>"
        _must(session.put(f"{base}/{BUCKET}", params={"versioning": ""}, data=versioning, timeout=_TIMEOUT))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda file: _write(session, base, file), story.files))
        _must(session.post(f"{base}/{BUCKET}/designs/film.mov", params={"uploads": ""}, timeout=_TIMEOUT))
        policy = json.dumps(_policy())
        _must(session.put(f"{base}/{BUCKET}", params={"policy": ""}, data=policy, timeout=_TIMEOUT))
        _must(session.put(f"{base}/{ARCHIVE}", params={"lifecycle": ""}, data=_lifecycle(), timeout=_TIMEOUT))
        for key, content in reports.items():
            _must(session.put(f"{base}/{BUCKET}/{key}", data=content, timeout=_TIMEOUT))
    return True


def _write(session: requests.Session, base: str, file: File) -> None:
    address = f"{base}/{file.bucket}/{quote(file.key)}"
    for version in range(1, file.versions + 1):
        content = (f"{file.key} {version}\n".encode() * (file.size // 8 + 1))[: file.size]
        _must(session.put(address, data=content, timeout=_TIMEOUT))
    if file.deleted:
        _must(session.delete(address, timeout=_TIMEOUT))


def _policy() -> dict[str, Any]:
    def allow(name: str, principal: object, prefix: str) -> dict[str, object]:
        resource = f"arn:aws:s3:::{BUCKET}/{prefix}*"
        who = {"Sid": name, "Effect": "Allow", "Principal": principal}
        return {**who, "Action": "s3:GetObject", "Resource": resource}

    statements = [allow("Press", "*", PUBLIC), allow("Partner", {"AWS": STRANGER}, "sales/")]
    return {"Version": "2012-10-17", "Statement": statements}


def _lifecycle() -> str:
    rule = "<ID>ten-years</ID><Status>Enabled</Status><Filter><Prefix>2019/</Prefix></Filter>"
    expiration = "<Expiration><Days>3650</Days></Expiration>"
    return f"<LifecycleConfiguration {_XMLNS}><Rule>{rule}{expiration}</Rule></LifecycleConfiguration>"


def _reports(story: Story) -> list[tuple[str, bytes]]:
    result = []
    for backup, days_ago, worked in RESTORE_TESTS:
        at = story.at(days_ago)
        report = {
            "backup": backup,
            "tested_at": at.isoformat(),
            "ok": worked,
            "tested_by_email": "dan.rossi@demo.example",
        }
        result.append((f"{REPORTS}{backup}-{at:%Y-%m-%d}.json", json.dumps(report).encode()))
    return result


def _must(response: requests.Response, *also: int) -> None:
    if not response.ok and response.status_code not in also:
        request = response.request
        msg = f"{request.method} {request.path_url}: HTTP {response.status_code} {response.text[:200]}"
        raise RuntimeError(msg)
