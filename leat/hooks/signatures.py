"""How systems sign what they send: each scheme compares with every secret, in constant time, over the raw bytes.

Stripe: https://docs.stripe.com/webhooks/signature · GitHub: https://docs.github.com/webhooks · Slack:
https://api.slack.com/authentication/verifying-requests-from-slack · Shopify: https://shopify.dev/docs/apps/webhooks ·
Twilio: https://www.twilio.com/docs/usage/security · Standard Webhooks: https://www.standardwebhooks.com/
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, parse_qsl, urlsplit

from leat.pipelines.declare.hooks import Hooks

WINDOW = 300
"""Seconds by which the time in a signature may differ from this machine's clock."""
Headers = Mapping[bytes, bytes]


class BadSignature(Exception):
    """A request isn't from the declared system; the text says why, without anything of a secret."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request and what its signature is checked with.

    Attributes:
        headers: by lower-case name.
        body: the raw bytes.
        now: seconds since 1970.
        url: the address that the sender called, with its query.
    """

    headers: Headers
    body: bytes
    now: float
    url: str = ""


def verify(declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    """Check a request.

    Raises:
        BadSignature: none of the secrets made its signature, or it is too old.
    """
    _SCHEMES[declared.scheme](declared, secrets, request)


def _stripe(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    parts = [part.strip().partition(b"=") for part in _header(request, b"stripe-signature").split(b",")]
    times = [value for name, _, value in parts if name == b"t"]
    given = [_hex(value) for name, _, value in parts if name == b"v1"]
    at = _in_time(times[0] if times else b"", request.now)
    signed = at + b"." + request.body
    _compare(given, (_mac(secret.encode(), signed) for secret in secrets))


def _github(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    given = _header(request, b"x-hub-signature-256").removeprefix(b"sha256=")
    _compare([_hex(given)], (_mac(secret.encode(), request.body) for secret in secrets))


def _slack(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    at = _in_time(_header(request, b"x-slack-request-timestamp"), request.now)
    given = _header(request, b"x-slack-signature").removeprefix(b"v0=")
    signed = b"v0:" + at + b":" + request.body
    _compare([_hex(given)], (_mac(secret.encode(), signed) for secret in secrets))


def _shopify(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    given = _base64(_header(request, b"x-shopify-hmac-sha256"))
    _compare([given], (_mac(secret.encode(), request.body) for secret in secrets))


def _twilio(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    """Check a form with the address and its sorted fields, any other body by its hash in the address."""
    given, signed = _base64(_header(request, b"x-twilio-signature")), request.url
    if is_form(request.headers):
        fields = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        signed += "".join(name + value for name, value in sorted(set(fields)))
    else:
        digest = parse_qs(urlsplit(request.url).query).get("bodySHA256", [""])[0]
        if not hmac.compare_digest(digest.encode(), hashlib.sha256(request.body).hexdigest().encode()):
            msg = "bodySHA256 isn't the hash of the body"
            raise BadSignature(msg)
    _compare([given], (_mac(secret.encode(), signed.encode(), "sha1") for secret in secrets))


def _standard(_declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    at = _in_time(_header(request, b"webhook-timestamp"), request.now)
    signed = b".".join((_header(request, b"webhook-id"), at, request.body))
    parts = [part.partition(b",") for part in _header(request, b"webhook-signature").split()]
    public = [secret for secret in secrets if secret.startswith("whpk_")]
    symmetric = [_secret_bytes(secret) for secret in secrets if not secret.startswith("whpk_")]
    if any(_ed25519(key, _base64(value), signed) for name, _, value in parts if name == b"v1a" for key in public):
        return
    given = [_base64(value) for name, _, value in parts if name == b"v1"]
    _compare(given, (_mac(secret, signed) for secret in symmetric))


def _hmac(declared: Hooks, secrets: Sequence[str], request: Signed) -> None:
    given = _header(request, str(declared.header).lower().encode()).strip().removeprefix(declared.prefix.encode())
    decode = _hex if declared.encoding == "hex" else _base64
    _compare([decode(given)], (_mac(secret.encode(), request.body, declared.algorithm) for secret in secrets))


_SCHEMES: Mapping[str, Callable[[Hooks, Sequence[str], Signed], None]] = {
    "stripe": _stripe,
    "github": _github,
    "slack": _slack,
    "shopify": _shopify,
    "twilio": _twilio,
    "standard": _standard,
    "hmac": _hmac,
}


def is_form(headers: Headers) -> bool:
    """Return whether a body is a form."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/x-www-form-urlencoded"


def _header(request: Signed, name: bytes) -> bytes:
    value = request.headers.get(name)
    if not value:
        msg = f"there is no header {name.decode()}"
        raise BadSignature(msg)
    return value


def _in_time(text: bytes, now: float) -> bytes:
    if not text.isdigit() or len(text) > 12:
        msg = "the signature has no time"
        raise BadSignature(msg)
    if abs(now - int(text)) > WINDOW:
        msg = f"the signature's time differs from this machine's by more than {WINDOW // 60} minutes"
        raise BadSignature(msg)
    return text


def _mac(secret: bytes, signed: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, signed, algorithm).digest()


def _compare(given: Sequence[bytes], expected: Iterable[bytes]) -> None:
    """Compare all with all, so that the time doesn't show which secret was right."""
    right = [hmac.compare_digest(one, other) for other in expected for one in given]
    if not sum(right):
        msg = "no secret made this signature"
        raise BadSignature(msg)


def _hex(text: bytes) -> bytes:
    try:
        return bytes.fromhex(text.decode("ascii", "replace"))
    except ValueError:
        return b""


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _secret_bytes(secret: str) -> bytes:
    """Return the bytes of a secret ``whsec_<base64>``; another text is a secret as it is."""
    prefixed = secret.startswith("whsec_")
    return (_base64(secret.removeprefix("whsec_").encode()) if prefixed else b"") or secret.encode()


def _ed25519(key: str, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(_base64(key.removeprefix("whpk_").encode())).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
