"""Sends a message to a declared channel, once, and tries a channel for ``leat alerts test``."""

from __future__ import annotations

import logging
from datetime import datetime

from leat.pipelines.declare.project import Project
from leat.pipelines.load.error_message import log_error, shown
from leat.quality.alerts.declaration import Channel
from leat.quality.alerts.delivery import deliver
from leat.quality.alerts.text import Text
from leat.sources.errors import IntegrationError, NotConfigured, Unavailable
from leat.sources.settings import redact

log = logging.getLogger("leat.alerts")


def send(
    name: str, channel: Channel, text: Text, message: str, sent_at: datetime | None, project: Project
) -> dict[str, str]:
    """Send a message to a channel that has a URL.

    A channel that can't be read may be in another process, which has its variable: so that is worth another attempt.

    Args:
        name: of the channel.
        channel: what is declared.
        text: what the message says.
        message: its id.
        sent_at: when it was sent first; None when that is now.
        project: the project.

    Returns:
        the receipt.

    Raises:
        IntegrationError: it wasn't sent, or nobody knows; without secrets.
    """
    try:
        return deliver(channel.read_url(name, project.folder), text, message, name, sent_at)
    except NotConfigured as error:
        raise not_now(error) from error
    except IntegrationError as error:
        where = channel.variable
        error.next_step = f"look at {where} and at the service that it names, then `leat alerts test {name}`"
        error.got = redact(error.got)
        raise
    except Exception as error:  # of a library that talks to a hundred services
        log_error(log, error, "channel %s", name)
        next_step = f"look at {channel.variable}, then `leat alerts test {name}`"
        raise Unavailable(name, "sending an alert", redact(shown(error)), next_step) from error


def not_now(error: NotConfigured) -> Unavailable:
    """Return an error that lets the outbox try again, for one that says what is missing here; nothing was sent."""
    later = Unavailable(error.integration, error.asked, redact(error.got), error.next_step)
    later.reached = False
    return later
