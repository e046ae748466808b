"""What the headers of an answer say about limits, versions and the end of an API.

Rate limits: ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10), ``RateLimit-Limit``,
``-Remaining`` and ``-Reset`` of its earlier drafts, and the ``X-RateLimit-*`` that they were made of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MEMBER = re.compile(r';\s*([rtqw])\s*=\s*"?(\d{1,15})')
_EPOCH = 1_000_000_000
"""A reset above this many seconds is a time, not a wait: some vendors send Unix time, a few in milliseconds."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a server allows: ``limit`` requests in a window of which ``remaining`` are left until ``reset_at``."""

    limit: int | None
    remaining: int | None
    reset_at: datetime | None


def quota_of(headers: Mapping[str, str], now: datetime) -> Quota:
    """Return what the server says of its rate limit; all None when it says nothing."""
    newest = _structured(headers, now)
    if newest is not None:
        return newest
    found = {}
    for what in ("Limit", "Remaining", "Reset"):
        names = (f"RateLimit-{what}", f"X-RateLimit-{what}", f"X-Rate-Limit-{what}")
        found[what] = next((headers[name] for name in names if name in headers), None)
    return Quota(_number(found["Limit"]), _number(found["Remaining"]), _reset_at(found["Reset"], now))


def _structured(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read ``RateLimit: "hour";r=50;t=30`` and ``RateLimit-Policy: "hour";q=100;w=3600``; the tightest one counts."""
    told = headers.get("RateLimit")
    if not told:
        return None
    policies = {name: members for name, members in map(_item, headers.get("RateLimit-Policy", "").split(","))}
    quotas = []
    for name, members in map(_item, told.split(",")):
        if "r" in members:
            limit = members.get("q", policies.get(name, {}).get("q"))
            reset = _reset_at(str(members["t"]), now) if "t" in members else None
            quotas.append(Quota(limit, members["r"], reset))
    return min(quotas, key=lambda quota: quota.remaining or 0, default=None)


def _item(text: str) -> tuple[str, dict[str, int]]:
    return text.partition(";")[0].strip().strip('"'), {key: int(value) for key, value in _MEMBER.findall(text)}


def _number(text: str | None) -> int | None:
    found = re.match(r"\s*(\d{1,15})", text or "")
    return int(found[1]) if found else None


def _reset_at(text: str | None, now: datetime) -> datetime | None:
    if not text:
        return None
    found = re.fullmatch(r"\s*(\d{1,15})(\.\d+)?\s*", text)
    if not found:
        return moment_of(text)
    seconds = float(text)
    if seconds > _EPOCH * 1000:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if seconds > _EPOCH else now + timedelta(seconds=seconds)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as a number or a date (RFC 9110, 10.2.3)."""
    if header and re.fullmatch(r"\s*\d{1,9}(\.\d+)?\s*", header):
        return float(header)
    at = moment_of(header)
    return None if at is None else max(0.0, (at - now).total_seconds())


def moment_of(text: str | None) -> datetime | None:
    """Return the time that a header tells: an HTTP date, or ``@`` and Unix seconds (RFC 9651); None for anything else.

    ``Deprecation`` is ``@1688169599`` by RFC 9745 and was an HTTP date in its drafts; ``Sunset`` is an HTTP date
    (RFC 8594).
    """
    if not text:
        return None
    found = re.fullmatch(r"\s*@(-?\d{1,11})\s*", text)
    try:
        if found:
            return datetime.fromtimestamp(int(found[1]), UTC)
        told = parsedate_to_datetime(text)
    except (ValueError, OverflowError, OSError):
        return None
    return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)


def link_of(headers: Mapping[str, str], relation: str) -> str | None:
    """Return the target of the ``Link`` with a relation, as it is written (RFC 8288); None when there is none."""
    for found in re.finditer(
        r"<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\";,]+))?)*)", headers.get("Link", "")
    ):
        rel = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", found[2], re.IGNORECASE)
        if rel and relation in (rel[1] or rel[2] or "").lower().split():
            return found[1].strip()
    return None
