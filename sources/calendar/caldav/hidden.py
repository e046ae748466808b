"""Files that a server stores but never lists: Radicale skips every file that it can't parse.

If its storage is on this machine and the connection names it, leat reads and quarantines such files there. They are
not loaded, not even when this driver could read them: what is loaded is what the server shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

from leat.sources.calendar.ics.files import MAX_RECORD, parse_file
from leat.sources.calendar.ics.rules import Window
from leat.sources.errors import NotConfigured
from leat.sources.events import Quarantined


def hidden_files(integration: str, storage: Path, calendar: str, shown: Iterable[str]) -> dict[str, str]:
    """Return the files in a calendar's folder that the server doesn't show, each with a digest of its content.

    Args:
        integration: name for errors.
        storage: Radicale's ``collection-root``.
        calendar: path of the calendar on the server.
        shown: names of the files that the server shows, as it writes them.

    Raises:
        NotConfigured: the storage isn't a folder that can be read.
    """
    try:
        root = storage.resolve(strict=True)
        folder = (root / unquote(calendar).strip("/")).resolve()
        if not folder.is_relative_to(root) or not folder.is_dir():
            return {}  # a calendar of somebody else, shared under another path
        listed = {unquote(name) for name in shown}
        files = (path for path in sorted(folder.iterdir()) if path.name not in listed and not path.name.startswith("."))
        return {path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in files if path.is_file()}
    except OSError as error:
        raise NotConfigured(
            integration,
            f"reading connection.storage {storage}",
            str(error.strerror),
            "name the folder collection-root of the server, readable by this account, or leave it out",
        ) from error


def quarantine_hidden(
    storage: Path, calendar: str, hidden: Mapping[str, str], before: Mapping[str, str], window: Window
) -> Iterator[Quarantined]:
    """Yield the files that are new or have changed since the last run, with what this driver finds wrong in them."""
    for name, digest in hidden.items():
        if before.get(name) == digest:
            continue
        content = (storage.resolve() / unquote(calendar).strip("/") / name).read_bytes()
        parsed = parse_file(calendar, calendar + name, content, None, window)
        wrong = "; ".join(item.reason for item in parsed.quarantined) or "its own parser is stricter than this one"
        reason = f"the server hides the file, because it can't parse it: {wrong}"
        record = content.decode("utf-8", "backslashreplace")[:MAX_RECORD]
        yield Quarantined("events", calendar + name, reason, record)
