"""What ``leat check`` asks of each channel, and the message of ``leat alerts test``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.quality.alerts.channels import Channels, send_now
from leat.quality.alerts.declaration import Alerts
from leat.quality.alerts.delivery import readable
from leat.sources.actions import Refused
from leat.sources.driver import SetupTest
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.settings import redact


def channel_tests(alerts: Alerts, project: Project) -> Iterator[SetupTest]:
    """Yield one finding for each channel; one that is off is fine."""
    for name, channel in alerts.channels.items():
        what = f"channel {name}"
        if channel.is_off:
            yield SetupTest(what, ok=True, detail=f"off, for {channel.variable} is not set")
            continue
        if channel.integration is not None:
            yield SetupTest(what, ok=True, detail=f"sends by {channel.integration}; `leat alerts test {name}` tries it")
            continue
        try:
            understood = readable(channel.read_url(name, project.folder), name)
        except NotConfigured as error:
            yield SetupTest(what, ok=False, detail=f"{error.got}. Next: {error.next_step}")
            continue
        detail = f"its URL can be read; `leat alerts test {name}` sends a message"
        wrong = "Apprise can't read its URL. Next: write it as docs/alerts.md shows, with % for special characters"
        yield SetupTest(what, understood, detail if understood else wrong)


def try_channel(
    name: str, alerts: Alerts, project: Project, declarations: Mapping[str, Declaration], now: datetime
) -> tuple[str, str | None]:
    """Send a test message to a channel; returns its title, and None or why it wasn't delivered."""
    title = f"leat: test of {name}"
    body = f"leat can reach this channel, {name}.\n\nWhat is sent here is declared in quality/alerts.yaml.\n"
    with contextlib.ExitStack() as stack:
        channels = Channels(alerts, project, declarations, stack)
        try:
            send_now(name, channels, f"test-{now:%Y%m%dT%H%M%S%f}", title, body)
        except (IntegrationError, Refused) as error:
            return title, redact(str(error)).removeprefix(f"{name}: ")
    return title, None
