"""The demo company as a whole: starts its servers, seeds them, and writes the variables that the declarations name.

The servers go on running after the demo, so that ``leat run`` and the Dagster UI find them; ``leat demo --stop`` ends
them. What was chosen at first (ports, passwords, the day that dates are counted from) is stored next to their data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from leat.demo.dashboard import PORT
from leat.demo.site import DASHBOARD, open_site
from leat.demo.systems import Variables, openers
from leat.files import atomic_write

_AT_ONCE = 3
"""Servers that are started side by side; each of them uses a processor for seconds."""


def start_company(folder: Path, checkout: Path, repositories: Sequence[str], report: Callable[[str], None]) -> None:
    """Start what isn't running, seed what isn't seeded, and write the variables to ``<folder>/env``.

    Args:
        folder: of everything in the demo.
        checkout: this project's own repository.
        repositories: addresses of further git repositories to serve.
        report: called with what is being done.

    Raises:
        RuntimeError: a server did not start; the text has the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    site = open_site(folder)
    if site.reserve(DASHBOARD, PORT):
        site.end("canaille")  # it sends whoever signs in back to that port
    systems = openers(checkout, repositories)

    def opened(name: str) -> Variables:
        report(name)
        return systems[name](site)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        variables = {key: value for settings in threads.map(opened, systems) for key, value in settings.items()}
    env, text = folder / "env", "".join(f"{name}='{value}'\n" for name, value in sorted(variables.items()))
    if not env.exists() or env.read_text(encoding="utf-8") != text:
        site.end(DASHBOARD)  # it has read the variables as they were
    atomic_write(env, text)


def stop_company(folder: Path) -> Iterator[str]:
    """End the servers that run; yields the name of each."""
    return open_site(folder).stop()
