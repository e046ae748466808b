"""What the headers of an answer say about limits, versions and the end of an API.

Rate limits: ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-10), ``RateLimit-Limit``,
``-Remaining`` and ``-Reset`` of its earlier drafts, and the ``X-RateLimit-*`` that they were made of.

A header may say anything: what can't be read is as if it weren't there, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MEMBER = re.compile(r';\s*([rtqw])\s*=\s*"?(\d{1,15})', re.ASCII)
LONGEST_WAIT = 3600.0
"""Seconds that a server can make everybody wait for it; then one request looks whether it is well again."""
_EPOCH = 1_000_000_000
"""A reset above this many seconds is a time, not a wait: some vendors send Unix time, a few in milliseconds."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a server allows: ``limit`` requests in a window; ``remaining`` are left until ``reset_at``."""

    limit: int | None
    remaining: int | None
    reset_at: datetime | None


def quota_of(headers: Mapping[str, str], now: datetime) -> Quota:
    """Return what the server says of its rate limit; all None when it says nothing."""
    newest = _structured(headers, now)
    if newest is not None:
        return newest
    result = {}
    for what in ("Limit", "Remaining", "Reset"):
        names = (f"RateLimit-{what}", f"X-RateLimit-{what}", f"X-Rate-Limit-{what}")
        result[what] = next((headers[name] for name in names if name in headers), None)
    return Quota(_number(result["Limit"]), _number(result["Remaining"]), _reset_at(result["Reset"], now))


def _structured(headers: Mapping[str, str], now: datetime) -> Quota | None:
    """Read ``RateLimit: "hour";r=50;t=30`` and ``RateLimit-Policy: "hour";q=100;w=3600``; the tightest one counts."""
    header = headers.get("RateLimit")
    if not header:
        return None
    policies = {name: members for name, members in map(_item, headers.get("RateLimit-Policy", "").split(","))}
    quotas = []
    for name, members in map(_item, header.split(",")):
        if "r" in members:
            limit = members.get("q", policies.get(name, {}).get("q"))
            reset = _reset_at(str(members["t"]), now) if "t" in members else None
            quotas.append(Quota(limit, members["r"], reset))
    return min(quotas, key=lambda quota: quota.remaining or 0, default=None)


def _item(text: str) -> tuple[str, dict[str, int]]:
    return text.partition(";")[0].strip().strip('"'), {key: int(value) for key, value in _MEMBER.findall(text)}


def _number(text: str | None) -> int | None:
    match = re.match(r"\s*(\d{1,15})", text or "", re.ASCII)
    return int(match[1]) if match else None


def _reset_at(text: str | None, now: datetime) -> datetime | None:
    if not text:
        return None
    match = re.fullmatch(r"\s*(\d{1,15})(\.\d{1,15})?\s*", text, re.ASCII)
    if not match:
        return moment_of(text)
    seconds = float(text)
    if seconds > _EPOCH * 1000:
        seconds /= 1000
    return _after(datetime.fromtimestamp(0, UTC) if seconds > _EPOCH else now, seconds)


def _after(begin: datetime, seconds: float) -> datetime | None:
    """Return a time so many seconds later; None when no calendar has it."""
    try:
        return begin + timedelta(seconds=seconds)
    except OverflowError:
        return None


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as a number or a date (RFC 9110, 10.2.3).

    They are at least 0 and at most :data:`LONGEST_WAIT`, whatever it asks for; None when it can't be read.
    """
    match = re.fullmatch(r"\s*(\d+)(\.\d*)?\s*", header or "", re.ASCII)
    if match:
        return LONGEST_WAIT if len(match[1].lstrip("0")) > 9 else min(float(match[0]), LONGEST_WAIT)
    at = moment_of(header)
    return None if at is None else min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT)


def moment_of(text: str | None) -> datetime | None:
    """Return the time in a header: an HTTP date, or ``@`` and Unix seconds (RFC 9651); None for anything else.

    ``Deprecation`` is ``@1688169599`` by RFC 9745 and was an HTTP date in its drafts; ``Sunset`` is an HTTP date
    (RFC 8594).
    """
    if not text:
        return None
    match = re.fullmatch(r"\s*@(-?\d{1,11})\s*", text, re.ASCII)
    if match:
        return _after(datetime.fromtimestamp(0, UTC), int(match[1]))
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except Exception:  # the parser has raised nearly anything in its time, from IndexError to TypeError
        return None


def location_of(headers: Mapping[str, str]) -> str | None:
    """Return where an answer redirects to; in UTF-8 where its bytes are, which are read as Latin-1."""
    location = headers.get("Location")
    try:
        return location and location.encode("latin-1").decode()
    except UnicodeError:
        return location


def link_of(headers: Mapping[str, str], relation: str) -> str | None:
    """Return the target of the ``Link`` with a relation, as it is written (RFC 8288); None when there is none."""
    for match in re.finditer(
        r"<([^<>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:\"[^\"]*\"|[^\s\";,]+))?)*)", headers.get("Link", "")
    ):
        rel = re.search(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s\";,]+))", match[2], re.IGNORECASE)
        if rel and relation in (rel[1] or rel[2] or "").lower().split():
            return match[1].strip()
    return None
