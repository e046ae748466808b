"""AWS Signature Version 4 for requests to S3 without a body or with a small one.

It is our own because ``botocore.auth`` takes as long to import as the rest of a run that finds nothing new.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

if TYPE_CHECKING:
    import requests

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials: an access key, its secret, and the token of a session when they are temporary."""

    access_key: str
    secret_key: str
    session_token: str | None = None


def signer(
    keys: Keys, region: str, clock: Callable[[], datetime] | None = None
) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return an ``auth`` for :mod:`requests` that signs each request at the moment it is sent."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        now = clock() if clock else datetime.now(UTC)
        headers = signed_headers(request.method or "GET", request.url or "", content, keys, region, now)
        request.headers.update(headers)
        return request

    return sign


def signed_headers(method: str, url: str, body: bytes, keys: Keys, region: str, now: datetime) -> dict[str, str]:
    """Return the headers that a request needs to be accepted, ``Authorization`` among them."""
    parts = urlsplit(url)
    digest = hashlib.sha256(body).hexdigest()
    signed = {"host": _host(url), "x-amz-content-sha256": digest, "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
    if keys.session_token:
        signed["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(signed))
    query = sorted((_quoted(name), _quoted(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True))
    canonical = "\n".join(
        [
            method,
            quote(unquote(parts.path or "/"), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            digest,
        ]
    )
    scope = f"{now:%Y%m%d}/{region}/s3/aws4_request"
    text = "\n".join([_ALGORITHM, signed["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    del signed["host"]  # requests writes it
    credential = f"Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "Authorization": f"{_ALGORITHM} {credential}"}


def _host(url: str) -> str:
    """Return the Host header as HTTP clients write it: without the port that the scheme implies."""
    parts = urlsplit(url)
    implied = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    return host if parts.port in (None, implied) else f"{host}:{parts.port}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")
