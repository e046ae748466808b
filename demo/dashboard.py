"""The dashboard of the demo: ``leat serve`` as one more process, and whom of the company it lets in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from leat.demo.servers.process import Process, start
from leat.demo.site import DASHBOARD, open_site
from leat.demo.story.people import GROUPS, PEOPLE

PORT = 8765
"""The first choice for its port: that of `leat serve`."""


def start_dashboard(folder: Path, project: Path) -> str:
    """Start `leat serve` where it isn't running, and return its address.

    Args:
        folder: of everything in the demo.
        project: the project folder.

    Raises:
        RuntimeError: it didn't start; the text has the end of its log.
    """
    site = open_site(folder)

    def started(port: int) -> Process:
        argv = [sys.executable, "-m", "leat.cli.main", "--project", str(project), "serve", "--port", str(port),
                "--url", f"http://127.0.0.1:{port}", "--private-network", "127.0.0.0/8"]  # fmt: skip
        return start(DASHBOARD, argv, site.folder / DASHBOARD, port)

    process, _ = site.running(DASHBOARD, started)
    return f"http://127.0.0.1:{process.port}"


def password_of_people(folder: Path) -> str:
    """Return the password by which everybody signs in."""
    return open_site(folder).sign_in_password


def examples_of_roles(roles: Mapping[str, str], order: tuple[str, ...]) -> dict[str, str]:
    """Return for each role the login of somebody who has it, as far as there is one.

    Args:
        roles: role by group.
        order: the roles, the lowest first.
    """
    result: dict[str, str] = {}
    for person in PEOPLE:
        if not person.in_sso or not person.is_active:
            continue
        has = [roles[group.name] for group in GROUPS if person.login in group.members and group.name in roles]
        if has:
            result.setdefault(max(has, key=order.index), person.login)
    return {role: result[role] for role in order if role in result}
