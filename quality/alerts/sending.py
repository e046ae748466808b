"""Sends a message to a declared channel; what goes wrong comes back as text, for it must fail nothing."""

from __future__ import annotations

import contextlib
import logging
from datetime import datetime

from leat.control.alerts import Message
from leat.pipelines.declare.project import Project
from leat.quality.alerts.declaration import Alerts, Channel
from leat.quality.alerts.delivery import NotDelivered, deliver, remember_url
from leat.sources.errors import NotConfigured
from leat.sources.settings import redact

log = logging.getLogger("leat.alerts")


def send(channel: Channel, message: Message, project: Project) -> str | None:
    """Deliver a message; returns None, or why it wasn't delivered, without secrets."""
    try:
        url = channel.read_url(message.channel, project.folder)
        deliver(url, message.title, message.body or "", message.severity or None, message.id)
    except NotConfigured as error:  # it says what to do
        return redact(str(error))
    except NotDelivered as error:
        return redact(f"{error}. {_next(channel, message)}")
    except Exception as error:  # of a library that talks to a hundred services
        log.exception("channel %s", message.channel)
        return redact(f"{type(error).__name__}: {error}. {_next(channel, message)}")
    return None


def _next(channel: Channel, message: Message) -> str:
    where = channel.url.env or channel.url.file
    return f"Next: look at {where} and at the service that it names, then `leat alerts test {message.channel}`"


def remember_secrets(alerts: Alerts, project: Project) -> None:
    """Remember what is secret in the URLs of all channels, before anything is written that may show it."""
    for name, channel in alerts.channels.items():
        with contextlib.suppress(NotConfigured):
            if not channel.is_off:
                remember_url(channel.read_url(name, project.folder))


def trial_message(channel: str, now: datetime) -> Message:
    """Return the message of ``leat alerts test``, which no store remembers."""
    title = f"leat: test of {channel}"
    body = f"leat can reach this channel, {channel}.\n\nWhat is sent here is declared in quality/alerts.yaml.\n"
    return Message(f"test-{now:%Y%m%dT%H%M%S%f}", channel, title, body, "", (), "sending", now)
