"""Sends one message to one URL: a mail by leat itself, all else by Apprise.

Apprise is imported only here, and only when there is something to send.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from leat.quality.alerts.text import Text
from leat.sources.egress import check_host
from leat.sources.errors import NotConfigured, Unavailable
from leat.sources.settings import redact, remember_secret

if TYPE_CHECKING:
    import apprise

_WITH_FIELDS = frozenset({"json", "jsons", "form", "forms", "xml", "xmls"})
_PLAIN = _WITH_FIELDS | {"mailto", "mailtos"}
_SECRET_FROM = 12  # characters; shorter parts of a path or a query are words
_EXPLAINING = ("WARNING", "ERROR", "CRITICAL")
_PATIENCE = 45  # seconds for one message; a step of the outbox has 60


def deliver(url: str, text: Text, message: str, channel: str, sent_at: datetime | None = None) -> dict[str, str]:
    """Send a message, once.

    Args:
        url: the channel's Apprise URL.
        text: what the message says.
        message: its id. A mail carries it in its Message-ID and as ``X-Leat-Message``, a plain webhook as
            ``Idempotency-Key``, so that the recipient can recognise one that comes twice.
        channel: name of the channel, for messages.
        sent_at: when it was sent first; None when that is now.

    Returns:
        what identifies it, and whom the server of a mail refused.

    Raises:
        NotConfigured: the URL is of no kind that Apprise knows.
        IntegrationError: the service refused the message, can't be reached, or nobody knows.
    """
    import apprise
    from apprise.plugins.email import NotifyEmail

    remember_url(url)
    _silence_logs()
    asset = apprise.AppriseAsset(app_id="leat", app_desc="leat", app_url="", async_mode=False)
    service = apprise.Apprise.instantiate(_identified(url, message), asset=asset, suppress_exceptions=True)
    asked = "sending an alert"
    if service is None:
        got = f"Apprise can't read the URL of this channel ({_scheme(url) or 'no scheme'}://…)"
        raise NotConfigured(channel, asked, got, "write it as docs/alerts.md shows")
    if isinstance(service, NotifyEmail):
        from leat.quality.alerts.mail import mailing_of, send_mail

        return send_mail(mailing_of(service, channel), text, message, sent_at, channel)
    check_host(channel, _host(service, url), encrypted=_is_encrypted(service, url))
    if not service.verify_certificate:
        got = "verify=no accepts any certificate"
        raise NotConfigured(channel, asked, got, "leave it out, and let the machine trust the authority")
    services = apprise.Apprise([service], asset=asset)
    kinds = {"error": apprise.NotifyType.FAILURE, "warn": apprise.NotifyType.WARNING}
    result = services.notify(
        text.body,
        title=text.title,
        notify_type=kinds.get(text.severity or "", apprise.NotifyType.SUCCESS),
        body_format=apprise.NotifyFormat.TEXT,
        timeout=_PATIENCE,
        log_level=logging.DEBUG,
    )
    if not result:  # Apprise doesn't say whether the service may have taken it
        raise Unavailable(channel, asked, redact(_why(result)), "look at the service that its URL names")
    return {}


def readable(url: str, channel: str) -> bool:
    """Return whether Apprise knows what to do with the URL of a channel.

    Raises:
        NotConfigured: ``project.hosts`` doesn't permit its host.
    """
    import apprise

    remember_url(url)
    _silence_logs()
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None:
        return False
    check_host(channel, _host(service, url), encrypted=_is_encrypted(service, url))
    return True


def _host(service: apprise.NotifyBase, url: str) -> str:
    """Return the host that a channel connects to; ``slack://`` for a service that has none in its URL."""
    if _scheme(url) not in _PLAIN:
        return f"{_scheme(url)}://"
    return str(getattr(service, "smtp_host", "") or service.host)


def _is_encrypted(service: apprise.NotifyBase, url: str) -> bool:
    """Return whether a channel is by TLS; of mail, that is decided when the server is asked."""
    clear = service.protocol or ()
    return _scheme(url) == "mailto" or _scheme(url) not in ({clear} if isinstance(clear, str) else set(clear))


def _silence_logs() -> None:
    """Let what Apprise logs come back with the result, and go nowhere else."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)


def _why(result: apprise.AppriseResult) -> str:
    """Return what Apprise says of a failure: its warnings, and the error behind them."""
    said = [each for each in result.logs() if each.level in _EXPLAINING or "Exception:" in each.message]
    return "; ".join(dict.fromkeys(entry.message for entry in said)) or f"the service gave {result.status.name.lower()}"


def _identified(url: str, message: str) -> str:
    """Add the id to a plain webhook, as Apprise lets a URL give headers (``+name``) and fields (``:name``)."""
    if _scheme(url) not in _WITH_FIELDS:
        return url
    return f"{url}{'&' if '?' in url else '?'}+Idempotency-Key={message}&:message_id={message}"


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
    secrets = [password or "", *(text for text in longer if len(text) >= _SECRET_FROM and "@" not in unquote(text))]
    if _scheme(url) not in _PLAIN:  # of chat services the place of the host is often a token as well
        secrets += [
            text for text in (parts.username or "", parts.netloc.rpartition("@")[2]) if len(text) >= _SECRET_FROM
        ]
    for text in secrets:
        for form in {text, unquote(text), quote(unquote(text), safe="")}:
            remember_secret(form)
