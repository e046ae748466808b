"""The demo company as a whole: starts its servers, seeds them, and tells the variables that the declarations name.

The servers go on running after the demo, so that ``leat run`` and the Dagster UI find them; ``leat demo --stop`` ends
them. What was chosen at first (ports, passwords, the day that dates are counted from) is kept beside their data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from demo import calendar_seed, git_seed
from demo.git_server import start_git_server
from demo.radicale import start_radicale
from demo.site import Site, open_site, write_private

OFFICE = "office"
"""The account that reads everything."""

_AT_ONCE = 3
"""Servers that are started side by side; each of them keeps a processor busy for seconds."""

Opened = Mapping[str, str]
"""Environment variables that a declaration names, and their values."""


def start_company(folder: Path, checkout: Path, repositories: Sequence[str], tell: Callable[[str], None]) -> None:
    """Start what isn't running, seed what isn't seeded, and write the variables to ``<folder>/env``.

    Args:
        folder: where everything of the demo is kept.
        checkout: this project's own repository.
        repositories: addresses of further git repositories to serve.
        tell: called with what is being done.

    Raises:
        RuntimeError: a server did not start; the text has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    site = open_site(folder)
    systems: dict[str, Callable[[Site], Opened]] = {
        "calendars": _open_calendars,
        "git repositories": partial(_open_repositories, checkout=checkout, others=repositories),
    }

    def opened(name: str) -> Opened:
        tell(name)
        return systems[name](site)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        variables = {key: value for found in threads.map(opened, systems) for key, value in found.items()}
    write_private(folder / "env", "".join(f'{name}="{value}"\n' for name, value in sorted(variables.items())))


def stop_company(folder: Path) -> Iterator[str]:
    """End the servers that run; yields the name of each."""
    return open_site(folder).stop()


def _open_calendars(site: Site) -> Opened:
    people = (OFFICE, *calendar_seed.PEOPLE, *calendar_seed.LEAVERS)
    users = dict.fromkeys(people, site.password)
    folder = site.folder / "radicale"
    server, _ = site.running("radicale", lambda port: start_radicale(folder, users, port))
    url = f"http://127.0.0.1:{server.port}/"
    calendar_seed.seed_calendars(url, folder, users, site.story.began_at)
    return {
        "CALENDAR_URL": url,
        "CALENDAR_USERNAME": OFFICE,
        "CALENDAR_PASSWORD": site.password,
        "CALENDAR_STORAGE": str(folder / "collections" / "collection-root"),
    }


def _open_repositories(site: Site, checkout: Path, others: Sequence[str]) -> Opened:
    root = site.folder / "repositories"
    root.mkdir(exist_ok=True)
    served = git_seed.seed_repositories(root, site.story.began_at, checkout, others)
    server, _ = site.running(
        "git", lambda port: start_git_server(site.folder / "git", root, port, OFFICE, site.password)
    )
    return {
        "VERSION_CONTROL_REPOSITORIES": " ".join(f"http://127.0.0.1:{server.port}/{each.name}" for each in served),
        "VERSION_CONTROL_USERNAME": OFFICE,
        "VERSION_CONTROL_PASSWORD": site.password,
    }
