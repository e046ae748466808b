"""Each scheme takes what its vendor's own documents give as an example, and refuses what differs in one bit."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from leat.hooks.event import read_event, text_of
from leat.hooks.out.signing import signature, signer_of
from leat.hooks.signatures import WINDOW, BadSignature, Signed, verify
from leat.pipelines.declare.hooks import Hooks
from leat.sources.errors import NotConfigured

NOW = 1_614_265_330
FORM = b"application/x-www-form-urlencoded"
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    b"803a0bc887a14d10d2c447fce8b6703c"
)
TWILIO_BODY = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
TWILIO_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"


def declared(scheme: str, **more: Any) -> Hooks:
    return Hooks.model_validate({"scheme": scheme, "secrets": {"env": "X"}, **more})


def mac(secret: bytes, signed: bytes) -> bytes:
    return hmac.new(secret, signed, hashlib.sha256).digest()


def stripe(body: bytes = b"{}", at: int = NOW) -> Signed:
    signature = mac(b"whsec_s", b"%d.%s" % (at, body)).hex()
    return Signed({b"stripe-signature": b"t=%d,v0=00,v1=%s" % (at, signature.encode())}, body, NOW)


CASES = {
    "stripe": (declared("stripe"), "whsec_s", stripe()),
    # docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
    "github": (
        declared("github"),
        "It's a Secret to Everybody",
        Signed(
            {b"x-hub-signature-256": b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
            b"Hello, World!",
            NOW,
        ),
    ),
    # api.slack.com/authentication/verifying-requests-from-slack
    "slack": (
        declared("slack"),
        "8f742231b10e8888abcd99yyyzzz85a5",
        Signed(
            {
                b"x-slack-request-timestamp": b"1531420618",
                b"x-slack-signature": b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            },
            SLACK_BODY,
            1531420618,
        ),
    ),
    "shopify": (
        declared("shopify"),
        "hush",
        Signed({b"x-shopify-hmac-sha256": base64.b64encode(mac(b"hush", b"{}"))}, b"{}", NOW),
    ),
    # www.twilio.com/docs/usage/security
    "twilio": (
        declared("twilio"),
        "12345",
        Signed(
            {b"x-twilio-signature": b"RSOYDt4T1cUTdK1PDd93/VVr8B8=", b"content-type": FORM},
            TWILIO_BODY,
            NOW,
            TWILIO_URL,
        ),
    ),
    # github.com/standard-webhooks/standard-webhooks
    "standard": (
        declared("standard"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        Signed(
            {
                b"webhook-id": b"msg_p5jXN8AQM9LWM0D4loKWxJek",
                b"webhook-timestamp": b"1614265330",
                b"webhook-signature": b"v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            },
            b'{"test": 2432232314}',
            NOW,
        ),
    ),
    "hmac": (
        declared("hmac", header="X-Signed", prefix="sha512=", algorithm="sha512", encoding="base64"),
        "hush",
        Signed({b"x-signed": b"sha512=" + base64.b64encode(hmac.digest(b"hush", b"{}", "sha512"))}, b"{}", NOW),
    ),
}


@pytest.mark.parametrize("scheme", CASES)
def test_what_is_signed_is_taken_and_nothing_else(scheme: str) -> None:
    hooks, secret, request = CASES[scheme]
    verify(hooks, [secret], request)
    verify(hooks, ["an older one", secret], request)  # while the secret is rotated
    for secrets in ([], ["another"], [secret + "x"], [""]):
        with pytest.raises(BadSignature):
            verify(hooks, secrets, request)
    with pytest.raises(BadSignature):
        verify(hooks, [secret], replace(request, body=request.body + b"&a=b"))
    for name, value in request.headers.items():
        if name == b"content-type":
            continue
        for changed in (None, b"", b"\xff", b"x", value[:-3] + (b"abc" if value[-3:] != b"abc" else b"cba")):
            headers = {**request.headers, name: changed} if changed is not None else {}
            with pytest.raises(BadSignature):
                verify(hooks, [secret], replace(request, headers=headers))


@pytest.mark.parametrize("scheme", ["stripe", "slack", "standard"])
def test_an_old_or_future_signature_is_refused(scheme: str) -> None:
    hooks, secret, request = CASES[scheme]
    for seconds in (-WINDOW, WINDOW):
        verify(hooks, [secret], replace(request, now=request.now + seconds))
        with pytest.raises(BadSignature, match="5 minutes"):
            verify(hooks, [secret], replace(request, now=request.now + seconds * 1.01))


def test_a_public_key_verifies_and_is_never_a_secret() -> None:
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    headers = {b"webhook-id": b"msg_1", b"webhook-timestamp": b"%d" % NOW}
    signature = base64.b64encode(key.sign(b"msg_1.%d.{}" % NOW))
    verify(declared("standard"), [public], Signed({**headers, b"webhook-signature": b"v1a," + signature}, b"{}", NOW))
    for forged in (b"v1a," + base64.b64encode(bytes(64)), b"v1," + signature):
        with pytest.raises(BadSignature):
            verify(declared("standard"), [public], Signed({**headers, b"webhook-signature": forged}, b"{}", NOW))
    as_secret = base64.b64encode(mac(public.encode(), b"msg_1.%d.{}" % NOW))  # everybody knows a public key
    with pytest.raises(BadSignature):
        verify(
            declared("standard"), [public], Signed({**headers, b"webhook-signature": b"v1," + as_secret}, b"{}", NOW)
        )


def test_what_leat_signs_by_a_private_key_is_as_others_sign_it() -> None:
    """The key, message and signature of Svix's server, whose signature is the example of the specification."""
    both = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    expected = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    message, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
    seed = base64.b64encode(base64.b64decode(both)[:32]).decode()
    for written in (f"whsk_{both}", f"whsk_{seed}"):
        assert signature([signer_of("erp", written)], message, NOW, body) == expected
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed = signature([signer_of("erp", each) for each in (secret, f"whsk_{seed}")], message, NOW, body)
    assert signed == f"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= {expected}"
    public = "whpk_" + base64.b64encode(base64.b64decode(both)[32:]).decode()
    headers = {b"webhook-id": message.encode(), b"webhook-timestamp": b"%d" % NOW}
    verify(declared("standard"), [public], Signed({**headers, b"webhook-signature": signed.encode()}, body, NOW))
    wrong = base64.b64encode(base64.b64decode(both)[:32] + bytes(32)).decode()
    for broken in (f"whsk_{wrong}", "whsk_", f"whsk_{seed[:-4]}", "whsec_c2hvcnQ=", public, seed):
        with pytest.raises(NotConfigured, match="openssl"):
            signer_of("erp", broken)


