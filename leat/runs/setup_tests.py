"""The named tests of a connection, each tried for real; what `leat check` and the page that adds a system show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from leat.files import make_private
from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.declare.project import Project
from leat.sources.driver import SetupTest, Sync, load_driver
from leat.sources.errors import IntegrationError, NotConfigured
from leat.sources.settings import redact


def setup_tests(
    project: Project,
    declaration: Declaration,
    folder: Path | None = None,
    permits: Callable[[str], bool] | None = None,
    progress: Callable[[str, int], None] = lambda _what, _count: None,
) -> Iterator[SetupTest]:
    """Yield the outcome of one test after another; one that can't be made is a failed one, and the last.

    Args:
        project: the project.
        declaration: the integration.
        folder: private folder of the driver; None for that of its runs.
        permits: returns whether leat may connect to an IP address; None if it may connect to all.
        progress: called with what is being read, and how much was since the last call.
    """
    folder = folder or project.state / "sources" / declaration.name
    make_private(folder)
    streams = frozenset(stream.name for stream in declaration.selected())
    masked: Mapping[str, frozenset[str]] = {s.name: declaration.hidden(s) for s in declaration.every_stream()}
    now = datetime.now(UTC)
    sync = Sync(declaration.name, streams, None, project.folder, folder, now, progress, masked=masked, permits=permits)
    driver = load_driver(declaration.source, declaration.driver)
    try:
        for test in driver.setup_tests(declaration.connection, sync):
            yield SetupTest(test.name, test.ok, redact(test.detail))
    except IntegrationError as error:
        place = _place(project, declaration, error) if isinstance(error, NotConfigured) else ""
        yield SetupTest(error.asked, ok=False, detail=redact(f"{error.got}{place}. Next: {error.next_step}"))


def _place(project: Project, declaration: Declaration, error: NotConfigured) -> str:
    """Return the file, and the line that names what is missing, in brackets; nothing of one that isn't there yet."""
    if not declaration.path.exists():
        return ""
    shown = project.shown(declaration.path)
    if shown in error.got:
        return ""
    name = error.asked.rpartition(" ")[2].removeprefix("connection.")
    lines = declaration.path.read_text(encoding="utf-8").splitlines()
    line = next((f":{number}" for number, text in enumerate(lines, 1) if name in text), "")
    return f" ({shown}{line})"
