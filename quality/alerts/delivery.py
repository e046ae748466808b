"""Sends one message to one channel by Apprise, which is imported only here and only when there is something to send."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from leat.sources.settings import redact, remember_secret

if TYPE_CHECKING:
    import apprise

_WITH_HEADERS = frozenset({"mailto", "mailtos", "json", "jsons", "form", "forms", "xml", "xmls"})
_WITH_FIELDS = _WITH_HEADERS - {"mailto", "mailtos"}
_SECRET_FROM = 12  # characters; shorter parts of a path or a query are words
_TELLING = ("WARNING", "ERROR", "CRITICAL")
_PATIENCE = 60  # seconds for one message


class NotDelivered(Exception):
    """The channel didn't take the message; the text says why, without secrets."""


def deliver(url: str, title: str, body: str, severity: str | None, message: str) -> None:
    """Send a message.

    Args:
        url: the channel's Apprise URL.
        title: the subject.
        body: plain text.
        severity: error, warn, or None for good news.
        message: id of the message. Mail carries it as ``X-Leat-Message``, a plain webhook as ``Idempotency-Key``, so
            that one that comes twice can be told from a new one.

    Raises:
        NotDelivered: the URL is of no kind that Apprise knows, or the service refused the message or can't be reached.
    """
    import apprise

    remember_url(url)
    _keep_to_itself()
    asset = apprise.AppriseAsset(app_id="leat", app_desc="leat", app_url="", async_mode=False)
    services = apprise.Apprise(asset=asset)
    if not services.add(_identified(url, message)):
        msg = f"Apprise can't read the URL of this channel ({_scheme(url) or 'no scheme'}://…)"
        raise NotDelivered(msg)
    kinds = {"error": apprise.NotifyType.FAILURE, "warn": apprise.NotifyType.WARNING}
    result = services.notify(
        body,
        title=title,
        notify_type=kinds.get(severity or "", apprise.NotifyType.SUCCESS),
        body_format=apprise.NotifyFormat.TEXT,
        timeout=_PATIENCE,
        log_level=logging.DEBUG,
    )
    if not result:
        raise NotDelivered(redact(_why(result)))


def readable(url: str) -> bool:
    """Return whether Apprise knows what to do with a URL."""
    import apprise

    remember_url(url)
    _keep_to_itself()
    return bool(apprise.Apprise().add(url))


def _keep_to_itself() -> None:
    """Let what Apprise logs come back with the result, and go nowhere else."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)


def _why(result: apprise.AppriseResult) -> str:
    """Return what Apprise says of a failure: its warnings, and the error behind them."""
    said = [each for each in result.logs() if each.level in _TELLING or "Exception:" in each.message]
    return "; ".join(dict.fromkeys(entry.message for entry in said)) or f"the service gave {result.status.name.lower()}"


def _identified(url: str, message: str) -> str:
    """Add the message's id as Apprise lets a URL give headers (``+name``) and fields (``:name``)."""
    scheme = _scheme(url)
    if scheme not in _WITH_HEADERS:
        return url
    fields = [f"+Idempotency-Key={message}", f":message_id={message}"]
    added = "&".join(fields if scheme in _WITH_FIELDS else [f"+X-Leat-Message={message}"])
    return f"{url}{'&' if '?' in url else '?'}{added}"


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower() if "://" in url else ""


def remember_url(url: str) -> None:
    """Remember what in a URL is secret: the password, and whatever in its path or query may be a token."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return
    longer = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    found = [password or "", *(text for text in longer if len(text) >= _SECRET_FROM and "@" not in unquote(text))]
    if _scheme(url) not in _WITH_HEADERS:  # of chat services the place of the host is often a token as well
        found += [text for text in (parts.username or "", parts.netloc.rpartition("@")[2]) if len(text) >= _SECRET_FROM]
    for text in found:
        for form in {text, unquote(text), quote(unquote(text), safe="")}:
            remember_secret(form)