def test_twilio_signs_other_bodies_by_their_hash() -> None:
    body = b'{"a": 1}'
    url = f"https://x.example/hooks/calls?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {b"x-twilio-signature": base64.b64encode(hmac.digest(b"t", url.encode(), "sha1"))}
    verify(declared("twilio"), ["t"], Signed(headers, body, NOW, url))
    with pytest.raises(BadSignature, match="bodySHA256"):
        verify(declared("twilio"), ["t"], Signed(headers, body + b" ", NOW, url))


def test_events_are_named_by_their_scheme() -> None:
    def named(scheme: str, body: bytes, headers: dict[bytes, bytes] | None = None, **more: Any) -> Any:
        return read_event(declared(scheme, **more), headers or {}, text_of(headers or {}, body))

    assert named("stripe", b'{"id": "evt_1", "type": "refund.created"}') == ("evt_1", "refund.created", None)
    github = {b"x-github-delivery": b"d-1", b"x-github-event": b"push"}
    assert named("github", b"{}", github) == ("d-1", "push", None)
    slack = json.dumps({"event_id": "Ev1", "event": {"type": "message"}, "type": "event_callback"}).encode()
    assert named("slack", slack) == ("Ev1", "message", None)
    shopify = {b"x-shopify-webhook-id": b"w1", b"x-shopify-topic": b"orders/create"}
    assert named("shopify", b"{}", shopify) == ("w1", "orders/create", None)
    form = {b"content-type": FORM + b"; charset=utf-8"}
    assert named("twilio", b"MessageSid=SM1&MessageStatus=sent&To=", form) == ("SM1:sent", "sent", None)
    assert named("standard", b'{"type": "a.b"}', {b"webhook-id": b"msg_1"}) == ("msg_1", "a.b", None)
    own = {"header": "x", "id_header": "X-Id", "type_header": "X-Kind"}
    assert named("hmac", b"{}", {b"x-id": b"7", b"x-kind": b"k"}, **own) == ("7", "k", None)
    assert named("hmac", b"{}", header="x")[0].startswith("sha256:")


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"\xff\xfe", b'{"id": ""}', b"7", b'{"a": NaN}'])
def test_what_cannot_be_read_has_an_id_and_a_problem(body: bytes) -> None:
    event_id, _, problem = read_event(declared("stripe"), {}, text_of({}, body))
    assert event_id.startswith("sha256:")
    assert problem


@pytest.mark.parametrize(
    ("hooks", "said"),
    [
        ({"scheme": "hmac"}, "needs header"),
        ({"scheme": "stripe", "header": "x"}, "only for scheme hmac"),
        ({"scheme": "stripe", "url": "https://x"}, "only for scheme twilio"),
        ({"scheme": "stripe", "secrets": "written"}, "never written here"),
        ({"scheme": "stripe", "secrets": []}, "at least 1"),
        ({"scheme": "strype"}, "stripe"),
    ],
)
def test_declarations_are_checked(hooks: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Hooks.model_validate({"secrets": {"env": "X"}, **hooks})
