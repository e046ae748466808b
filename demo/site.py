"""Where the demo's servers are: their folder, ports, processes and passwords, which last from one start to the next."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from leat.demo.servers.process import Process, free_port, is_listening, is_running, stop
from leat.demo.story import Story, write_story
from leat.files import atomic_write

DASHBOARD = "dashboard"
"""The name of `leat serve` among the servers."""
_PATIENCE, _OTHERS = 40.0, 10.0
"""Seconds that `leat serve`, which finishes a load under way, and other servers have to end by themselves."""


@dataclass(frozen=True, slots=True)
class Company:
    """What was chosen when the company was first started.

    Attributes:
        began_at: the day that the dates of the seeds are counted from, ISO 8601.
        password: of every account but those of people at the identity provider.
        ports: TCP port by name.
        pids: process by server; stale when the machine was restarted.
        sign_in_password: of people at the identity provider: one that can be typed. None for that of the others, where
            an earlier version of leat has started the company.
    """

    began_at: str
    password: str
    ports: dict[str, int]
    pids: dict[str, int]
    sign_in_password: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The folder of the demo, and what was chosen in it; several threads may start servers at once."""

    folder: Path
    company: Company
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def story(self) -> Story:
        """What the servers are seeded with."""
        return write_story(datetime.fromisoformat(self.company.began_at))

    @property
    def password(self) -> str:
        """The password of every account but those of people at the identity provider."""
        return self.company.password

    @property
    def sign_in_password(self) -> str:
        """The password by which people sign in at the identity provider."""
        return self.company.sign_in_password or self.company.password

    def port(self, name: str) -> int:
        """Return the port of that name: that of before, so that addresses stay, where it is free."""
        with self._lock:
            before = self.company.ports.get(name)
            taken = set(self.company.ports.values()) - {before}
            if before is None or is_listening(before):
                before = free_port()
                while before in taken:
                    before = free_port()
            self.company.ports[name] = before
            return before

    def reserve(self, name: str, preferred: int) -> bool:
        """Choose the port of a server that is started later; return whether it is another one than before.

        Args:
            name: name of the server.
            preferred: the first choice.
        """
        before = self.company.ports.get(name)
        if self._running(name) is not None:
            return False
        port = preferred if before is None and not is_listening(preferred) else self.port(name)
        self.company.ports[name] = port
        return port != before

    def end(self, name: str) -> bool:
        """End a server; return whether it ran."""
        if self._running(name) is None:
            return False
        stop(self.company.pids[name], _PATIENCE if name == DASHBOARD else _OTHERS)
        with self._lock:
            del self.company.pids[name]
            self._write()
        return True

    def running(self, name: str, start: Callable[[int], Process]) -> tuple[Process, bool]:
        """Return a server, and whether it had to be started.

        Args:
            name: name of the server.
            start: starts it on a port.
        """
        before = self._running(name)
        if before is not None:
            return before, False
        process = start(self.port(name))
        with self._lock:
            self.company.pids[name] = process.pid
            self.company.ports[name] = process.port
            self._write()
        return process, True

    def stop(self) -> Iterator[str]:
        """End the servers that run; yields the name of each."""
        for name in sorted(self.company.pids, key=lambda name: name != DASHBOARD):  # it works with the others
            if self.end(name):
                yield name

    def _running(self, name: str) -> Process | None:
        """Return the server as it was started before, if that process still listens on its port."""
        pid, port = self.company.pids.get(name), self.company.ports.get(name)
        if pid is None or port is None or not is_running(pid) or not is_listening(port):
            return None
        return Process(name, pid, port, Path(os.devnull))

    def _write(self) -> None:
        atomic_write(self.folder / "company.json", json.dumps(asdict(self.company), indent=2, sort_keys=True))


def open_site(folder: Path) -> Site:
    """Return the site in a folder, with what was chosen before."""
    folder = folder.resolve()
    try:
        company = Company(**json.loads((folder / "company.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        now = datetime.now(UTC).replace(microsecond=0).isoformat()
        company = Company(now, secrets.token_urlsafe(18), {}, {}, secrets.token_hex(4))
    return Site(folder, company)
