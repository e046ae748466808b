"""AWS Signature Version 4, for requests to S3 and to any other service of AWS or of its kind.

It is our own because ``botocore.auth`` takes as long to import as the rest of a run that finds nothing new.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlsplit

from leat.sources.http.credentials import digest

if TYPE_CHECKING:
    import requests

_ALGORITHM = "AWS4-HMAC-SHA256"
_HASH_IN_HEADER = frozenset({"s3", "s3express", "aoss", "glacier"})
"""Services that want the hash of the body in a header too."""
_ADDED = frozenset({"x-amz-date", "x-amz-content-sha256", "x-amz-security-token"})
"""Headers that signing adds; every other one that begins with ``x-amz-`` has to be signed."""


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Credentials: an access key, its secret, and the token of a session when they are temporary."""

    access_key: str
    secret_key: str
    session_token: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SigV4:
    """Signs each request at the moment it is sent.

    Attributes:
        keys: whose requests they are.
        region: of the service, for example ``eu-central-1``.
        service: its name in signatures, for example ``execute-api`` or ``es``.
        clock: returns the time, UTC; the system's by default.
    """

    keys: Keys
    region: str
    service: str = "s3"
    clock: Callable[[], datetime] | None = None

    @property
    def identity(self) -> str:
        """The identity of these credentials."""
        return digest(self.keys.access_key, self.keys.session_token or "")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the headers."""
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        now = self.clock() if self.clock else datetime.now(UTC)
        kind = request.headers.get("Content-Type")
        also = {"content-type": str(kind)} if kind and self.service != "s3" else {}
        also |= {
            name.lower(): str(value)
            for name, value in request.headers.items()
            if name.lower().startswith("x-amz-") and name.lower() not in _ADDED
        }
        address, mark, query = (request.url or "").partition("?")
        url = request.url = address + mark + query.replace("+", "%20")  # a blank; not every service reads a plus so
        request.headers.update(signed_headers(request.method or "GET", url, content, also, self, now))
        return request


def signed_headers(
    method: str, url: str, body: bytes, also: Mapping[str, str], signer: SigV4, now: datetime
) -> dict[str, str]:
    """Return the headers that a request needs to be accepted, ``Authorization`` among them.

    Args:
        method: of the request.
        url: where it is sent, its path and query quoted as they are sent.
        body: what is sent.
        also: headers of the request that are to be signed, by names in lower case.
        signer: keys, region and service.
        now: when it is sent, UTC.
    """
    content = hashlib.sha256(body).hexdigest()
    added = {"x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
    if signer.service in _HASH_IN_HEADER:
        added["x-amz-content-sha256"] = content
    if signer.keys.session_token:
        added["x-amz-security-token"] = signer.keys.session_token
    scope, names, signature = _signature(method, url, {"host": _host(url), **added, **also}, content, signer, now)
    credential = f"Credential={signer.keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**added, "Authorization": f"{_ALGORITHM} {credential}"}


def presigned_url(url: str, signer: SigV4, now: datetime, seconds: int) -> str:
    """Return a URL with which anybody may read what is there, for a time; it is a secret.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

    Args:
        url: the URL without a query, its path quoted as it is sent.
        signer: keys, region and service.
        now: from when on it is valid, UTC.
        seconds: for how long; servers accept up to 604,800, which is 7 days.
    """
    pairs = {
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{signer.keys.access_key}/{_scope(signer, now)}",
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if signer.keys.session_token:
        pairs["X-Amz-Security-Token"] = signer.keys.session_token
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in pairs.items())
    signed = {"host": _host(url)}
    _, _, signature = _signature("GET", f"{url}?{query}", signed, "UNSIGNED-PAYLOAD", signer, now)
    return f"{url}?{query}&X-Amz-Signature={signature}"


def _scope(signer: SigV4, now: datetime) -> str:
    return f"{now:%Y%m%d}/{signer.region}/{signer.service}/aws4_request"


def _signature(
    method: str, url: str, signed: Mapping[str, str], content: str, signer: SigV4, now: datetime
) -> tuple[str, str, str]:
    """Return scope, names of the signed headers, and signature."""
    names, scope = ";".join(sorted(signed)), _scope(signer, now)
    canonical = "\n".join(
        [
            method,
            _path(url, signer.service),
            _query(url),
            *(f"{name}:{re.sub(' +', ' ', signed[name].strip())}" for name in sorted(signed)),
            "",
            names,
            content,
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([_ALGORITHM, f"{now:%Y%m%dT%H%M%SZ}", scope, hashed])
    key = f"AWS4{signer.keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return scope, names, hmac.digest(key, text.encode(), "sha256").hex()


def _path(url: str, service: str) -> str:
    """Return the path as it is signed: S3 quotes it once, every other service twice."""
    path = urlsplit(url).path or "/"
    if service in ("s3", "s3express"):
        return quote(unquote_to_bytes(path), safe="/-_.~")
    return quote(path, safe="/-_.~")


def _query(url: str) -> str:
    """Return the query as it is signed: quoted, and sorted as it is quoted."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, encoding="latin-1")  # bytes, whatever they mean
    return "&".join(
        f"{name}={value}" for name, value in sorted((_quoted(name), _quoted(value)) for name, value in pairs)
    )


def _host(url: str) -> str:
    """Return the Host header as HTTP clients write it: without the port that the scheme implies."""
    parts = urlsplit(url)
    implied = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, implied) else f"{host}:{parts.port}"


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~", encoding="latin-1")
