"""One line of Canaille's log to its row of ``login_events``; the lines are those that Canaille 0.3 writes.

Canaille's own format is ``[time] - address - LEVEL in module: message``; the time is a wall clock without a zone.
No message is stored as it is: only what a pattern names, and of that whatever may be a secret is blanked out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

_HEAD = re.compile(r"\[(?P<at>[^\]]*)\] - (?P<ip>\S*) - (?P<level>[A-Z]+) in (?P<module>[^:]*): (?P<message>.*)")
_LOOKS_LIKE_ONE = re.compile(r"\bSECURITY in \w*")
_USER, _APP, _BY = r"(?P<user_name>.+?)", r"(?P<application>.+?)", r"(?: by (?P<actor>.+?))?"
_ID, _FACTOR = r"(?P<user_id>\S+)", r"(?P<factor>password|OTP|WebAuthn|sms code|email code)"
_KINDS = (
    ("login", True, rf"Successful authentication for {_USER}"),
    ("factor", True, rf"Successful {_FACTOR} authentication for {_USER}"),
    ("login", False, rf"Failed {_FACTOR} authentication for {_USER}(?:: (?P<reason>.+))?"),
    ("login", False, rf"Client {_APP} authentication attempt with a (?P<reason>secret expired since .+)"),
    ("logout", True, r"Logout (?P<reason>all users)"),
    ("logout", True, rf"Logout {_USER}"),
    ("token_issued", True, rf"Issued (?P<reason>\S+) token for client {_APP}"),
    ("token_issued", True, rf"Issued (?P<reason>\S+) token for {_USER} in client {_APP}"),
    ("token_issued", True, rf"(?P<reason>Created) token for client {_APP}{_BY}"),
    ("token_revoked", True, rf"Revoked token for {_USER} in client {_APP}{_BY}"),
    ("consent_given", True, rf"New consent for {_USER} in client {_APP}"),
    ("consent_revoked", True, rf"Consent revoked for {_USER} in client {_APP}"),
    ("password_changed", True, rf"Changed password in settings for {_USER}"),
    ("password_reset_sent", True, rf"Sending a reset password mail to \S+ for {_USER}"),
    ("code_sent", True, rf"Sen(?:t|ding) one-time passcode for {_USER} (?P<reason>at|to) \S+"),
    ("email_changed", True, rf"Updated email for {_USER}"),
    ("factor_changed", True, rf"(?P<factor>OTP) authentication factor (?P<reason>reset) for {_USER}"),
    ("factor_changed", True, rf"(?P<reason>Reset) one-time passcode authentication (?:from CLI )?for {_USER}{_BY}"),
    ("factor_changed", True, rf"(?P<factor>WebAuthn) credential (?P<reason>registered) for {_USER}"),
    ("factor_changed", False, rf"Failed (?P<factor>WebAuthn) registration for {_USER}: (?P<reason>.+)"),
    ("factor_changed", True, rf"(?P<reason>Renamed|Deleted) (?P<factor>WebAuthn) credential \S+ for {_USER}{_BY}"),
    ("factor_changed", True, rf"(?P<reason>Reset) all (?P<factor>WebAuthn) credentials for {_USER}{_BY}"),
    ("impersonation", True, rf"User (?P<actor>\S+) impersonated {_ID}"),
    ("user_deleted", True, rf"Deleted user {_ID}{_BY}"),
    ("user_deleted", True, rf"User {_ID} (?P<reason>deleted their own account)"),
    ("user_changed", True, rf"(?P<reason>SCIM \w+) user {_ID} by client {_APP}"),
    ("group_changed", True, rf"(?P<reason>SCIM \w+ group \S+) by client {_APP}"),
    ("application_changed", True, rf"(?P<reason>Created|Edited|Deleted|Renewed the secret of) client {_APP}{_BY}"),
    ("application_changed", True, rf"(?P<reason>OIDC Dynamic Client \w+) of {_APP}"),
)
_PATTERNS = tuple((kind, success, re.compile(pattern)) for kind, success, pattern in _KINDS)
_FACTORS = {"sms code": "sms", "email code": "email"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMED_SECRET = re.compile(
    r"(?i)\b(password|passwd|pwd|secret|token|bearer|authorization|otp|code|key)(\s*[=:]\s*|\s+is\s+)(\"[^\"]*\"|'[^']*'|\S+)"
)
_LONG_WORD = re.compile(r"[A-Za-z0-9_\-+/.=~]{20,}")


def parse_line(line: str, zone: ZoneInfo) -> dict[str, Any] | None:
    """Return the row of a line, without ``id``; None when the line is about something else.

    Raises:
        ValueError: it is a security line, but not one that Canaille 0.3 writes.
    """
    head = _HEAD.fullmatch(line)
    if head is None:
        if _LOOKS_LIKE_ONE.search(line):
            msg = "a security line that doesn't begin as Canaille's format has it"
            raise ValueError(msg)
        return None
    if head["level"] != "SECURITY":
        return None
    row = _understood(head["message"])
    row["occurred_at"] = datetime.fromisoformat(head["at"].replace(",", ".")).replace(tzinfo=zone).astimezone(UTC)
    row["ip"] = head["ip"] or None
    return row


def _understood(message: str) -> dict[str, Any]:
    for kind, success, pattern in _PATTERNS:
        match = pattern.fullmatch(message)
        if match:
            row = {name: None if value is None else blank(value) for name, value in match.groupdict().items()}
            factor = row.get("factor")
            if factor is not None:
                row["factor"] = _FACTORS.get(factor, factor.lower())
            return row | {"kind": kind, "success": success}
    msg = "a security line that says something unknown"
    raise ValueError(msg)


def is_quiet(row: dict[str, Any]) -> bool:
    """Return whether a row is no news by itself: a program got a token, as this driver does on each run."""
    return row["kind"] == "token_issued" and row.get("user_name") is None and row.get("actor") is None


def blank(text: str) -> str:
    """Return the text with ``***`` for what may be a password, a token or another secret."""
    text = _NAMED_SECRET.sub(lambda match: f"{match[1]}{match[2]}***", text)
    return "".join(_blanked(text))


def _blanked(text: str) -> Iterator[str]:
    end = 0
    for match in _LONG_WORD.finditer(text):
        word = match[0]
        mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
        yield text[end : match.start()]
        yield "***" if mixed and not _UUID.fullmatch(word) else word
        end = match.end()
    yield text[end:]
