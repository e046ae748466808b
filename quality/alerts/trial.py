"""What ``leat check`` asks of each channel: whether its URL is there and can be read; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

from leat.pipelines.declare.project import Project
from leat.quality.alerts.declaration import Alerts
from leat.quality.alerts.delivery import readable
from leat.sources.driver import SetupTest
from leat.sources.errors import NotConfigured


def channel_tests(alerts: Alerts, project: Project) -> Iterator[SetupTest]:
    """Yield one finding for each channel; one that is off is fine."""
    for name, channel in alerts.channels.items():
        what = f"channel {name}"
        if channel.is_off:
            yield SetupTest(what, ok=True, detail=f"off, for {channel.url.env} is not set")
            continue
        try:
            url = channel.read_url(name, project.folder)
        except NotConfigured as error:
            yield SetupTest(what, ok=False, detail=f"{error.got}. Next: {error.next_step}")
            continue
        known = readable(url)
        detail = f"its URL can be read; `leat alerts test {name}` sends a message"
        wrong = "Apprise can't read its URL. Next: write it as docs/alerts.md shows, with % for special characters"
        yield SetupTest(what, known, detail if known else wrong)
